// Where a learner stands, and what is told of it. All pure: the course and the state in, a standing out.
// What "done" means is the author's rule (metadata.completion); what a report says of it is the choice made at export.
import { points, type QuizState } from "./answers.ts";
import { type Course, isQuiz, type Placed, placed, type ReportKind } from "./course.ts";

export const DEFAULT_MASTERY = 0.8;

/** All that is saved. `place`: index of the block last read; `seen`: indexes; `quizzes` and `times` by index of the block. */
export interface State {
  readonly place: number;
  readonly seen: ReadonlySet<number>;
  readonly quizzes: ReadonlyMap<number, QuizState>;
  readonly times: ReadonlyMap<number, number>;
}

export const EMPTY: State = { place: 0, seen: new Set(), quizzes: new Map(), times: new Map() };

/** `score`: reached and possible points and their share, null in a course without points. `passed`: null until it is known. */
export interface Standing {
  readonly progress: number; // 0–1: blocks seen
  readonly done: boolean;
  readonly score: { readonly raw: number; readonly max: number; readonly scaled: number } | null;
  readonly passed: boolean | null;
}

/** The part of a course that one launch is about: all of it, or one unit. */
export interface Scope {
  readonly course: Course;
  readonly blocks: readonly Placed[];
  readonly unit: number | null;
  readonly mastery: number; // share of the points that is a pass, 0–1
  readonly report: ReportKind;
}

export function scopeOf(course: Course, unit: string | null): Scope {
  const all = placed(course);
  const told = course.tracking;
  const whole = { mastery: masteryOf(course), report: told?.report ?? "completed-incomplete" } as const;
  if (unit === null) return { course, blocks: all, unit: null, ...whole };
  const at = course.structure.units.findIndex((each) => each.id === unit);
  if (at < 0) throw new Error(`The course has no unit “${unit}”.`);
  return { course, blocks: all.filter((each) => each.unit === at), unit: at, ...(told?.units?.[unit] ?? whole) };
}

export function standing(scope: Scope, state: State, languages: readonly string[]): Standing {
  const { completion } = scope.course.metadata;
  const skipped = skippedUnits(scope, state, languages);
  const needed = neededBlocks(scope).filter((each) => !skipped.has(each.unit));
  const seen = needed.filter((each) => state.seen.has(each.index)).length;
  const quizzes = scope.blocks.filter((each) => isQuiz(each.block) && each.block.points > 0 && (!skipped.has(each.unit) || handedIn(each, state)));
  const submitted = quizzes.every((each) => handedIn(each, state));
  const score = scoreOf(quizzes, state, languages);
  const reached = score !== null && score.scaled >= scope.mastery - 1e-9;
  const done = completion.rule === "score" && quizzes.length ? reached || submitted : seen === needed.length;
  const passed = score === null ? (done ? true : null) : reached ? true : submitted ? false : null;
  return { progress: needed.length ? seen / needed.length : 1, done, score, passed };
}

const handedIn = (each: Placed, state: State): boolean => state.quizzes.get(each.index)?.submitted === true;

function masteryOf(course: Course): number {
  const { completion } = course.metadata;
  return course.tracking?.mastery ?? (completion.rule === "score" ? completion.mastery : DEFAULT_MASTERY);
}

function neededBlocks(scope: Scope): readonly Placed[] {
  const { completion } = scope.course.metadata;
  if (completion.rule !== "blocks") return scope.blocks;
  const named = scope.blocks.filter((each) => completion.blocks.includes(each.block.id));
  return named.length ? named : scope.blocks; // a unit on its own that none of the named blocks is in
}

function scoreOf(quizzes: readonly Placed[], state: State, languages: readonly string[]): Standing["score"] {
  let raw = 0;
  let max = 0;
  for (const { block, index } of quizzes) {
    if (!isQuiz(block)) continue;
    raw += points(block, state.quizzes.get(index), languages);
    max += block.points;
  }
  return max > 0 ? { raw, max, scaled: raw / max } : null;
}

/** What a report kind says: the single status of SCORM 1.2, and the two of SCORM 2004, cmi5 and xAPI. */
export interface Status {
  readonly lesson: "incomplete" | "completed" | "passed" | "failed";
  readonly completion: "incomplete" | "completed";
  readonly success: "unknown" | "passed" | "failed";
}

/**
 * | kind                 | not done                | done, mastery reached   | done, mastery missed     |
 * | passed-incomplete    | incomplete              | passed (completed)      | incomplete               |
 * | passed-failed        | incomplete              | passed (completed)      | failed (completed)       |
 * | completed-incomplete | incomplete              | completed               | completed                |
 * | completed-failed     | incomplete              | completed               | failed (completed)       |
 *
 * In brackets what SCORM 2004 says of completion. Where a course has no points, "mastery reached" is "done".
 */
export function statusOf(kind: ReportKind, at: Standing): Status {
  const told = (lesson: Status["lesson"], completion: Status["completion"], success: Status["success"]): Status => ({ lesson, completion, success });
  const open = told("incomplete", "incomplete", "unknown");
  if (kind === "completed-incomplete") return at.done ? told("completed", "completed", "unknown") : open;
  // One may reach the mastery before the last page is read: passed as soon as both hold.
  if (!at.done || at.passed === null) return open;
  if (at.passed) return kind === "completed-failed" ? told("completed", "completed", "unknown") : told("passed", "completed", "passed");
  return kind === "passed-incomplete" ? open : told("failed", "completed", "failed");
}

/** A unit of a course as the contents show it. `open`: whether the order that the author asked for lets one in. */
export interface UnitStanding {
  readonly seen: number;
  readonly all: number;
  readonly done: boolean;
  readonly open: boolean;
}

/** Every unit. What is skipped after a test before the course counts as done, and may be opened all the same. */
export function units(scope: Scope, state: State, languages: readonly string[]): readonly UnitStanding[] {
  const { structure, metadata } = scope.course;
  const skipped = skippedUnits(scope, state, languages);
  const found = structure.units.map((unit, at) => {
    const blocks = scope.blocks.filter((each) => each.unit === at);
    const seen = blocks.filter((each) => state.seen.has(each.index)).length;
    return { id: unit.id, seen, all: blocks.length, done: allDone(blocks, state) || skipped.has(at) };
  });
  const order = scope.unit === null ? metadata.sequencing : undefined;
  return found.map((unit, at) => {
    const before = order?.posttest?.unit === unit.id ? found.filter((each) => each !== unit) : order?.order === "forced" ? found.slice(0, at) : [];
    return { seen: unit.seen, all: unit.all, done: unit.done, open: before.every((each) => each.done) };
  });
}

/** Whether all blocks were seen and all quizzes handed in. */
export const allDone = (blocks: readonly Placed[], state: State): boolean => blocks.every((each) => state.seen.has(each.index) && (!isQuiz(each.block) || handedIn(each, state)));

function skippedUnits(scope: Scope, state: State, languages: readonly string[]): ReadonlySet<number> {
  const pretest = scope.unit === null ? scope.course.metadata.sequencing?.pretest : undefined;
  if (!pretest) return new Set();
  const { units } = scope.course.structure;
  const at = units.findIndex((each) => each.id === pretest.unit);
  const quizzes = scope.blocks.filter((each) => each.unit === at && isQuiz(each.block));
  const score = quizzes.every((each) => handedIn(each, state)) ? scoreOf(quizzes, state, languages) : null;
  if (score === null || score.scaled < pretest.mastery - 1e-9) return new Set();
  return new Set(units.flatMap((unit, index) => (pretest.skips.includes(unit.id) ? [index] : [])));
}
