// One field for each kind of question, of the browser's own controls: all of them work by keyboard and are read out.
// A field gives its answer in the document's indexes, whatever order it shows.
import { type Answer, mixed, readNumber, seedOf, shuffled } from "../answers.ts";
import type { ChoiceQuestion, MatchingQuestion, NumericQuestion, OrderingQuestion, Question, QuizBlock, ShortTextQuestion, Texts } from "../course.ts";
import { type Context, marked, spoken, textOf } from "./context.ts";
import { h } from "./dom.ts";

export interface Field {
  readonly element: HTMLElement;
  /** The answer as it stands; null while there is none. */
  read(): Answer | null;
  /** Nothing can be changed any more. */
  close(): void;
  /** What is wrong with what was typed, said beside it; "" if nothing is. */
  problem?(): string;
}

interface Given {
  readonly context: Context;
  readonly quiz: QuizBlock;
  readonly at: number; // index of the question
  readonly name: string; // unique on the page
  readonly label: string; // ids of what names it
  readonly answer: Answer | null;
}

export function fieldOf(question: Question, given: Given): Field {
  switch (question.kind) {
    case "single":
    case "multiple":
      return choices(question, given);
    case "true_false":
      return trueFalse(given);
    case "numeric":
      return numeric(question, given);
    case "short_text":
      return shortText(question, given);
    case "matching":
      return matching(question, given);
    case "ordering":
      return ordering(question, given);
  }
}

const closing = (element: HTMLElement) => (): void => {
  for (const control of element.querySelectorAll<HTMLInputElement>("input, select, button")) control.disabled = true;
};

function choices(question: ChoiceQuestion, given: Given): Field {
  const { context, quiz, at, name, answer } = given;
  const type = question.kind === "single" ? "radio" : "checkbox";
  const chosen = Array.isArray(answer) ? answer : [answer];
  const inputs = new Map<number, HTMLInputElement>();
  const element = h("div", { class: "choices" });
  if (type === "checkbox") element.append(h("p", { class: "hint" }, context.words.say("quiz.multiple")));
  for (const index of shuffled(question.choices.length, seedOf(quiz, at))) {
    const choice = question.choices[index] as ChoiceQuestion["choices"][number];
    const input = h("input", { type, name, value: index, checked: chosen.includes(index) });
    inputs.set(index, input);
    element.append(h("label", {}, input, spoken(context, choice.text)));
  }
  const read = (): Answer | null => {
    const marked = [...inputs].filter(([, input]) => input.checked).map(([index]) => index).sort((a, b) => a - b);
    return type === "radio" ? (marked[0] ?? null) : marked.length ? marked : null;
  };
  return { element, read, close: closing(element) };
}

function trueFalse({ context, name, answer }: Given): Field {
  const element = h("div", { class: "choices" });
  const inputs = ([true, false] as const).map((value) => {
    const input = h("input", { type: "radio", name, value: String(value), checked: answer === value });
    element.append(h("label", {}, input, h("span", {}, context.words.say(value ? "quiz.true" : "quiz.false"))));
    return { value, input };
  });
  return { element, read: () => inputs.find((each) => each.input.checked)?.value ?? null, close: closing(element) };
}

function numeric(question: NumericQuestion, { context, name, answer, label }: Given): Field {
  const { words } = context;
  const id = `${name}-wrong`;
  const input = h("input", { type: "text", inputmode: "decimal", id: name, autocomplete: "off", maxlength: 40, "aria-labelledby": `${label} ${name}-label`, "aria-describedby": id, value: typeof answer === "number" ? written(answer, words.tag) : "" });
  const wrong = h("span", { id, class: "wrong" });
  const unit = question.unit ? h("span", { class: "unit" }, spoken(context, question.unit)) : null;
  const element = h("p", { class: "typed" }, h("label", { for: name, id: `${name}-label` }, words.say("quiz.number")), " ", input, " ", unit, wrong);
  // What was restored is not read back from its rounded form.
  const restored = input.value;
  const read = (): Answer | null => (input.value === restored && typeof answer === "number" ? answer : readNumber(input.value));
  const problem = (): string => {
    const bad = input.value.trim() !== "" && read() === null;
    wrong.textContent = bad ? words.say("quiz.number.bad") : "";
    input.toggleAttribute("aria-invalid", bad);
    return wrong.textContent;
  };
  return { element, read, problem, close: closing(element) };
}

/** As one would type it: without groups, which would be read back as a decimal mark, and with every digit. */
const written = (value: number, tag: string): string => new Intl.NumberFormat(tag, { useGrouping: false, maximumFractionDigits: 20 }).format(value);

function shortText(_question: ShortTextQuestion, { context, name, answer, label }: Given): Field {
  const input = h("input", { type: "text", id: name, autocomplete: "off", maxlength: 120, dir: "auto", "aria-labelledby": `${label} ${name}-label`, value: typeof answer === "string" ? answer : "" });
  const element = h("p", { class: "typed" }, h("label", { for: name, id: `${name}-label` }, context.words.say("quiz.answer")), " ", input);
  return { element, read: () => input.value.trim() || null, close: closing(element) };
}

function matching(question: MatchingQuestion, given: Given): Field {
  const { context, quiz, at, name, answer } = given;
  const places = Array.isArray(answer) ? answer : [];
  const shown = mixed(question.pairs.length, (quiz.seed ?? 0) + at + 1);
  const selects = question.pairs.map((pair, index) => {
    const select = h("select", { id: `${name}-${index}` }, h("option", { value: "" }, context.words.say("quiz.choose")));
    for (const right of shown) {
      const texts = question.pairs[right]?.right;
      select.append(h("option", { value: right, selected: places[index] === right, ...marked(context, texts) }, textOf(context, texts)));
    }
    return { select, row: h("p", { class: "pair" }, h("label", { for: `${name}-${index}` }, spoken(context, pair.left)), " ", select) };
  });
  const element = h("div", { class: "pairs" }, ...selects.map((each) => each.row));
  const read = (): Answer | null => {
    const values = selects.map(({ select }) => (select.value === "" ? null : Number(select.value)));
    return values.every((each) => each === null) ? null : values;
  };
  return { element, read, close: closing(element) };
}

function ordering(question: OrderingQuestion, given: Given): Field {
  const { context, quiz, at, answer } = given;
  const { words } = context;
  let order = Array.isArray(answer) ? (answer as number[]).slice() : [...mixed(question.items.length, (quiz.seed ?? 0) + at + 1)];
  let touched = answer !== null;
  const said = h("p", { class: "hidden", role: "status" });
  const list = h("ol", { class: "sorted" });
  const title = (item: number): string => textOf(context, question.items[item]?.text as Texts);
  const draw = (): void => {
    list.replaceChildren(...order.map((item, place) => {
      const move = (by: number, key: "quiz.up" | "quiz.down"): HTMLElement => {
        const button = h("button", { type: "button", "aria-label": words.say(key, { item: title(item) }), disabled: place + by < 0 || place + by >= order.length }, by < 0 ? "↑" : "↓");
        button.addEventListener("click", () => shift(place, by, key));
        return button;
      };
      return h("li", {}, spoken(context, question.items[item]?.text), h("span", { class: "moves" }, move(-1, "quiz.up"), move(1, "quiz.down")));
    }));
  };
  const shift = (place: number, by: number, key: "quiz.up" | "quiz.down"): void => {
    const moved = order[place] as number;
    order = order.filter((_, index) => index !== place);
    order.splice(place + by, 0, moved);
    touched = true;
    draw();
    said.textContent = words.say("quiz.moved", { item: title(moved), number: place + by + 1, all: order.length });
    const buttons = [...(list.children[place + by]?.querySelectorAll("button") ?? [])];
    (buttons[key === "quiz.up" ? 0 : 1]?.disabled ? buttons.find((each) => !each.disabled) : buttons[key === "quiz.up" ? 0 : 1])?.focus();
    list.dispatchEvent(new Event("change", { bubbles: true }));
  };
  draw();
  const element = h("div", {}, h("p", { class: "hint" }, words.say("quiz.order")), list, said);
  // Leaving the order as it is shown is an answer too, once the quiz is submitted.
  return { element, read: () => (touched ? [...order] : null), close: closing(element), problem: () => ((touched = true), "") };
}
