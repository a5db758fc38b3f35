// The course document that the player shows: what `course.js` of an export holds, and what is made of a bundle's manifest.
// Texts are maps from language tag to text; HTML in it was sanitised at build (content/drafts/markup.py).
import type { Package } from "../imported/course.ts";

export type Texts = Readonly<Record<string, string>>;

export interface Rendition {
  readonly role: string;
  readonly media_type: string;
  readonly path?: string; // in an export: where it lies beside the page; of an embedded package in a bundle: where in that
  readonly digest: string;
  readonly size_bytes: number;
  readonly width?: number;
  readonly height?: number;
  readonly duration_s?: number;
  readonly at_s?: number; // of a still: when its scene begins
}

export interface Asset {
  readonly kind: string;
  readonly license?: string;
  readonly credit?: string;
  readonly source_url?: string;
  readonly renditions: readonly Rendition[];
}

interface Base {
  readonly id: string;
}
export interface TextBlock extends Base {
  readonly type: "text";
  readonly html: Texts;
}
export interface ImageBlock extends Base {
  readonly type: "image";
  readonly asset: string;
  readonly alt: Texts;
  readonly caption?: Texts;
}
export interface CaptionTrack {
  readonly asset: string;
  readonly language: string;
  readonly kind: "captions" | "subtitles";
}
export interface TimedBlock extends Base {
  readonly type: "video" | "audio";
  readonly asset: string;
  readonly title?: Texts;
  readonly captions: readonly CaptionTrack[];
  readonly transcript?: Texts;
  readonly poster?: string;
}
export interface FileBlock extends Base {
  readonly type: "file";
  readonly asset: string;
  readonly title: Texts;
}
export interface EmbedBlock extends Base {
  readonly type: "embed";
  readonly title?: Texts;
  readonly asset: string; // the id of the package
  readonly page?: string; // in an export: its player, beside the course's own page
  readonly course?: Package; // in a bundle: what that player is given
}
export interface OtherBlock extends Base {
  readonly type: "assistant";
  readonly purpose?: Texts;
  readonly title?: Texts;
}

export interface Feedback {
  readonly correct?: Texts;
  readonly incorrect?: Texts;
}
interface QuestionBase {
  readonly id: string;
  readonly prompt: Texts;
  readonly points: number;
  readonly feedback?: Feedback;
}
export interface Choice {
  readonly id: string;
  readonly text: Texts;
  readonly correct: boolean;
  readonly feedback?: Texts;
}
export interface ChoiceQuestion extends QuestionBase {
  readonly kind: "single" | "multiple";
  readonly choices: readonly Choice[];
}
export interface TrueFalseQuestion extends QuestionBase {
  readonly kind: "true_false";
  readonly answer: boolean;
}
export interface NumericQuestion extends QuestionBase {
  readonly kind: "numeric";
  readonly answer: number;
  readonly tolerance: number;
  readonly unit?: Texts;
}
export interface ShortTextQuestion extends QuestionBase {
  readonly kind: "short_text";
  readonly answers: Readonly<Record<string, readonly string[]>>;
  readonly case_sensitive: boolean;
}
export interface MatchingQuestion extends QuestionBase {
  readonly kind: "matching";
  readonly pairs: readonly { readonly id: string; readonly left: Texts; readonly right: Texts }[];
}
export interface OrderingQuestion extends QuestionBase {
  readonly kind: "ordering";
  readonly items: readonly { readonly id: string; readonly text: Texts }[];
}
export type Question =
  | ChoiceQuestion
  | TrueFalseQuestion
  | NumericQuestion
  | ShortTextQuestion
  | MatchingQuestion
  | OrderingQuestion;

export interface QuizBlock extends Base {
  readonly type: "quiz";
  readonly title?: Texts;
  readonly attempts?: number;
  readonly shuffle: boolean;
  readonly seed?: number;
  readonly points: number;
  readonly questions: readonly Question[];
}

export type Block = TextBlock | ImageBlock | TimedBlock | FileBlock | QuizBlock | EmbedBlock | OtherBlock;

export interface Unit {
  readonly id: string;
  readonly title: Texts;
  readonly blocks: readonly Block[];
}

export type Completion =
  | { readonly rule: "all" }
  | { readonly rule: "blocks"; readonly blocks: readonly string[] }
  | { readonly rule: "score"; readonly mastery: number };

export type ReportKind = "passed-incomplete" | "passed-failed" | "completed-incomplete" | "completed-failed";

export interface Sequencing {
  readonly order: "free" | "forced";
  readonly pretest?: { readonly unit: string; readonly skips: readonly string[]; readonly mastery: number };
  readonly posttest?: { readonly unit: string; readonly mastery: number };
}

export interface Course {
  readonly package_id: string;
  readonly version: number;
  readonly metadata: {
    readonly title: Texts;
    readonly description?: Texts;
    readonly language: string;
    readonly languages: readonly { readonly tag: string; readonly direction: "ltr" | "rtl" }[];
    readonly license?: string;
    readonly authors?: readonly { readonly name: string; readonly url?: string }[];
    readonly completion: Completion;
    readonly sequencing?: Sequencing;
    readonly theme?: {
      readonly logo?: string | null;
      readonly logo_alt?: Texts | null;
      readonly colours?: { readonly text: string; readonly background: string; readonly accent?: string | null } | null;
    };
  };
  readonly structure: { readonly units: readonly Unit[] };
  readonly assets: Readonly<Record<string, Asset>>;
  readonly tracking?: {
    readonly report?: ReportKind;
    readonly mastery?: number;
    readonly activity?: string;
    readonly units?: Readonly<Record<string, { readonly report: ReportKind; readonly mastery: number }>>; // tests of their own
    readonly preview?: boolean; // a draft that nobody has published
  };
}

/** A block with its place: `index` counts over the whole course, `unit` is the index of its unit. */
export interface Placed {
  readonly index: number;
  readonly unit: number;
  readonly block: Block;
}

/** All blocks in document order: the order that the saved state counts in. */
export function placed(course: Course): readonly Placed[] {
  return course.structure.units.flatMap((unit, at) => unit.blocks.map((block) => ({ unit: at, block }))).map(
    (each, index) => ({ ...each, index }),
  );
}

/** The text in the language asked for, else in the course's own, else in any, with the tag it has. */
export function pick(texts: Texts | null | undefined, language: string, own: string): { text: string; tag: string } {
  for (const tag of [language, own, ...Object.keys(texts ?? {})]) {
    const text = texts?.[tag];
    if (text !== undefined) return { text, tag };
  }
  return { text: "", tag: own };
}

export const isQuiz = (block: Block): block is QuizBlock => block.type === "quiz";
export const isTimed = (block: Block): block is TimedBlock => block.type === "video" || block.type === "audio";
