// A small course with everything in it, for tests: two languages, all blocks, all seven kinds of question.
import type { Course, Question } from "../../src/play/course.ts";

const en = (text: string, ar?: string): Record<string, string> => ({ en: text, ...(ar ? { ar } : {}) });

export const QUESTIONS: readonly Question[] = [
  { kind: "single", id: "s", prompt: en("<p>One?</p>"), points: 1, choices: [{ id: "a", text: en("A"), correct: false }, { id: "b", text: en("B"), correct: true }] },
  { kind: "multiple", id: "m", prompt: en("<p>Many?</p>"), points: 2, choices: [{ id: "a", text: en("A"), correct: true }, { id: "b", text: en("B"), correct: false }, { id: "c", text: en("C"), correct: true }] },
  { kind: "true_false", id: "t", prompt: en("<p>So?</p>"), points: 1, answer: false },
  { kind: "numeric", id: "n", prompt: en("<p>How much?</p>"), points: 1, answer: 0.2, tolerance: 0.05 },
  { kind: "short_text", id: "w", prompt: en("<p>Who?</p>"), points: 1, answers: { en: ["Ibn al-Haytham", "Alhazen"], ar: ["ابن الهيثم"] }, case_sensitive: false },
  { kind: "matching", id: "p", prompt: en("<p>Which?</p>"), points: 2, pairs: [{ id: "x", left: en("X"), right: en("1") }, { id: "y", left: en("Y"), right: en("2") }] },
  { kind: "ordering", id: "o", prompt: en("<p>In order?</p>"), points: 2, items: [{ id: "i", text: en("I") }, { id: "j", text: en("J") }, { id: "k", text: en("K") }] },
];
export const RIGHT = [1, [0, 2], false, 0.2, "alhazen", [0, 1], [0, 1, 2]] as const;

export function course(changes: Partial<Course["metadata"]> = {}, tracking: Course["tracking"] = {}): Course {
  return {
    package_id: "pkg_test",
    version: 3,
    metadata: { title: en("Test", "اختبار"), language: "en", languages: [{ tag: "en", direction: "ltr" }, { tag: "ar", direction: "rtl" }], completion: { rule: "all" }, ...changes },
    structure: {
      units: [
        { id: "u1", title: en("One", "واحد"), blocks: [{ type: "text", id: "t1", html: en("<p>Hello</p>", "<p>مرحبا</p>") }, { type: "text", id: "t2", html: en("<p>World</p>") }] },
        { id: "u2", title: en("Two"), blocks: [{ type: "quiz", id: "q1", shuffle: true, seed: 7, points: 10, attempts: 2, questions: QUESTIONS }] },
        { id: "u3", title: en("Three"), blocks: [{ type: "text", id: "t3", html: en("<p>End</p>") }] },
      ],
    },
    assets: {},
    tracking,
  };
}
