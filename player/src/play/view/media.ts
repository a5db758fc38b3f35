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
  const films = renditionsOf(context, block.asset, block.type);
  // A lite edition of a film is its sound, with a picture of each scene.
  const kind = films.length ? block.type : "audio";
  const found = films.length ? films : renditionsOf(context, block.asset, kind);
  const figure = h("figure", { class: "timed" });
  if (block.title) figure.append(h("figcaption", {}, spoken(context, block.title)));
  const transcript = transcriptOf(context, block, index, !found.length);
  if (!found.length) {
    // An edition without films: the poster, and what is said.
    const [still] = renditionsOf(context, block.asset, "still");
    if (block.poster) figure.prepend(picture(context, block.poster, ""));
    else if (still) figure.prepend(slide(context, still));
    figure.append(transcript ?? fromCaptions(context, block));
    return figure;
  }
  const label = words.say(block.type === "video" ? "video.label" : "audio.label", { title });
  const media = h(kind, { controls: true, preload: "metadata", playsinline: true, "aria-label": label.replace(/[:：\s]+$/, "") });
  const failed = (): void => {
    media.replaceWith(h("p", { class: "failed", role: "note" }, words.say("media.failed")));
    doings.seen(index); // who cannot play it must not be kept from finishing
    if (transcript) transcript.open = true;
  };
  // The browser takes the first that it can play; all of them failing is told by the last source. A source without an address
  // fails at once, so where addresses are yet to come (a bundle decrypts first) the sources are too.
  const sources = [...found].sort((a, b) => Number(b.media_type === "audio/ogg") - Number(a.media_type === "audio/ogg"));
  const add = (urls: readonly string[]): void => media.append(...sources.map((each, at) => h("source", { type: each.media_type, src: urls[at], ...(at === sources.length - 1 ? { onerror: failed } : {}) })));
  const urls = sources.map((each) => context.files.url(each));
  if (urls.every((each) => typeof each === "string")) add(urls as string[]);
  else Promise.all(urls).then(add, failed);
  if (media instanceof HTMLVideoElement) shapeOf(media, context, block, films[0]);
  for (const track of block.captions) void addCaptions(context, media, track);
  remember(context, media, index);
  figure.prepend(media);
  if (kind !== block.type) figure.prepend(...slides(context, block, media));
  if (transcript) figure.append(transcript);
  return figure;
}

/** What is said, out of the captions, where an edition has neither film nor transcript. */
function fromCaptions(context: Context, block: TimedBlock): HTMLElement {
  const { words, language } = context;
  const track = block.captions.find((each) => each.language === language) ?? block.captions[0];
  const [file] = track ? renditionsOf(context, track.asset, "captions") : [];
  const said = h("div", { lang: track?.language, dir: "auto" });
  const none = h("p", {}, words.say("transcript.none"));
  if (!file) return none;
  const details = h("details", { class: "transcript", open: true }, h("summary", {}, words.say("transcript")), said);
  context.files.captions(file).then(
    (text) => said.append(...cuesOf(text).map((cue) => h("p", {}, cue.text.replace(/<[^>]*>/g, "")))),
    () => details.replaceWith(none),
  );
  return details;
}

function slide(context: Context, still: Rendition): HTMLImageElement {
  const image = h("img", { alt: "", class: "slide", loading: "lazy" });
  if (still.width && still.height) {
    image.width = still.width;
    image.height = still.height;
  }
  load(context, image, "src", still, () => image.remove());
  return image;
}

/** The stills of a film that is heard only: the one whose scene is played is shown, on paper all of them. */
function slides(context: Context, block: TimedBlock, media: HTMLMediaElement): readonly HTMLElement[] {
  const stills = [...renditionsOf(context, block.asset, "still")].sort((a, b) => (a.at_s ?? 0) - (b.at_s ?? 0));
  const images = stills.map((each) => slide(context, each));
  const show = (): void => {
    const next = stills.findIndex((each) => (each.at_s ?? 0) > media.currentTime);
    const at = Math.max(0, (next < 0 ? stills.length : next) - 1);
    for (const [index, image] of images.entries()) image.classList.toggle("waiting", index !== at);
  };
  media.addEventListener("timeupdate", show);
  media.addEventListener("seeked", show);
  show();
  return images;
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
