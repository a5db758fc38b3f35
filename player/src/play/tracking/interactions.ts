// Answers as the data models write them: SCORM 1.2 (3.4.4), SCORM 2004 (RTE 4.2.9) and cmi5/xAPI (xAPI data 2.4.4.1 share the
// latter's patterns). The author's ids are the identifiers: stable over versions, and of characters that all of them allow.
import type { Answered } from "../tracking.ts";

export type Dialect = "1.2" | "2004";

export const TYPES = { single: "choice", multiple: "choice", true_false: "true-false", numeric: "numeric", short_text: "fill-in", matching: "matching", ordering: "sequencing" } as const;

export const identifier = ({ quiz, question }: Answered): string => `${quiz.id}.${question.id}`;

const separators = { "1.2": [",", "."], "2004": ["[,]", "[.]"] } as const;

/** What the learner answered. */
export function response(answered: Answered, dialect: Dialect): string {
  const { question, answer } = answered;
  const [comma, dot] = separators[dialect];
  const named = (ids: readonly (string | undefined)[]): string => ids.map((each) => id(each ?? "", dialect)).join(comma);
  switch (question.kind) {
    case "single":
      return named([question.choices[answer as number]?.id]);
    case "multiple":
      return named((answer as readonly number[]).map((each) => question.choices[each]?.id));
    case "true_false":
      return truth(answer as boolean, dialect);
    case "numeric":
      return String(answer);
    case "short_text":
      return String(answer).slice(0, dialect === "1.2" ? 255 : 250);
    case "matching":
      return question.pairs.map((pair, at) => id(pair.id, dialect) + dot + id(question.pairs[(answer as readonly number[])[at] ?? -1]?.id ?? "", dialect)).join(comma);
    case "ordering":
      return named((answer as readonly number[]).map((each) => question.items[each]?.id));
  }
}

/** What would have been right. */
export function pattern({ question }: Answered, dialect: Dialect, language: string): string {
  const [comma, dot] = separators[dialect];
  const named = (ids: readonly string[]): string => ids.map((each) => id(each, dialect)).join(comma);
  switch (question.kind) {
    case "single":
    case "multiple":
      return named(question.choices.filter((each) => each.correct).map((each) => each.id));
    case "true_false":
      return truth(question.answer, dialect);
    case "numeric": {
      // Twelve digits: 0.2 - 0.05 is 0.15 to whoever wrote it.
      const [low, high] = [question.answer - question.tolerance, question.answer + question.tolerance].map((each) => Number(each.toPrecision(12)));
      return dialect === "2004" ? `${low}[:]${high}` : String(question.answer);
    }
    case "short_text":
      return ((question.answers[language] ?? Object.values(question.answers)[0])?.[0] ?? "").slice(0, 250);
    case "matching":
      return question.pairs.map((pair) => id(pair.id, dialect) + dot + id(pair.id, dialect)).join(comma);
    case "ordering":
      return named(question.items.map((each) => each.id));
  }
}

/** SCORM 1.2 knows one character of an id here, a letter or digit; run-times in use take whole ones, but no separators. */
const id = (text: string, dialect: Dialect): string => (dialect === "1.2" ? text.replace(/[.,]/g, "_") : text);

const truth = (value: boolean, dialect: Dialect): string => (dialect === "1.2" ? (value ? "t" : "f") : String(value));

/** HHHH:MM:SS.SS */
export function timespan(seconds: number): string {
  const hundredths = Math.max(0, Math.round(seconds * 100));
  const [hours, rest] = [Math.floor(hundredths / 360_000), hundredths % 360_000];
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${String(hours).padStart(4, "0")}:${two(Math.floor(rest / 6000))}:${two(Math.floor((rest % 6000) / 100))}.${two(rest % 100)}`;
}

/** ISO 8601, to hundredths of a second. */
export const duration = (seconds: number): string => `PT${Math.max(0, Math.round(seconds * 100)) / 100}S`;
