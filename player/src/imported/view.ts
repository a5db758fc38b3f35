// What the player of a package shows around its content: a title, the contents with how far one is, ways on, and whether it is kept.
// All texts of the package are texts here, never markup, each in a direction of its own.
import { Speaker, type Key } from "../play/words.ts";
import type { Sign } from "../play/keeper.ts";
import { h } from "../play/view/dom.ts";
import type { Package } from "./course.ts";
import type { Standing, Status } from "./record.ts";

export interface Line {
  readonly id: string;
  readonly title: string;
  readonly depth: number;
  readonly here: boolean;
  readonly opens: "here" | "outside" | "closed" | "heading";
  readonly address: string;
  readonly status: Status;
}

const nothing = (): void => undefined;
const DEEPEST = 5;

export class View {
  onChoose: (id: string) => void = nothing;
  onNext: () => void = nothing;
  onPrevious: () => void = nothing;
  onGoOn: () => void = nothing;
  onRestart: () => void = nothing;
  onRetry: () => void = nothing;
  readonly words: Speaker;
  readonly #root: HTMLElement;
  readonly #package: Package;
  readonly #heading = h("h1", { tabindex: -1, dir: "auto" });
  readonly #said = h("p", { class: "said", role: "status" });
  readonly #stage = h("div", { class: "stage" });
  readonly #nav = h("nav", { id: "contents", tabindex: -1 });
  readonly #ways = h("p", { class: "ways" });
  readonly #line = h("p", { class: "sign", role: "status", tabindex: -1 });
  #shown = "";

  constructor(root: HTMLElement, given: Package, language: string) {
    this.#root = root;
    this.#package = given;
    this.words = new Speaker(language);
    document.documentElement.lang = this.words.tag;
    document.documentElement.dir = this.words.direction;
    document.title = this.#title;
  }

  get #title(): string {
    const { scorm } = this.#package;
    return scorm.title || (scorm.organizations.find((each) => each.identifier === scorm.default)?.title ?? "");
  }

  draw(notes: readonly Key[], many: boolean): void {
    const { words } = this;
    const language = this.#package.scorm.language || null;
    for (const each of [this.#heading, this.#nav]) if (language) each.setAttribute("lang", language);
    const toggle = h("button", { type: "button", class: "open-contents", "aria-expanded": "false", "aria-controls": "contents", onclick: () => this.#toggle() }, words.say("contents"));
    const full = h("button", { type: "button", class: "full", onclick: () => void this.#stage.requestFullscreen?.().catch(nothing) }, words.say("imported.full"));
    const header = h("header", { class: "banner" }, h("p", { class: "course", dir: "auto", lang: language }, this.#title), many ? toggle : null, full);
    this.#nav.setAttribute("aria-label", words.say("contents"));
    const main = h("main", { id: "content" }, this.#heading, ...notes.map((each) => h("p", { class: "note" }, words.say(each))), this.#said, this.#stage, many ? this.#ways : null);
    const skip = h("a", { class: "skip", href: "#content", onclick: (event) => (event.preventDefault(), (this.#stage.querySelector("iframe") ?? this.#heading).focus()) }, words.say("skip"));
    this.#root.classList.add("imported");
    this.#root.replaceChildren(skip, header, h("div", { class: many ? "columns" : "" }, ...(many ? [this.#nav] : []), main), h("footer", {}, this.#line));
  }

  /** Puts what is open on the stage. */
  stage(frame: HTMLIFrameElement, title: string): void {
    const first = this.#shown === "";
    this.#shown = title;
    this.#heading.textContent = title;
    frame.title = this.words.say("imported.content", { title });
    this.#said.replaceChildren();
    this.#stage.replaceChildren(frame);
    this.#toggle(false);
    if (!first) frame.focus(); // what was pressed led here; at the start the focus is the reader's
  }

  nothing(): void {
    this.#heading.textContent = this.#title;
    this.#stage.replaceChildren();
  }

  say(key: Key): void {
    this.#said.textContent = this.words.say(key);
  }

  /** The session has ended as a whole. */
  over(completed: boolean): void {
    const { words } = this;
    const again = h("button", { type: "button", onclick: () => this.onRestart() }, words.say("imported.restart"));
    const on = h("button", { type: "button", class: "main", onclick: () => this.onGoOn() }, words.say("imported.resume"));
    this.nothing();
    this.#said.replaceChildren(words.say(completed ? "course.done" : "imported.over"), " ", completed ? again : on);
  }

  contents(lines: readonly Line[], standing: Standing, ways: { readonly next: boolean; readonly previous: boolean }): void {
    const { words } = this;
    const focused = (document.activeElement as HTMLElement | null)?.dataset["item"];
    const bar = h("progress", { max: Math.max(1, standing.all), value: standing.done, "aria-label": words.say("progress") });
    const share = h("p", { class: "share", lang: words.tag }, bar, " ", h("small", {}, words.say("imported.progress", { done: standing.done, all: standing.all })));
    this.#nav.replaceChildren(h("h2", { lang: words.tag }, words.say("contents")), share, h("ol", {}, ...lines.map((each) => this.#entry(each))));
    if (focused) this.#nav.querySelector<HTMLElement>(`[data-item="${CSS.escape(focused)}"]`)?.focus();
    const way = (key: Key, can: boolean, go: () => void, name: string): HTMLElement => h("button", { type: "button", class: name, disabled: !can, onclick: go }, words.say(key));
    const at = this.#ways.contains(document.activeElement) ? (document.activeElement as HTMLElement).className : "";
    this.#ways.replaceChildren(way("imported.previous", ways.previous, () => this.onPrevious(), "back"), way("imported.continue", ways.next, () => this.onNext(), "main next"));
    if (at) this.#ways.querySelector<HTMLElement>(`[class="${at}"]`)?.focus();
  }

  #entry(line: Line): HTMLElement {
    const { words } = this;
    const given = { class: `depth-${Math.min(line.depth, DEEPEST)}${["done", "passed", "failed"].includes(line.status) ? " done" : ""}` };
    const title = h("span", { dir: "auto" }, line.title);
    if (line.opens === "heading") return h("li", given, h("strong", {}, title));
    const told = h("small", { lang: words.tag }, words.say(line.opens === "closed" ? "imported.closed" : `status.${line.status}`));
    if (line.opens === "closed") return h("li", given, h("span", { class: "closed" }, title), " ", told);
    if (line.opens === "outside") {
      return h("li", given, h("a", { href: line.address, target: "_blank", rel: "noopener noreferrer" }, title), " ", h("small", { lang: words.tag }, words.say("imported.remote", { title: line.title })));
    }
    const button = h("button", { type: "button", class: "item", "data-item": line.id, "aria-current": line.here ? "page" : null, onclick: () => this.onChoose(line.id) }, title);
    return h("li", given, button, " ", told);
  }

  /** Whether what was done is kept. */
  sign(sign: Sign): void {
    const { words } = this;
    const key = ({ idle: null, saving: "save.saving", saved: "save.saved", kept: "save.kept", lost: "save.lost", review: "save.review" } as const)[sign.state];
    const bad = sign.state === "kept" || sign.state === "lost";
    this.#line.className = `sign ${sign.state}`;
    this.#line.setAttribute("aria-live", bad ? "polite" : "off");
    const time = sign.since ? new Intl.DateTimeFormat(words.tag, { timeStyle: "short" }).format(sign.since) : "";
    const why = sign.why ? `${words.say(`error.${sign.why}`)} ` : "";
    const retry = bad ? h("button", { type: "button", onclick: () => this.onRetry() }, words.say("save.retry")) : null;
    this.#line.replaceChildren(...(key ? [h("span", {}, why, words.say(key, { time })), ...(retry ? [" ", retry] : [])] : []));
  }

  #toggle(open = !this.#nav.classList.contains("open")): void {
    this.#nav.classList.toggle("open", open);
    this.#root.querySelector(".open-contents")?.setAttribute("aria-expanded", String(open));
    if (open) this.#nav.focus();
  }
}
