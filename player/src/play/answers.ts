// What a learner answered, and what it is worth. Scored here, offline; the rules are the draft's (content/drafts/quiz.py).
// Shuffling follows the stored seed: the same learner, and every learner, sees the same order again.
import type { Question, QuizBlock } from "./course.ts";

/**
 * single: index of the choice; multiple: indexes of choices, ascending; true_false: the value; numeric: the number;
 * short_text: the text; matching: for each left side the index of the right side given to it, null for a gap; ordering: the
 * indexes of the items in the order they were brought into. Indexes are those of the document, never of what is shown.
 */
export type Answer = number | boolean | string | readonly (number | null)[];

/** One quiz: attempts begun (1 and more), whether the last one is submitted, its answers by question (null: unanswered). */
export interface QuizState {
  readonly attempts: number;
  readonly submitted: boolean;
  readonly answers: readonly (Answer | null)[];
}

/** Whether the answer is right. Nothing is half right. */
export function isRight(question: Question, answer: Answer | null | undefined, languages: readonly string[]): boolean {
  if (answer === null || answer === undefined) return false;
  switch (question.kind) {
    case "single":
      return typeof answer === "number" && question.choices[answer]?.correct === true;
    case "multiple":
      return Array.isArray(answer) && question.choices.every((choice, index) => choice.correct === answer.includes(index));
    case "true_false":
      return answer === question.answer;
    case "numeric": {
      // A hair beyond the tolerance: 0.3 - 0.1 is not 0.2 in binary, and no learner knows why.
      const slack = question.tolerance + 1e-9 * Math.max(1, Math.abs(question.answer));
      return typeof answer === "number" && Math.abs(answer - question.answer) <= slack;
    }
    case "short_text": {
      const given = typeof answer === "string" ? normal(answer, question.case_sensitive) : "";
      const accepted = languages.flatMap((tag) => question.answers[tag] ?? []);
      const all = accepted.length ? accepted : Object.values(question.answers).flat();
      return given !== "" && all.some((each) => normal(each, question.case_sensitive) === given);
    }
    default: {
      const length = question.kind === "matching" ? question.pairs.length : question.items.length;
      return Array.isArray(answer) && answer.length === length && answer.every((place, index) => place === index);
    }
  }
}

/** Points reached in the last submitted attempt, unrounded. */
export function points(quiz: QuizBlock, state: QuizState | undefined, languages: readonly string[]): number {
  if (!state?.submitted) return 0;
  return quiz.questions.reduce(
    (sum, question, index) => sum + (isRight(question, state.answers[index], languages) ? question.points : 0),
    0,
  );
}

/** A number as people write it: comma or point, Arabic-Indic or Latin digits, spaces; null if it is none. */
export function readNumber(text: string): number | null {
  const latin = text
    .trim()
    .replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x660))
    .replace(/[۰-۹]/g, (digit) => String(digit.charCodeAt(0) - 0x6f0))
    .replace(/[٫,]/g, ".")
    .replace(/[−–]/g, "-")
    .replace(/[\s٬]/g, "");
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(latin) ? Number(latin) : null;
}

/** Words without what nobody means by them: spaces around and between, the form of accents, a last full stop. */
function normal(text: string, caseSensitive: boolean): string {
  const same = text.normalize("NFC").trim().replace(/\s+/g, " ").replace(/[.。]$/, "");
  return caseSensitive ? same : same.toLowerCase();
}

/** Indexes 0 … length-1 in the order to show: as they are, or by the seed (mulberry32, Fisher and Yates from the end). */
export function shuffled(length: number, seed: number | undefined): readonly number[] {
  const order = Array.from({ length }, (_, index) => index);
  if (seed === undefined) return order;
  let state = seed >>> 0;
  for (let last = length - 1; last > 0; last--) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    const other = Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * (last + 1));
    [order[last], order[other]] = [order[other] as number, order[last] as number];
  }
  return order;
}

/** The seed of one question's choices: its own, so that two questions of a quiz are not shuffled alike. */
export function seedOf(quiz: QuizBlock, question: number): number | undefined {
  return quiz.seed === undefined || !quiz.shuffle ? undefined : (quiz.seed + Math.imul(question + 1, 0x9e3779b1)) >>> 0;
}

/** The order in which to show items that must be sorted (or right sides): never the solution itself. */
export function mixed(length: number, seed: number): readonly number[] {
  const order = [...shuffled(length, seed)];
  if (order.every((item, index) => item === index)) order.push(order.shift() as number);
  return order;
}
