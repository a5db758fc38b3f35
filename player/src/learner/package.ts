// An imported package out of a bundle: its player runs in a frame on the package's own origin, and asks this page for the files, which
// are decrypted here. What was done is kept in this page's database of progress, as courses are.
import type { Database } from "../device/database.ts";
import { type Course as Key, progressOf, saveProgress } from "../device/progress.ts";
import type { Package } from "../imported/course.ts";
import { type File, type Records, surround } from "../imported/embedding.ts";
import { GREETING, RIGHTS } from "../imported/messages.ts";
import type { Asset, Rendition } from "../play/course.ts";
import { h } from "../play/view/dom.ts";
import type { Bundle } from "../reader/bundle.ts";

const SHELL = "/_player/";
const ITEM = "package";
const BLOCK = 1 << 20;
const PATIENCE_MS = 30_000;
/** A manifest of kind `scorm`. */
export interface Manifest {
  readonly kind?: string;
  readonly package_id: string;
  readonly version: number;
  readonly structure: { readonly scorm: Package["scorm"] };
  readonly assets: Readonly<Record<string, Asset>>;
}

export interface Played {
  readonly bundle: Bundle;
  readonly manifest: Manifest;
  readonly origin: string;
  readonly progress: Database;
  readonly key: Key;
  readonly language: string;
  readonly title: string;
}

/** The frame with its player, once it stands on the page. */
export function packageFrame(played: Played): HTMLIFrameElement {
  const { manifest, origin, progress, key } = played;
  const frame = frameOf(origin, played.title);
  const course: Package = { kind: "scorm", package_id: manifest.package_id, version: manifest.version, scorm: manifest.structure.scorm };
  surround({
    frame,
    origin,
    course,
    place: "",
    learner: { id: key.learner, name: key.learner },
    language: played.language,
    records: recordsIn(progress, key, ITEM),
    standing: () => undefined,
    file: (path) => fileOf(played.bundle, Object.hasOwn(manifest.assets, path) ? manifest.assets[path]?.renditions[0] : undefined),
  });
  return frame;
}

/** Visits a package's origin once, so that its shell is there without a network. Rejects if it does not come. */
export function prepare(origin: string): Promise<void> {
  const frame = frameOf(origin, "");
  frame.hidden = true;
  return new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${origin} does not answer.`)), PATIENCE_MS);
    const heard = (event: MessageEvent<{ type?: unknown } | null>): void => {
      if (event.source !== frame.contentWindow || event.origin !== origin || event.data?.type !== GREETING) return;
      clearTimeout(late);
      removeEventListener("message", heard);
      resolve();
    };
    addEventListener("message", heard);
    document.body.append(frame);
  }).finally(() => frame.remove());
}

/** A visit of the shell, for one player. */
export const shellOf = (origin: string): string => `${origin}${SHELL}?s=${crypto.randomUUID()}`;

const frameOf = (origin: string, title: string): HTMLIFrameElement => h("iframe", { class: "package", title, sandbox: RIGHTS, allow: "fullscreen; autoplay", src: shellOf(origin) });

/** What is kept of a package, as one item of a course's progress. */
export function recordsIn(progress: Database, key: Key, item: string): Records {
  return {
    read: async () => (await progressOf<string>(progress, key)).find((each) => each.item === item)?.value ?? null,
    save: (value) => saveProgress(progress, key, { item, savedAt: Math.floor(Date.now() / 1000), value }),
  };
}

export async function fileOf(bundle: Bundle, rendition: Rendition | undefined): Promise<File | null> {
  if (!rendition || (await bundle.find(rendition.digest)) === null) return null;
  const { digest, media_type, size_bytes: size } = rendition;
  async function* read(from: number, to: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    if (from === 0 && to === size - 1) {
      yield* bundle.stream(digest) as unknown as AsyncIterable<Uint8Array<ArrayBuffer>>; // compared with the digest at its end
      return;
    }
    for (let at = from; at <= to; at += BLOCK) yield await bundle.readRange(digest, at, Math.min(at + BLOCK, to + 1));
  }
  return { media_type, size, read };
}
