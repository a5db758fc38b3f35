// A page around a package's player, for tests: what the learner's page does, with the files of a folder of the server in place of a bundle.
import { type File, surround } from "../../src/imported/embedding.ts";
import type { Package } from "../../src/imported/course.ts";
import { labelOf } from "../../src/learner/origins.ts";

const saved: string[] = [];
const standings: unknown[] = [];
const asked: string[] = [];
let failing = false;
let close: (() => void) | null = null;

async function file(base: string, path: string): Promise<File | null> {
  asked.push(path);
  const answer = await fetch(base + path.split("/").map(encodeURIComponent).join("/"));
  if (!answer.ok) return null;
  const bytes = new Uint8Array(await answer.arrayBuffer());
  async function* read(from: number, to: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (let at = from; at <= to; at += 1000) yield bytes.slice(at, Math.min(at + 1000, to + 1));
  }
  return { media_type: answer.headers.get("content-type") ?? "", size: bytes.length, read };
}

/** `shell`: the address of the shell. `files`: where the package's files are. `trusted`: whose messages count. */
function open(shell: string, files: string, course: Package, trusted: string): void {
  document.querySelector("iframe")?.remove();
  close?.();
  const frame = document.createElement("iframe");
  frame.style.cssText = "inline-size: 1000px; block-size: 700px";
  close = surround({
    frame,
    origin: trusted,
    course,
    learner: { id: "ada", name: "Ada" },
    language: "en",
    place: "",
    records: {
      read: async () => saved.at(-1) ?? null,
      save: async (record) => {
        if (failing) throw new Error("full");
        saved.push(record);
      },
    },
    standing: (standing) => standings.push(standing),
    file: (path) => file(files, path),
  });
  frame.src = shell;
  document.body.append(frame);
}

Object.assign(globalThis, { around: { open, saved, standings, asked, labelOf, fail: (fails: boolean) => (failing = fails) } });
