// A quiz: its questions, checking them here and now, and trying again. The best attempt counts, and only it is kept; the answers
// of a first attempt are kept while it is under way, those of a later one once they are checked.
import { type Answer, isRight, points, type QuizState } from "../answers.ts";
import type { Question, QuizBlock } from "../course.ts";
import { type Context, rich, spoken, textOf } from "./context.ts";
import { h } from "./dom.ts";
import { type Field, fieldOf } from "./questions.ts";

export function quizBlock(context: Context, quiz: QuizBlock, index: number): HTMLElement {
  const heading = h("h2", {}, quiz.title ? spoken(context, quiz.title) : context.words.say("quiz"));
  const section = h("section", { class: "questions", "aria-label": quiz.title ? textOf(context, quiz.title) : context.words.say("quiz") }, heading);
  const body = h("div");
  section.append(body);
  const known = context.doings.quiz(index);
  if (known?.submitted) showResult(context, quiz, index, body, known.answers, false);
  else ask(context, quiz, index, body, known?.answers ?? []);
  return section;
}

interface Asked {
  readonly question: Question;
  readonly field: Field;
  readonly group: HTMLElement;
}

function draw(context: Context, quiz: QuizBlock, answers: readonly (Answer | null)[]): readonly Asked[] {
  const { words } = context;
  return quiz.questions.map((question, at) => {
    const name = `q-${quiz.id}-${question.id}`;
    const labels = `${name}-number ${name}-prompt`;
    const worth = question.points === 1 ? words.say("quiz.point") : words.say("quiz.points", { points: question.points });
    const field = fieldOf(question, { context, quiz, at, name, label: `${name}-prompt`, answer: answers[at] ?? null });
    const group = h("div", { class: "question", role: question.kind === "single" || question.kind === "true_false" ? "radiogroup" : "group", "aria-labelledby": labels },
      h("p", { class: "number", id: `${name}-number` }, words.say("quiz.question", { number: at + 1, all: quiz.questions.length }), h("small", {}, ` · ${worth}`)),
      rich(context, question.prompt, { class: "prompt", id: `${name}-prompt` }),
      field.element);
    return { question, field, group };
  });
}

function ask(context: Context, quiz: QuizBlock, index: number, body: HTMLElement, answers: readonly (Answer | null)[]): void {
  const { words, doings } = context;
  const attempts = Math.max(1, doings.quiz(index)?.attempts ?? 1);
  const first = !doings.quiz(index)?.submitted;
  const asked = draw(context, quiz, answers);
  const missing = h("p", { class: "wrong", role: "alert" });
  const began = Date.now();
  const form = h("form", { novalidate: true }, ...asked.map((each) => each.group), missing, h("p", {}, h("button", { type: "submit", class: "main" }, words.say("quiz.submit")), " ", h("small", {}, left(context, quiz, attempts))));
  form.addEventListener("change", () => {
    if (first) doings.answering(index, { attempts, submitted: false, answers: asked.map(({ field }) => field.read()) });
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const problems = asked.map(({ field }) => field.problem?.() ?? "");
    const given = asked.map(({ field }) => field.read());
    const open = given.flatMap((answer, at) => (answer === null || problems[at] || gaps(answer) ? [at] : []));
    if (open.length) {
      missing.textContent = words.say("quiz.missing", { numbers: open.map((at) => words.number(at + 1)).join(", ") });
      asked[open[0] as number]?.group.querySelector<HTMLElement>("input, select, button:not([disabled])")?.focus();
      return;
    }
    doings.submitted(index, quiz, given, (Date.now() - began) / 1000);
    showResult(context, quiz, index, body, given, true);
  });
  body.replaceChildren(form);
}

const gaps = (answer: Answer): boolean => Array.isArray(answer) && answer.includes(null);

function showResult(context: Context, quiz: QuizBlock, index: number, body: HTMLElement, answers: readonly (Answer | null)[], fresh: boolean): void {
  const { words, languages, doings } = context;
  const state: QuizState = { attempts: doings.quiz(index)?.attempts ?? 1, submitted: true, answers };
  const reached = points(quiz, state, languages);
  const asked = draw(context, quiz, answers);
  for (const [at, { question, field, group }] of asked.entries()) {
    field.close();
    group.append(verdict(context, question, answers[at] ?? null));
  }
  const result = h("p", { class: "result", tabindex: -1 }, words.say("quiz.result", { raw: reached, max: quiz.points }));
  const perfect = reached >= quiz.points;
  const spent = quiz.attempts !== undefined && state.attempts >= quiz.attempts;
  const again = h("button", { type: "button" }, words.say("quiz.again"));
  again.addEventListener("click", () => {
    doings.answering(index, { ...(doings.quiz(index) ?? state), attempts: state.attempts + 1 });
    ask(context, quiz, index, body, []);
    body.querySelector<HTMLElement>("input, select, button:not([disabled])")?.focus();
  });
  body.replaceChildren(result, ...asked.map((each) => each.group), h("p", {}, perfect ? null : spent ? words.say("quiz.none.left") : again, " ", perfect || spent ? null : h("small", {}, left(context, quiz, state.attempts + 1))));
  if (fresh) result.focus();
}

function verdict(context: Context, question: Question, answer: Answer | null): HTMLElement {
  const right = isRight(question, answer, context.languages);
  const lines = [h("p", { class: right ? "right" : "wrong" }, h("span", { "aria-hidden": "true" }, right ? "✓ " : "✗ "), context.words.say(right ? "quiz.right" : "quiz.wrong"))];
  const told = right ? question.feedback?.correct : question.feedback?.incorrect;
  if (told) lines.push(h("p", {}, spoken(context, told)));
  if (question.kind === "single" || question.kind === "multiple") {
    for (const chosen of Array.isArray(answer) ? answer : [answer]) {
      const choice = typeof chosen === "number" ? question.choices[chosen] : undefined;
      if (choice?.feedback) lines.push(h("p", {}, spoken(context, choice.text), ": ", spoken(context, choice.feedback)));
    }
  }
  return h("div", { class: "verdict" }, ...lines);
}

function left(context: Context, quiz: QuizBlock, attempt: number): string {
  if (quiz.attempts === undefined) return "";
  const more = quiz.attempts - attempt + 1;
  return more === 1 ? context.words.say("quiz.left.one") : context.words.say("quiz.left", { left: more });
}
