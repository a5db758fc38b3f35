// Films and sounds with the browser's own controls, which every screen reader knows. Captions are put in cue by cue: a <track>
// loads nothing where a course was unzipped and opened from the disk.
import { cuesOf } from "../cues.ts";
import type { FileBlock, Rendition, TimedBlock } from "../course.ts";
import { type Context, load, marked, renditionsOf, rich, spoken, textOf } from "./context.ts";
import { h } from "./dom.ts";
import { picture } from "./pictures.ts";

const WATCHED = 0.9;

export function timedBlock(context: Context, block: TimedBlock, index: number): HTMLElement {
  const { words, doings } = context;
  const title = textOf(context, block.title);
  const found = renditionsOf(context, block.asset, block.type);
  const figure = h("figure", { class: "timed" });
  if (block.title) figure.append(h("figcaption", {}, spoken(context, block.title)));
  const transcript = transcriptOf(context, block, index, !found.length);
  if (!found.length) {
    // An edition without films: the poster, and what is said.
    if (block.poster) figure.prepend(picture(context, block.poster, ""));
    figure.append(transcript ?? h("p", {}, words.say("transcript.none")));
    return figure;
  }
  const label = words.say(block.type === "video" ? "video.label" : "audio.label", { title });
  const media = h(block.type, { controls: true, preload: "metadata", playsinline: true, "aria-label": label.replace(/[:：\s]+$/, "") });
  const failed = (): void => {
    media.replaceWith(h("p", { class: "failed", role: "note" }, words.say("media.failed")));
    doings.seen(index); // who cannot play it must not be kept from finishing
    if (transcript) transcript.open = true;
  };
  // The browser takes the first that it can play; all of them failing is told by the last source.
  const sources = [...found].sort((a, b) => Number(b.media_type === "audio/ogg") - Number(a.media_type === "audio/ogg"));
  for (const [at, each] of sources.entries()) {
    const source = h("source", { type: each.media_type, ...(at === sources.length - 1 ? { onerror: failed } : {}) });
    load(context, source, "src", each, failed);
    media.append(source);
  }
  if (!sources.every((each) => typeof context.files.url(each) === "string")) {
    new MutationObserver(() => media.load()).observe(media, { subtree: true, attributes: true, attributeFilter: ["src"] });
  }
  if (media instanceof HTMLVideoElement) shapeOf(media, context, block, found[0]);
  for (const track of block.captions) void addCaptions(context, media, track);
  remember(context, media, index);
  figure.prepend(media);
  if (transcript) figure.append(transcript);
  return figure;
}

function shapeOf(video: HTMLVideoElement, context: Context, block: TimedBlock, first: Rendition | undefined): void {
  if (first?.width && first.height) {
    video.width = first.width;
    video.height = first.height;
  }
  const own = renditionsOf(context, block.asset, "poster");
  const poster = (block.poster ? renditionsOf(context, block.poster, "image") : own).at(-1) ?? own.at(-1);
  if (poster) load(context, video, "poster", poster, () => undefined);
}

async function addCaptions(context: Context, media: HTMLMediaElement, track: TimedBlock["captions"][number]): Promise<void> {
  const [file] = renditionsOf(context, track.asset, "captions");
  if (!file) return;
  const name = new Intl.DisplayNames([context.language], { type: "language" }).of(track.language) ?? track.language;
  const list = media.addTextTrack(track.kind, name, track.language);
  list.mode = "disabled";
  try {
    for (const cue of cuesOf(await context.files.captions(file))) list.addCue(new VTTCue(cue.start_s, cue.end_s, cue.text));
    list.mode = track.language === context.language || (track.kind === "captions" && media.textTracks.length === 1) ? "showing" : "disabled";
  } catch {
    // The film is there without them; the transcript, if there is one, says the same.
  }
}

function remember(context: Context, media: HTMLMediaElement, index: number): void {
  const { doings } = context;
  const start = doings.startAt(index);
  let told = start;
  media.addEventListener("loadedmetadata", () => {
    if (start > 0 && start < media.duration - 1 && media.currentTime === 0) media.currentTime = start;
  });
  media.addEventListener("timeupdate", () => {
    if (Math.abs(media.currentTime - told) >= 5) doings.played(index, (told = media.currentTime));
    if (media.duration && media.currentTime / media.duration >= WATCHED) doings.seen(index);
  });
  media.addEventListener("pause", () => doings.played(index, (told = media.currentTime)));
  media.addEventListener("ended", () => {
    doings.played(index, (told = 0));
    doings.seen(index);
  });
}

function transcriptOf(context: Context, block: TimedBlock, index: number, open: boolean): HTMLDetailsElement | null {
  if (!block.transcript) return null;
  const details = h("details", { class: "transcript", open }, h("summary", {}, context.words.say("transcript")));
  details.append(rich(context, block.transcript));
  details.addEventListener("toggle", () => details.open && context.doings.seen(index)); // reading is as good as watching
  return details;
}

export function fileBlock(context: Context, block: FileBlock): HTMLElement {
  const [file] = renditionsOf(context, block.asset, "file");
  const title = textOf(context, block.title);
  if (!file) return h("p", { class: "failed" }, context.words.say("media.failed"), " ", title);
  const [thumbnail] = renditionsOf(context, block.asset, "thumbnail");
  const link = h("a", { class: "file", download: nameOf(title, file), ...marked(context, block.title) });
  if (thumbnail) {
    const image = h("img", { alt: "", loading: "lazy" });
    load(context, image, "src", thumbnail, () => image.remove());
    link.append(image);
  }
  link.append(h("span", {}, context.words.say("file.download", { title }), " ", h("small", {}, `(${context.words.bytes(file.size_bytes)})`)));
  load(context, link, "href", file, () => link.replaceWith(h("p", { class: "failed" }, context.words.say("media.failed"))));
  return h("p", {}, link);
}

/** A name for the download: the author's title, without what file systems refuse, with the extension of its address. */
function nameOf(title: string, file: Rendition): string {
  const extension = /\.[A-Za-z0-9]{1,8}$/.exec(file.path ?? "")?.[0] ?? "";
  return title.replace(/[\u0000-\u001f<>:"/\\|?*]+/g, " ").trim().slice(0, 100) + extension;
}
