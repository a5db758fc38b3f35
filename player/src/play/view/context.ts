// What a part of the page needs of the rest: the course, how to say things, where files are, and how to report what is done.
import { type Course, pick, type Rendition, type Texts } from "../course.ts";
import type { Answer, QuizState } from "../answers.ts";
import type { EmbedBlock, QuizBlock } from "../course.ts";
import type { Package } from "../../imported/course.ts";
import type { File, Records } from "../../imported/embedding.ts";
import type { Speaker } from "../words.ts";
import { h, trusted } from "./dom.ts";

/** How an embedded package is reached. `origin`: whose messages count, null where the frame has none that can be named. */
export interface Embedded {
  readonly address: string | Promise<string>;
  readonly origin: string | null;
  readonly course?: Package | undefined;
  readonly records?: Records | undefined;
  readonly file?: ((path: string) => Promise<File | null>) | undefined;
}

export interface Files {
  /** A URL that the page may load. A bundle decrypts first, so it may take a moment; rejects if the file cannot be had. */
  url(rendition: Rendition): string | Promise<string>;
  /** The text of a WebVTT file. */
  captions(rendition: Rendition): Promise<string>;
  /** An imported package inside the course; null where this edition has it not. */
  embedded?(block: EmbedBlock): Embedded | null;
  /** What was given so far is not shown any more: another unit is. */
  release?(): void;
}

export interface Doings {
  seen(index: number): void;
  /** `at`: seconds; `done`: watched to the end, or as good as that. */
  played(index: number, at_s: number): void;
  startAt(index: number): number;
  quiz(index: number): QuizState | undefined;
  answering(index: number, state: QuizState): void;
  /** Submitted; returns nothing, the page shows the result itself. */
  submitted(index: number, quiz: QuizBlock, answers: readonly (Answer | null)[], latency_s: number): void;
}

export interface Context {
  readonly course: Course;
  readonly language: string;
  readonly languages: readonly string[]; // the shown one first, then the course's own, then the rest
  readonly page: string; // of the page itself: the shown one, or the interface's where it does not speak that
  readonly words: Speaker;
  readonly files: Files;
  readonly doings: Doings;
  readonly learner: string; // "" where nobody says
}

export const textOf = (context: Context, texts: Texts | null | undefined): string => pick(texts, context.language, context.course.metadata.language).text;

/** `lang` and `dir` of a text that is not in the language of the page; nothing for one that is. */
export function marked(context: Context, texts: Texts | null | undefined): { lang?: string; dir?: string } {
  const { tag } = pick(texts, context.language, context.course.metadata.language);
  return tag === context.page ? {} : { lang: tag, dir: directionOf(context.course, tag) };
}

export function directionOf(course: Course, tag: string): "ltr" | "rtl" {
  return course.metadata.languages.find((each) => each.tag === tag)?.direction ?? "ltr";
}

/** A text as a span with its language. */
export const spoken = (context: Context, texts: Texts | null | undefined): HTMLElement => h("span", marked(context, texts), textOf(context, texts));

/** A text of safe HTML, with its language; a wide table scrolls by itself and says so. */
export function rich(context: Context, texts: Texts | null | undefined, given: Readonly<Record<string, string>> = {}): HTMLElement {
  const view = h("div", { ...given, ...marked(context, texts) }, trusted(textOf(context, texts)));
  for (const wide of view.querySelectorAll(".wide")) wide.setAttribute("aria-label", context.words.say("table"));
  return view;
}

export const renditionsOf = (context: Context, asset: string, role: string): readonly Rendition[] => (context.course.assets[asset]?.renditions ?? []).filter((each) => each.role === role);

/** Sets an attribute once the file's address is known; calls `failed` if it cannot be had. */
export function load(context: Context, element: Element, name: string, rendition: Rendition, failed: () => void): void {
  const found = context.files.url(rendition);
  if (typeof found === "string") element.setAttribute(name, found);
  else found.then((url) => element.setAttribute(name, url), failed);
}
