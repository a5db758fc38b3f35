// What the player of a package and the page around it say to each other. They are of different origins, and what is played was
// made by strangers: the page around takes messages of its own frame alone, and believes none of what they hold; the player takes
// messages of its parent alone. After the greeting everything goes through one port that nobody else has.
import type { Package } from "./course.ts";
import type { Standing } from "./record.ts";

export const GREETING = "content-imported/1";
/** What a frame with content of others may: a bound that holds where the frame is of another origin. */
export const RIGHTS = "allow-scripts allow-same-origin allow-forms allow-popups allow-modals allow-downloads allow-pointer-lock";

/** From the player, to whoever is around it: it is there. It holds nothing that another one might not hear. */
export interface Hello {
  readonly type: typeof GREETING;
}

/** The answer, with a port. `course`: where the player has none of its own. `record`: what was kept of this learner, as it came. */
export interface Welcome {
  readonly type: typeof GREETING;
  readonly learner: { readonly id: string; readonly name: string };
  /** Where in the page around it is played: what is kept of it is of this place alone. */
  readonly place: string;
  /** Whether the page around keeps records; else this browser does. */
  readonly keeps: boolean;
  readonly record: string | null;
  readonly course?: Package;
  readonly language: string;
}

export type FromPlayer =
  | { readonly type: "save"; readonly revision: number; readonly record: string }
  | { readonly type: "standing"; readonly standing: Standing }
  | { readonly type: "file"; readonly path: string; readonly range: string | null }; // with a port for the answer

export type ToPlayer = { readonly type: "kept"; readonly revision: number } | { readonly type: "not-kept"; readonly revision: number };

// -- one file, over a port of its own: a head, then a block for each pull ---------------------------------------------------------

export type FileAnswer =
  | { readonly type: "head"; readonly media_type: string; readonly size: number; readonly from: number; readonly to: number; readonly partial: boolean }
  | { readonly type: "block"; readonly bytes: ArrayBuffer }
  | { readonly type: "end" }
  | { readonly type: "none"; readonly status: 404 | 416 | 500; readonly size: number };

export type FileAsk = { readonly type: "pull" } | { readonly type: "cancel" };

/** The range of a request as numbers, the last one included; null where it asks for all of it, "bad" where there is none such. */
export function rangeOf(header: string | null, size: number): { from: number; to: number } | null | "bad" {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!found || (!found[1] && !found[2])) return null;
  const from = found[1] ? Number(found[1]) : Math.max(0, size - Number(found[2]));
  const to = found[1] && found[2] ? Math.min(Number(found[2]), size - 1) : size - 1;
  return from >= size || from > to ? "bad" : { from, to };
}
