// Pictures: each width that there is as a candidate, AVIF beside WebP, size known before it is loaded so that nothing jumps.
import type { ImageBlock, Rendition } from "../course.ts";
import { type Context, load, marked, renditionsOf, spoken, textOf } from "./context.ts";
import { h } from "./dom.ts";

export function imageBlock(context: Context, block: ImageBlock): HTMLElement {
  const alt = textOf(context, block.alt);
  const figure = h("figure", {}, picture(context, block.asset, alt, marked(context, block.alt)));
  if (block.caption) figure.append(h("figcaption", {}, spoken(context, block.caption)));
  return figure;
}

export function picture(context: Context, asset: string, alt: string, given: Readonly<Record<string, string>> = {}): HTMLElement {
  const found = renditionsOf(context, asset, "image");
  const image = h("img", { alt, loading: "lazy", decoding: "async", ...given });
  const failed = (): void => image.replaceWith(h("p", { class: "failed", role: "note" }, context.words.say("media.failed"), " ", alt));
  image.addEventListener("error", () => image.src && failed());
  const byType = new Map<string, Rendition[]>();
  for (const each of found) byType.set(each.media_type, [...(byType.get(each.media_type) ?? []), each]);
  const plain = [...byType.keys()].find((type) => type !== "image/avif") ?? "image/avif";
  const candidates = [...(byType.get(plain) ?? [])].sort((a, b) => (a.width ?? 0) - (b.width ?? 0));
  const largest = candidates.at(-1);
  if (!largest) {
    failed();
    return h("p", { class: "failed" }, context.words.say("media.failed"), " ", alt);
  }
  if (largest.width && largest.height) {
    image.width = largest.width;
    image.height = largest.height;
  }
  const addresses = candidates.map((each) => context.files.url(each));
  if (addresses.every((each) => typeof each === "string")) {
    if (candidates.length > 1) {
      image.sizes = "(min-width: 60rem) 44rem, 94vw";
      image.srcset = srcset(candidates, addresses as string[]);
    }
    image.src = addresses.at(-1) as string;
  } else load(context, image, "src", largest, failed);
  const avif = byType.get("image/avif") ?? [];
  const modern = avif.map((each) => context.files.url(each));
  if (plain === "image/avif" || !avif.length || modern.some((each) => typeof each !== "string")) return image;
  return h("picture", {}, h("source", { type: "image/avif", srcset: srcset(avif, modern as string[]), sizes: "(min-width: 60rem) 44rem, 94vw" }), image);
}

const srcset = (candidates: readonly Rendition[], urls: readonly string[]): string => candidates.map((each, index) => `${urls[index]} ${each.width}w`).join(", ");
