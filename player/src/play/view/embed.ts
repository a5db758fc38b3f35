// An imported package inside a course: its own player in a frame. It counts as done once that says so. Its content finds the run-time of
// its own player, never the platform's, since that player ends the way up (src/imported/boot.ts).
import { surround } from "../../imported/embedding.ts";
import { RIGHTS } from "../../imported/messages.ts";
import type { EmbedBlock } from "../course.ts";
import { type Context, spoken, textOf } from "./context.ts";
import { h } from "./dom.ts";

const PATIENCE_MS = 20_000;

export function embedBlock(context: Context, block: EmbedBlock, index: number): HTMLElement {
  const { words, doings, files } = context;
  const title = textOf(context, block.title) || block.course?.scorm.title || words.say("embed");
  const shown = files.embedded?.(block) ?? null;
  const figure = h("figure", {}, block.title ? h("figcaption", {}, spoken(context, block.title)) : null);
  if (!shown) {
    figure.append(h("p", { class: "note" }, words.say("embed.missing")));
    return figure;
  }
  const frame = h("iframe", { class: "package", title, sandbox: RIGHTS, allow: "fullscreen; autoplay", loading: "lazy" });
  let begun = false;
  const failed = (): void => {
    if (begun || !frame.isConnected) return;
    frame.replaceWith(h("p", { class: "failed", role: "note" }, words.say("media.failed")));
    full.remove();
    doings.seen(index); // who cannot open it must not be kept from finishing
  };
  const full = h("button", { type: "button", onclick: () => void frame.requestFullscreen().catch(() => undefined) }, `${words.say("imported.full")}: ${title}`);
  surround({
    frame,
    origin: shown.origin,
    place: `${context.course.package_id}/${block.id}`,
    course: shown.course,
    learner: { id: context.learner || "learner", name: context.learner },
    language: context.language,
    records: shown.records,
    file: shown.file,
    greeted: () => (begun = true),
    standing: (standing) => (standing.completed || standing.passed === true) && doings.seen(index),
  });
  frame.addEventListener("load", () => setTimeout(failed, PATIENCE_MS));
  Promise.resolve(shown.address).then((address) => (frame.src = address), failed);
  figure.append(frame, h("p", { class: "tools" }, full));
  return figure;
}
