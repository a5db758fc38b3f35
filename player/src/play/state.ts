// The saved state as a short text: docs/player-state.md is the specification, content/exports/suspend.py its other side, and
// tests/vectors/state what both must write and read. Nothing here knows where the text is kept.
import type { Answer, QuizState } from "./answers.ts";
import { type Course, isQuiz, isTimed, placed, type Question, type QuizBlock } from "./course.ts";
import type { State } from "./progress.ts";

const SHAPE = "1";
const BITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const MAX_ATTEMPTS = 36 ** 3 - 1;
const MAX_POSITION_S = 36 ** 4 - 1;
const MAX_TEXT_CHARS = 120;

export class StateError extends Error {}

export function encode(course: Course, state: State): string {
  const blocks = placed(course);
  const quizzes = blocks.flatMap(({ block, index }) => (isQuiz(block) ? [encodeQuiz(block, state.quizzes.get(index))] : []));
  const times = blocks.flatMap(({ block, index }) => {
    if (!isTimed(block)) return [];
    const seconds = Math.min(Math.floor(state.times.get(index) ?? 0), MAX_POSITION_S);
    return [seconds > 0 ? seconds.toString(36) : ""];
  });
  const place = Math.min(state.place, Math.max(0, blocks.length - 1)).toString(36);
  return [SHAPE, course.version.toString(36), place, bitmap([...state.seen]), joined("~", quizzes), joined(".", times)].join(";");
}

/**
 * The text where the other side keeps no more than `limit` characters: if need be, long answers are left out, those that are
 * worth nothing first (`keep` says which are worth something). A text that is still too long is returned as it is.
 */
export function encodeWithin(course: Course, state: State, limit: number, keep: (question: Question, answer: Answer) => boolean): string {
  let text = encode(course, state);
  if (text.length <= limit) return text;
  const found = placed(course).flatMap(({ block, index }) => {
    const quiz = isQuiz(block) ? state.quizzes.get(index) : undefined;
    if (!isQuiz(block) || !quiz) return [];
    return block.questions.flatMap((question, at) => {
      const answer = quiz.answers[at] ?? null;
      return answer === null ? [] : [{ index, at, chars: encodeAnswer(question, answer).length, kept: quiz.submitted && keep(question, answer) }];
    });
  });
  const quizzes = new Map(state.quizzes);
  for (const { index, at } of found.sort((a, b) => Number(a.kept) - Number(b.kept) || b.chars - a.chars)) {
    const quiz = quizzes.get(index) as QuizState;
    quizzes.set(index, { ...quiz, answers: quiz.answers.map((answer, other) => (other === at ? null : answer)) });
    text = encode(course, { ...state, quizzes });
    if (text.length <= limit) break;
  }
  return text;
}

/** Throws a StateError for what `encode` would not write for this very version: the learner then begins at the beginning. */
export function decode(course: Course, text: string): State {
  const fields = text.split(";");
  const [shape, version, place, seen, quizzes, times] = fields;
  if (fields.length !== 6 || shape !== SHAPE) throw new StateError("unreadable");
  if (version !== course.version.toString(36)) throw new StateError("of another version");
  const blocks = placed(course);
  const entries = parts("~", quizzes, blocks.filter((each) => isQuiz(each.block)).length);
  const positions = parts(".", times, blocks.filter((each) => isTimed(each.block)).length);
  const state = {
    place: fromBase36(place),
    seen: new Set(fromBitmap(seen, blocks.length)),
    quizzes: new Map<number, QuizState>(),
    times: new Map<number, number>(),
  };
  for (const { block, index } of blocks) {
    if (isQuiz(block)) {
      const entry = entries.shift();
      if (entry) state.quizzes.set(index, decodeQuiz(block, entry));
    } else if (isTimed(block)) {
      const position = positions.shift();
      if (position) state.times.set(index, fromBase36(position));
    }
  }
  if (encode(course, state) !== text) throw new StateError("unreadable");
  return state;
}

function encodeQuiz(quiz: QuizBlock, state: QuizState | undefined): string {
  if (!state) return "";
  const attempts = Math.min(Math.max(1, state.attempts), quiz.attempts ?? MAX_ATTEMPTS).toString(36);
  const answers = quiz.questions.map((question, index) => `.${encodeAnswer(question, state.answers[index] ?? null)}`);
  return attempts + answers.join("") + (state.submitted ? "!" : "");
}

function decodeQuiz(quiz: QuizBlock, text: string): QuizState {
  const [attempts, ...answers] = text.replace(/!$/, "").split(".");
  if (answers.length !== quiz.questions.length) throw new StateError("unreadable");
  return {
    attempts: fromBase36(attempts),
    submitted: text.endsWith("!"),
    answers: quiz.questions.map((question, index) => decodeAnswer(question, answers[index] ?? "")),
  };
}

function encodeAnswer(question: Question, answer: Answer | null): string {
  if (answer === null) return "";
  switch (question.kind) {
    case "single":
      return Number(answer).toString(36);
    case "multiple":
      return bitmap(answer as readonly number[]);
    case "true_false":
      return answer ? "1" : "0";
    case "numeric":
      return Number.isFinite(answer) ? String(Number(answer)).replace(".", "d") : "";
    case "short_text":
      return encodeText(String(answer));
    default:
      return encodePlaces(count(question), answer as readonly (number | null)[]);
  }
}

function decodeAnswer(question: Question, text: string): Answer | null {
  if (text === "") return null;
  switch (question.kind) {
    case "single":
      return below(fromBase36(text), question.choices.length);
    case "multiple": {
      const chosen = fromBitmap(text, question.choices.length);
      return chosen.length ? chosen : null;
    }
    case "true_false":
      return text === "1";
    case "numeric":
      if (!/^-?[0-9]+(d[0-9]+)?(e[+-][0-9]+)?$/.test(text)) throw new StateError("unreadable");
      return Number(text.replace("d", "."));
    case "short_text":
      if (!/^(?:[A-Za-z0-9_-]|%[0-9A-F]{2})+$/.test(text)) throw new StateError("unreadable");
      return decodeText(text);
    default:
      return decodePlaces(count(question), text, question.kind === "ordering");
  }
}

function encodeText(answer: string): string {
  let text = "";
  // Half a surrogate pair becomes U+FFFD in the encoder, as it does on the other side.
  for (const character of answer) {
    const bytes = new TextEncoder().encode(character);
    const escaped = [...bytes].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
    const piece = /^[A-Za-z0-9_-]$/.test(character) ? character : escaped;
    if (text.length + piece.length > MAX_TEXT_CHARS) break;
    text += piece;
  }
  return text;
}

function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new StateError("unreadable");
  }
}

const width = (length: number): number => (length <= 36 ? 1 : 2);
const count = (question: Question): number => (question.kind === "matching" ? question.pairs.length : question.kind === "ordering" ? question.items.length : 0);

function encodePlaces(length: number, places: readonly (number | null)[]): string {
  if (places.every((each) => each === null)) return "";
  const size = width(length);
  return places.map((each) => (each === null ? "-".repeat(size) : each.toString(36).padStart(size, "0"))).join("");
}

function decodePlaces(length: number, text: string, once: boolean): (number | null)[] {
  const size = width(length);
  const pieces = text.match(new RegExp(`.{${size}}`, "g")) ?? [];
  if (pieces.length !== length) throw new StateError("unreadable");
  const places = pieces.map((piece) => (piece === "-".repeat(size) ? null : below(fromBase36(piece), length)));
  if (once && (places.includes(null) || new Set(places).size !== length)) throw new StateError("unreadable");
  return places;
}

function bitmap(indexes: readonly number[]): string {
  const sextets = new Array<number>(indexes.length ? Math.floor(Math.max(...indexes) / 6) + 1 : 0).fill(0);
  for (const index of indexes) sextets[Math.floor(index / 6)] = (sextets[Math.floor(index / 6)] ?? 0) | (32 >> index % 6);
  return sextets.map((each) => BITS[each]).join("");
}

function fromBitmap(text: string | undefined, length: number): number[] {
  const found: number[] = [];
  for (const [at, character] of [...(text ?? "")].entries()) {
    const sextet = BITS.indexOf(character);
    if (sextet < 0) throw new StateError("unreadable");
    for (let bit = 0; bit < 6; bit++) if (sextet & (32 >> bit)) found.push(below(at * 6 + bit, length));
  }
  return found;
}

function below(index: number, length: number): number {
  if (index >= length) throw new StateError("unreadable");
  return index;
}

function fromBase36(text: string | undefined): number {
  if (!text || !/^[0-9a-z]+$/.test(text)) throw new StateError("unreadable");
  return Number.parseInt(text, 36);
}

function joined(separator: string, entries: readonly string[]): string {
  let last = entries.length;
  while (last > 0 && !entries[last - 1]) last--;
  return entries.slice(0, last).join(separator);
}

function parts(separator: string, text: string | undefined, length: number): string[] {
  const found = text ? text.split(separator) : [];
  if (found.length > length) throw new StateError("unreadable");
  return [...found, ...new Array<string>(length - found.length).fill("")];
}
