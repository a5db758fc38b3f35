// The player: one course on one page, whatever keeps track of it. It shows a unit at a time, sees what was read, and hands each
// change to the keeper. Before: a course document, files, and an adapter (entries/*.ts). It changes nothing but the page.
import { isRight, points, type QuizState } from "./answers.ts";
import { type Course, isQuiz, pick } from "./course.ts";
import { type Journal, LocalJournal } from "./journal.ts";
import { Keeper, type Sign } from "./keeper.ts";
import { allDone, EMPTY, type Scope, scopeOf, standing, type State, statusOf, units, type UnitStanding } from "./progress.ts";
import { decode, encodeWithin } from "./state.ts";
import type { Snapshot, Tracking } from "./tracking.ts";
import { blockView } from "./view/blocks.ts";
import { type Context, directionOf, type Doings, type Files, spoken } from "./view/context.ts";
import { h } from "./view/dom.ts";
import { about, banner, contents, signed, themed } from "./view/frame.ts";
import { Speaker } from "./words.ts";

const READ_MS = 600; // how long the end of a block stays in view until it counts as read

export interface Given {
  readonly course: Course;
  readonly files: Files;
  readonly tracking: Tracking;
  readonly unit?: string | null;
  readonly root: HTMLElement;
  readonly journal?: (learner: string) => Journal;
}

export class Player implements Doings {
  readonly #given: Given;
  #scope: Scope;
  readonly #keeper: Keeper;
  readonly #began = Date.now();
  #state: State = EMPTY;
  #learner = "";
  #context!: Context;
  #shown = -1;
  #sign: Sign = { state: "idle", why: null, since: null };
  readonly #line = h("p", { class: "sign", role: "status", tabindex: -1 });
  readonly #nav = h("nav", { id: "contents", tabindex: -1 });
  readonly #article = h("article");
  readonly #ways = h("p", { class: "ways" });
  readonly #done = h("p", { class: "finished", role: "status" });
  #watch: IntersectionObserver | null = null;
  readonly #timers = new Map<Element, ReturnType<typeof setTimeout>>();

  constructor(given: Given) {
    this.#given = given;
    this.#scope = scopeOf(given.course, given.unit ?? null);
    const journal = given.journal ?? ((learner) => new LocalJournal(given.course.package_id, given.unit ?? null, learner));
    this.#keeper = new Keeper(given.tracking, journal, (sign) => this.#signed(sign));
  }

  async start(): Promise<void> {
    const { course } = this.#given;
    const begun = await this.#keeper.begin(this.#scope);
    if (begun.mastery !== null) this.#scope = { ...this.#scope, mastery: begun.mastery };
    this.#learner = begun.learner;
    let foreign = false;
    try {
      if (begun.text) this.#state = decode(course, begun.text);
    } catch {
      foreign = true; // of another version, or not ours: it is not written over before something is done
    }
    this.#speak(this.#language(begun.language));
    this.#draw();
    const here = this.#atHash() ?? this.#scope.blocks.find((each) => each.index === this.#state.place)?.unit ?? this.#first();
    this.#show(here, this.#atHash() === null && this.#state.place > 0);
    addEventListener("hashchange", () => this.#show(this.#atHash() ?? this.#first(), false));
    addEventListener("visibilitychange", () => document.visibilityState === "hidden" && this.#keeper.flush());
    addEventListener("online", () => this.#keeper.flush());
    // A page that comes back as it was left has told the platform that it ended: it begins anew.
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    addEventListener("pagehide", () => this.#keeper.leave(this.#snapshot()), { once: true });
    if (!foreign) this.#changed(false);
  }

  // -- what the parts of the page report ---------------------------------------------------------------------------------

  seen(index: number): void {
    if (this.#state.seen.has(index)) return;
    this.#state = { ...this.#state, seen: new Set([...this.#state.seen, index]) };
    this.#changed(standing(this.#scope, this.#state, this.#context.languages).done);
  }

  played(index: number, at_s: number): void {
    this.#state = { ...this.#state, place: index, times: new Map(this.#state.times).set(index, Math.floor(at_s)) };
    this.#changed(false);
  }

  startAt(index: number): number {
    return this.#state.times.get(index) ?? 0;
  }

  quiz(index: number): QuizState | undefined {
    return this.#state.quizzes.get(index);
  }

  answering(index: number, quiz: QuizState): void {
    this.#state = { ...this.#state, place: index, quizzes: new Map(this.#state.quizzes).set(index, quiz) };
    this.#changed(false);
  }

  submitted(index: number, quiz: Parameters<Doings["submitted"]>[1], answers: Parameters<Doings["submitted"]>[2], latency_s: number): void {
    const { languages } = this.#context;
    const before = this.#state.quizzes.get(index);
    const now = { attempts: before?.attempts ?? 1, submitted: true, answers };
    const better = !before?.submitted || points(quiz, now, languages) >= points(quiz, before, languages);
    const at = new Date();
    for (const [number, question] of quiz.questions.entries()) {
      const answer = answers[number] ?? null;
      if (answer === null) continue;
      this.#given.tracking.answered({ quiz, question, answer, right: isRight(question, answer, languages), at, latency_s: latency_s / quiz.questions.length });
    }
    const seen = new Set([...this.#state.seen, index]);
    this.#state = { ...this.#state, seen, place: index, quizzes: new Map(this.#state.quizzes).set(index, better ? now : { ...before, attempts: now.attempts }) };
    this.#changed(true);
  }

  // -- the page ----------------------------------------------------------------------------------------------------------

  #language(asked: string | null): string {
    const known = this.#given.course.metadata.languages.map((each) => each.tag);
    const kept = this.#remembered();
    const wanted = [kept, asked, ...navigator.languages].filter((each): each is string => !!each);
    for (const each of wanted) {
      const found = known.find((tag) => tag.toLowerCase() === each.toLowerCase()) ?? known.find((tag) => tag.split("-")[0] === each.toLowerCase().split("-")[0]);
      if (found) return found;
    }
    return known.find((tag) => tag === this.#given.course.metadata.language) ?? known[0] ?? "en";
  }

  #remembered(choice?: string): string | null {
    const key = `content-player/1/${this.#given.course.package_id}/language`;
    try {
      if (choice) localStorage.setItem(key, choice);
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  }

  #speak(language: string): void {
    const { course, files } = this.#given;
    // An answer in any of the course's languages stays right in the others.
    const languages = [...new Set([language, course.metadata.language, ...course.metadata.languages.map((each) => each.tag)])];
    const words = new Speaker(language);
    // Where the interface does not speak the course's language, the page is in the interface's, and each text says its own.
    const page = words.tag === language.split("-")[0] ? language : words.tag;
    this.#context = { course, language, languages, page, words, files, doings: this, learner: this.#learner };
    document.documentElement.lang = page;
    document.documentElement.dir = page === language ? directionOf(course, language) : words.direction;
    document.title = pick(course.metadata.title, language, course.metadata.language).text;
  }

  #draw(): void {
    const { words } = this.#context;
    const many = this.#scope.unit === null && this.#given.course.structure.units.length > 1;
    const header = banner(this.#context, (tag) => this.#translate(tag), many ? () => this.#toggle() : null);
    themed(this.#context);
    const skip = h("a", { class: "skip", href: "#content", onclick: (event) => (event.preventDefault(), this.#article.querySelector("h1")?.focus()) }, words.say("skip"));
    this.#nav.setAttribute("aria-label", words.say("contents"));
    const main = h("main", { id: "content" }, this.#article, this.#done, this.#ways);
    const print = h("button", { type: "button", onclick: () => this.#print() }, words.say(many ? "print.all" : "print"));
    const footer = h("footer", {}, this.#line, about(this.#context), h("p", { class: "tools" }, print));
    this.#given.root.replaceChildren(skip, header, h("div", { class: many ? "columns" : "" }, ...(many ? [this.#nav] : []), main), footer);
    signed(this.#context, this.#line, this.#sign, () => this.#keeper.flush());
  }

  #translate(tag: string): void {
    this.#remembered(tag);
    this.#speak(tag);
    this.#draw();
    this.#show(this.#shown, false);
    document.getElementById("language")?.focus();
  }

  #toggle(open = !this.#nav.classList.contains("open")): void {
    this.#nav.classList.toggle("open", open);
    this.#given.root.querySelector(".open-contents")?.setAttribute("aria-expanded", String(open));
    if (open) this.#nav.focus();
  }

  #first(): number {
    return this.#scope.unit ?? 0;
  }

  #atHash(): number | null {
    const id = decodeURIComponent(/^#\/(.+)$/.exec(location.hash)?.[1] ?? "");
    const at = this.#given.course.structure.units.findIndex((each) => each.id === id);
    return at < 0 || (this.#scope.unit !== null && at !== this.#scope.unit) || !this.#units()[at]?.open ? null : at;
  }

  #units(): readonly UnitStanding[] {
    return units(this.#scope, this.#state, this.#context.languages);
  }

  #show(at: number, resume: boolean): void {
    const unit = this.#given.course.structure.units[at];
    if (!unit) return;
    const moved = this.#shown !== -1 && this.#shown !== at;
    this.#shown = at;
    this.#watch?.disconnect();
    if (moved) this.#given.files.release?.(); // not at the start: the logo is on its way
    for (const timer of this.#timers.values()) clearTimeout(timer);
    const heading = h("h1", { tabindex: -1 }, spoken(this.#context, unit.title));
    const placed = this.#scope.blocks.filter((each) => each.unit === at);
    const views = placed.map(({ block, index }) => blockView(this.#context, block, index));
    this.#article.replaceChildren(heading, ...views);
    this.#toggle(false);
    this.#observe(views);
    if (moved && !resume) {
      scrollTo(0, 0);
      heading.focus(); // before the contents are drawn anew, or the link that was followed would stay as it is
    }
    this.#refresh();
    if (resume) document.getElementById(`b-${placed.find((each) => each.index === this.#state.place)?.block.id ?? ""}`)?.scrollIntoView();
  }

  /** A block counts as read once its end was in view for a moment; what is played or answered says so itself. */
  #observe(views: readonly HTMLElement[]): void {
    const watch = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        clearTimeout(this.#timers.get(target));
        if (isIntersecting) this.#timers.set(target, setTimeout(() => this.#read(Number((target.parentElement as HTMLElement).dataset.index)), READ_MS));
      }
    });
    this.#watch = watch;
    for (const view of views) {
      const end = h("span", { class: "end" });
      view.append(end);
      watch.observe(end);
    }
  }

  #read(index: number): void {
    const { course } = this.#given;
    const block = this.#scope.blocks.find((each) => each.index === index)?.block;
    if (!block) return;
    this.#state = { ...this.#state, place: index };
    const playable = (block.type === "video" || block.type === "audio") && course.assets[block.asset]?.renditions.some((each) => each.role === block.type || each.role === "audio");
    const embedded = block.type === "embed" && this.#given.files.embedded?.(block);
    if (isQuiz(block) || playable || embedded) this.#changed(false);
    else if (this.#state.seen.has(index)) this.#changed(false);
    else this.seen(index);
  }

  #refresh(): void {
    const { course } = this.#given;
    const { words } = this.#context;
    const known = this.#units();
    const at = standing(this.#scope, this.#state, this.#context.languages);
    const entries = course.structure.units.map((unit, index) => {
      const each = known[index] as UnitStanding;
      return { title: spoken(this.#context, unit.title), href: `#/${encodeURIComponent(unit.id)}`, here: index === this.#shown, closed: !each.open, done: each.seen, all: each.all };
    });
    const focused = this.#nav.contains(document.activeElement) && document.activeElement !== this.#nav;
    if (!focused) this.#nav.replaceChildren(...contents(this.#context, entries, at.progress));
    const way = (to: number, key: "unit.previous" | "unit.next"): HTMLElement | null => {
      const entry = this.#scope.unit === null ? entries[to] : undefined;
      const title = course.structure.units[to]?.title;
      if (!entry || entry.closed || !title) return null;
      return h("a", { href: entry.href, class: key === "unit.next" ? "next" : "back" }, words.say(key, { title: pick(title, this.#context.language, course.metadata.language).text }));
    };
    const ways = [way(this.#shown - 1, "unit.previous"), way(this.#shown + 1, "unit.next")].filter((each) => each !== null);
    if (!this.#ways.contains(document.activeElement)) this.#ways.replaceChildren(...ways);
    const score = at.score && at.score.raw > 0 ? words.say("course.score", { raw: at.score.raw, max: at.score.max, percent: words.percent(at.score.scaled) }) : "";
    const told = [at.done ? words.say("course.done") : "", at.done ? score : ""].filter(Boolean).join(" ");
    if (this.#done.textContent !== told) this.#done.textContent = told;
  }

  #print(): void {
    const views = this.#scope.blocks.map(({ block, index }) => blockView(this.#context, block, index));
    const parts = this.#given.course.structure.units.flatMap((unit, at) => [
      ...(this.#scope.unit === null || this.#scope.unit === at ? [h("h1", {}, spoken(this.#context, unit.title))] : []),
      ...views.filter((_, index) => this.#scope.blocks[index]?.unit === at),
    ]);
    for (const view of parts) for (const details of view.querySelectorAll("details")) details.open = true;
    for (const image of parts.flatMap((view) => [...view.querySelectorAll("img")])) image.loading = "eager";
    this.#watch?.disconnect();
    this.#article.replaceChildren(...parts);
    void this.#printed();
  }

  /** Once the pictures are there, which a bundle decrypts first. A frame that may not print says nothing: then the page comes back. */
  async #printed(): Promise<void> {
    const images = [...this.#article.querySelectorAll("img")];
    const late = new Promise((done) => setTimeout(done, 5000));
    await Promise.race([late, Promise.all(images.map((each) => each.decode().catch(() => undefined)))]);
    let printing = false;
    addEventListener("beforeprint", () => (printing = true), { once: true });
    addEventListener("afterprint", () => this.#show(this.#shown, false), { once: true });
    print();
    setTimeout(() => !printing && this.#show(this.#shown, false), 2000);
  }

  // -- keeping ---------------------------------------------------------------------------------------------------------------

  #snapshot(): Snapshot {
    const { course } = this.#given;
    const at = standing(this.#scope, this.#state, this.#context.languages);
    const place = this.#scope.blocks.find((each) => each.index === this.#state.place)?.block.id ?? "";
    const status = statusOf(this.#scope.report, at);
    const text = encodeWithin(course, this.#state, this.#given.tracking.limit ?? Number.POSITIVE_INFINITY, (question, answer) => isRight(question, answer, this.#context.languages));
    // Where a platform fails by the score whoever is below the mark, there is none until all quizzes are handed in.
    const told = this.#scope.report === "passed-failed" && at.passed === null ? { ...at, score: null } : at;
    return { text, place, standing: told, status, allDone: allDone(this.#scope.blocks, this.#state), seconds: (Date.now() - this.#began) / 1000 };
  }

  #changed(now: boolean): void {
    this.#keeper.changed(this.#snapshot(), now);
    this.#refresh();
  }

  #signed(sign: Sign): void {
    this.#sign = sign;
    if (this.#context) signed(this.#context, this.#line, sign, () => this.#keeper.flush());
  }
}
