// What is kept of a learner in an imported package: for each item the data model as its content left it, and for a package with
// sequencing the state of that. One JSON text, so that whoever keeps it need not understand it. It comes back from a browser's
// storage, which content of the same origin can write to: what does not have this shape is taken for nothing.
import { type Place } from "./course.ts";

export type Status = "new" | "begun" | "failed" | "done" | "passed";
const ORDER: readonly Status[] = ["new", "begun", "failed", "done", "passed"];

export interface Kept {
  /** Element of the data model to its value, as `cmi.core.lesson_status`. */
  readonly cmi: Readonly<Record<string, string>>;
  /** Time of all sessions, as the data model writes it. */
  readonly total: string;
  /** What the content said on leaving; null while it is open, and so after a crash. */
  readonly exit: string | null;
  /** The best of all attempts. */
  readonly status: Status;
  /** From 0 to 1; null where there is none. */
  readonly score: number | null;
}

export interface Remembered {
  readonly shape: 1;
  readonly version: number; // of the package
  readonly revision: number; // grows with each change
  readonly here: string | null; // the item that was open last
  readonly items: Readonly<{ [item: string]: Kept }>;
  readonly sequencing: string | null;
}

/** What an embedder is told. */
export interface Standing {
  readonly completed: boolean;
  readonly passed: boolean | null;
  readonly score: number | null;
  readonly done: number;
  readonly all: number;
}

export const MOST_CHARACTERS = 8 << 20;
export const empty = (version: number): Remembered => ({ shape: 1, version, revision: 0, here: null, items: {}, sequencing: null });
export const better = (one: Status, other: Status): Status => (ORDER.indexOf(one) >= ORDER.indexOf(other) ? one : other);

/** Of content that was opened and had nothing to tell. */
export const NOTHING: Kept = { cmi: {}, total: "", exit: "", status: "done", score: null };

/** With what is known of one item now; the best that was ever reached stays. */
export function withItem(record: Remembered, id: string, kept: Kept): Remembered {
  const before = record.items[id];
  const score = before?.score != null && (kept.score === null || before.score > kept.score) ? before.score : kept.score;
  return { ...record, items: { ...record.items, [id]: { ...kept, score, status: before ? better(before.status, kept.status) : kept.status } } };
}

/** The record in a text. Of another version of the package the items that are still there go on, without its sequencing. */
export function parse(text: string | null, version: number): Remembered | null {
  if (!text || text.length > MOST_CHARACTERS) return null;
  try {
    const found = JSON.parse(text) as Remembered;
    const known = found.shape === 1 && Number.isSafeInteger(found.revision) && (found.here === null || typeof found.here === "string");
    if (!known || typeof found.items !== "object" || !Object.values(found.items).every(isKept)) return null;
    if (found.sequencing !== null && typeof found.sequencing !== "string") return null;
    return found.version === version ? found : { ...found, version, sequencing: null };
  } catch {
    return null;
  }
}

function isKept(kept: Kept): boolean {
  const texts = typeof kept.cmi === "object" && Object.values(kept.cmi).every((each) => typeof each === "string");
  return texts && typeof kept.total === "string" && (kept.exit === null || typeof kept.exit === "string") && ORDER.includes(kept.status) && (kept.score === null || Number.isFinite(kept.score));
}

/** The later of two records: the one of this browser may be ahead of what an embedder heard before the page was closed. */
export const later = (one: Remembered | null, other: Remembered | null): Remembered | null => (!one || (other && other.revision > one.revision) ? other : one);

/** Over all items that can be opened. Failing is an end too; it is passed when nothing that has an outcome was failed. */
export function standingOf(places: readonly Place[], record: Remembered): Standing {
  const found = places.filter((each) => each.launch).map((each) => record.items[each.item.identifier]);
  const ended = found.filter((each) => each && ["failed", "done", "passed"].includes(each.status));
  const scores = found.flatMap((each) => (each && each.score !== null ? [each.score] : []));
  const outcomes = ended.map((each) => each?.status);
  return {
    completed: ended.length === found.length,
    passed: outcomes.includes("failed") ? false : outcomes.includes("passed") ? true : null,
    score: scores.length ? scores.reduce((sum, each) => sum + each, 0) / scores.length : null,
    done: ended.length,
    all: found.length,
  };
}
