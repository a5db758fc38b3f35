// One block as elements, by its type. What this player cannot show is said, never left out in silence.
import type { Block } from "../course.ts";
import { type Context, rich, spoken } from "./context.ts";
import { h } from "./dom.ts";
import { embedBlock } from "./embed.ts";
import { fileBlock, timedBlock } from "./media.ts";
import { imageBlock } from "./pictures.ts";
import { quizBlock } from "./quiz.ts";

export function blockView(context: Context, block: Block, index: number): HTMLElement {
  const view = h("div", { class: `block ${block.type}`, id: `b-${block.id}`, "data-index": index });
  view.append(inside(context, block, index));
  return view;
}

function inside(context: Context, block: Block, index: number): HTMLElement {
  switch (block.type) {
    case "text":
      return rich(context, block.html);
    case "image":
      return imageBlock(context, block);
    case "video":
    case "audio":
      return timedBlock(context, block, index);
    case "file":
      return fileBlock(context, block);
    case "quiz":
      return quizBlock(context, block, index);
    case "embed":
      return embedBlock(context, block, index);
    default:
      return h("p", { class: "note" }, block.purpose ?? block.title ? spoken(context, block.purpose ?? block.title) : null, " ", context.words.say("assistant.absent"));
  }
}
