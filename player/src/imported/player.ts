// The player of an imported package: its contents beside a frame, in which one item is open at a time. The run-time stands at this
// window before content looks for it. Leaving goes by way of an empty page, so that content hears that it is being closed and can
// say its last; only then comes what is next. Before: a package, what was kept of the learner. After: `view.ts` shows, `keeping.ts` keeps.
import { addressOf, type Organization, organizationOf, type Package, type Place, placesOf } from "./course.ts";
import type { Keeping } from "./keeping.ts";
import { allows } from "./prerequisites.ts";
import { RIGHTS } from "./messages.ts";
import { empty, type Kept, NOTHING, type Remembered, standingOf, type Standing, type Status, withItem } from "./record.ts";
import { begin12, begin2004, type Hooks, type Learner, type Session } from "./runtime.ts";
import { Sequencer, type Ways } from "./sequencer.ts";
import { isSequenced } from "./sequencing.ts";
import type { Line, View } from "./view.ts";

const SOON_MS = 800;
const SILENT_MS = 3000; // content that has not begun so long after it was loaded has nothing to tell

export interface Given {
  readonly package: Package;
  /** The address below which the package's files are, ending in `/`. */
  readonly folder: string;
  readonly learner: Learner;
  readonly record: Remembered | null;
  readonly keeping: Keeping;
  readonly view: View;
  readonly told: (standing: Standing) => void;
}

export class ImportedPlayer {
  readonly #given: Given;
  readonly #places: readonly Place[];
  readonly #organization: Organization | null; // of a sequenced package
  readonly #tracked: boolean;
  #record: Remembered;
  #sequencer: Sequencer | null = null;
  #ways: Ways | null = null;
  #session: Session | null = null;
  #open: Place | null = null;
  #frame: HTMLIFrameElement | null = null;
  #leaving = false;
  #pending: string | null = null; // the item that comes once what is open has gone
  #failed = false; // what is open could not be loaded
  #silent = false; // what is open has nothing to tell; it may still begin
  #timer: ReturnType<typeof setTimeout> | undefined;
  #told = "";

  constructor(given: Given) {
    this.#given = given;
    const { scorm, version } = given.package;
    this.#places = placesOf(scorm);
    const organization = organizationOf(scorm);
    this.#organization = organization && isSequenced(scorm, organization) ? organization : null;
    this.#tracked = !["cmi5", "tincan"].includes(scorm.edition);
    this.#record = given.record ?? empty(version);
  }

  start(): void {
    const { view } = this.#given;
    view.onChoose = (id) => this.choose(id);
    view.onNext = () => this.#step(1);
    view.onPrevious = () => this.#step(-1);
    view.onGoOn = () => this.#begin(true);
    view.onRestart = () => this.#restart();
    view.onRetry = () => this.#given.keeping.retry();
    const notes = [...(this.#tracked ? [] : ["imported.untracked" as const]), ...(location.protocol === "file:" && this.#tracked ? ["imported.disk" as const] : [])];
    view.draw(notes, this.#places.filter((each) => each.launch).length > 1);
    addEventListener("beforeunload", () => this.#sequencer?.ask("suspendAll"));
    addEventListener("pagehide", () => this.#hidden());
    addEventListener("visibilitychange", () => document.visibilityState === "hidden" && this.#save());
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    this.#begin(this.#record.here !== null);
    this.#refresh();
  }

  /** The learner wants this item. */
  choose(id: string): void {
    if (this.#open?.item.identifier === id && this.#frame && !this.#leaving && this.#session?.live) return this.#frame.focus();
    if (this.#sequencer) this.#sequencer.ask({ choice: id });
    else this.#pending = id;
    this.#leave();
  }

  // -- from one item to the next ------------------------------------------------------------------------------------------------

  #begin(again: boolean): void {
    if (!this.#organization) {
      const wanted = this.#places.find((each) => each.item.identifier === this.#record.here) ?? this.#places.find((each) => each.launch && !each.remote && this.#mayOpen(each));
      if (wanted?.launch && !wanted.remote && this.#mayOpen(wanted)) this.#show(wanted);
      else this.#given.view.say("imported.choose");
      return;
    }
    this.#sequencer = this.#make(again ? this.#record.sequencing : null);
    const open = this.#sequencer.start(again ? this.#record.here : null);
    if (open) this.#pending = open;
    if (!this.#pending) this.#ways = { next: false, previous: false, open: this.#sequencer.choices };
    this.#next();
  }

  #make(state: string | null): Sequencer {
    const made: Sequencer = new Sequencer(this.#given.package.scorm, this.#organization as Organization, state, { save: () => this.#save() }, {
      deliver: (id) => {
        this.#pending = id;
        // Told while content says its last, or when nothing is open yet.
        if (this.#frame && !this.#leaving) setTimeout(() => this.#leave());
      },
      ways: (ways) => {
        this.#ways = ways;
        this.#refresh();
      },
      over: () => {
        if (this.#sequencer !== made) return;
        this.#sequencer = null;
        this.#ways = null;
        setTimeout(() => (this.#leave(), this.#given.view.over(this.#standing().completed)));
      },
    });
    return made;
  }

  #restart(): void {
    // The attempts that were under way are over; what was reached stays.
    const items = Object.fromEntries(Object.entries(this.#record.items).map(([id, kept]) => [id, { ...kept, exit: "normal" }]));
    this.#record = { ...this.#record, items, sequencing: null };
    this.#begin(false);
  }

  #step(by: 1 | -1): void {
    const way = by === 1 ? "continue" : "previous";
    if (this.#sequencer?.blocks(way)) return this.#given.view.say("imported.blocked");
    if (this.#sequencer) this.#sequencer.ask(way);
    else this.#pending = this.#beside(by)?.item.identifier ?? null;
    this.#leave();
  }

  #beside(by: 1 | -1): Place | undefined {
    const all = this.#places.filter((each) => each.launch && !each.remote);
    const at = all.findIndex((each) => each === this.#open);
    const found = at < 0 ? undefined : all[at + by];
    return found && this.#mayOpen(found) ? found : undefined;
  }

  #leave(): void {
    if (this.#leaving) return;
    if (!this.#frame) return this.#left();
    this.#leaving = true;
    this.#frame.contentWindow?.location.replace("about:blank");
  }

  /** What was open has gone. */
  #left(): void {
    this.#leaving = false;
    this.#session?.end();
    this.#sequencer?.go();
    this.#keep(true);
    this.#frame?.remove();
    this.#frame = null;
    this.#session = null;
    this.#open = null;
    this.#save();
    this.#next();
  }

  #next(): void {
    const id = this.#pending;
    this.#pending = null;
    const place = this.#places.find((each) => each.item.identifier === id);
    if (place?.launch) this.#show(place);
    else {
      this.#given.view.nothing();
      this.#given.view.say("imported.choose");
      this.#refresh();
    }
  }

  #show(place: Place): void {
    const { scorm } = this.#given.package;
    const { identifier } = place.item;
    const kept = this.#record.items[identifier] ?? null;
    this.#open = place;
    this.#failed = false;
    this.#silent = false;
    this.#record = { ...this.#record, here: identifier };
    const face = globalThis as { API?: object | undefined; API_1484_11?: object | undefined };
    Object.assign(face, { API: undefined, API_1484_11: undefined });
    if (this.#tracked) {
      const hooks: Hooks = { changed: () => this.#changed(), save: () => this.#save(), ended: () => this.#ended() };
      const { learner } = this.#given;
      if (this.#sequencer) this.#session = this.#sequencer.session(place.item, kept, learner, hooks);
      else this.#session = (scorm.edition.startsWith("2004") ? begin2004 : begin12)(place.item, kept, learner, hooks);
      face[this.#session.name] = this.#session.face;
    }
    const frame = document.createElement("iframe");
    // No bound for content that means harm, since it is of this page's origin: for content that would take the whole window with it.
    frame.setAttribute("sandbox", RIGHTS);
    frame.allow = "fullscreen; autoplay";
    frame.src = addressOf(place.launch as NonNullable<Place["launch"]>, this.#given.folder);
    frame.addEventListener("load", () => this.#loaded(frame));
    this.#frame = frame;
    this.#given.view.stage(frame, place.item.title);
    this.#refresh();
  }

  #loaded(frame: HTMLIFrameElement): void {
    if (frame !== this.#frame) return;
    if (this.#leaving) return this.#left();
    const [entry] = seen(() => frame.contentWindow?.performance.getEntriesByType("navigation") as PerformanceNavigationTiming[]) ?? [];
    this.#failed = (entry?.responseStatus ?? 0) >= 400;
    if (this.#failed) this.#given.view.say("media.failed");
    else if (this.#open && (!this.#open.sco || !this.#tracked)) this.#opened(this.#open);
    else setTimeout(() => frame === this.#frame && this.#session?.snapshot() === null && this.#quiet(), SILENT_MS);
  }

  #quiet(): void {
    this.#silent = true;
    this.#refresh();
  }

  /** What has nothing to tell is done when it was opened. */
  #opened(place: Place): void {
    const before = this.#record.items[place.item.identifier];
    this.#put(place.item.identifier, { ...NOTHING, cmi: before?.cmi ?? {}, total: before?.total ?? "" });
    this.#save();
  }

  // -- what content tells -------------------------------------------------------------------------------------------------------

  #changed(): void {
    this.#timer ??= setTimeout(() => this.#save(), SOON_MS);
  }

  #ended(): void {
    this.#save();
    if (!this.#leaving && this.#pending === null && this.#sequencer === null && this.#organization === null) this.#given.view.say(this.#standing().completed ? "course.done" : "imported.ended");
    else if (!this.#leaving && this.#pending === null && this.#sequencer !== null) this.#given.view.say("imported.ended");
  }

  #hidden(): void {
    this.#sequencer?.ask("suspendAll");
    if (this.#silent) this.#keep(true);
    this.#save();
  }

  // -- keeping ------------------------------------------------------------------------------------------------------------------

  /** Takes what content has told into the record. `gone`: it was left, and who never said a word has nothing to tell. */
  #keep(gone = false): void {
    if (!this.#open) return;
    const { identifier } = this.#open.item;
    const told = this.#session?.snapshot() ?? null;
    if (told) {
      this.#silent = false;
      this.#put(identifier, told);
    } else if (gone && this.#session && !this.#failed) this.#put(identifier, NOTHING);
  }

  #put(id: string, kept: Kept): void {
    this.#record = withItem(this.#record, id, kept);
  }

  /** The record as it would be if what is open were left now. */
  get #now(): Remembered {
    return this.#silent && this.#open ? withItem(this.#record, this.#open.item.identifier, NOTHING) : this.#record;
  }

  #save(): boolean {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#keep();
    const sequencing = this.#sequencer?.state ?? this.#record.sequencing;
    this.#record = { ...this.#record, sequencing, revision: this.#record.revision + 1 };
    const kept = this.#given.keeping.save(this.#record);
    this.#refresh();
    return kept;
  }

  #standing(): Standing {
    const standing = standingOf(this.#places, this.#now);
    const outcome = this.#sequencer?.outcome;
    return outcome ? { ...standing, completed: outcome.completed, passed: outcome.passed ?? standing.passed, score: outcome.score ?? standing.score } : standing;
  }

  // -- what is shown ------------------------------------------------------------------------------------------------------------

  #status(id: string): Status {
    return this.#now.items[id]?.status ?? "new";
  }

  #mayOpen(place: Place): boolean {
    if (this.#organization) return this.#ways?.open.has(place.item.identifier) ?? false;
    return allows(place.item.prerequisites, (id) => this.#status(id));
  }

  #refresh(): void {
    const lines: readonly Line[] = this.#places.filter((each) => each.item.visible).map((each) => ({
      id: each.item.identifier,
      title: each.item.title,
      depth: each.depth,
      here: each === this.#open,
      // A heading of others, which may be chosen where rules say what of it comes first.
      opens: each.launch || (this.#sequencer && this.#mayOpen(each)) ? (each.remote ? "outside" : this.#mayOpen(each) || each === this.#open ? "here" : "closed") : "heading",
      address: each.remote ? (each.launch?.href ?? "") : "",
      status: this.#status(each.item.identifier),
    }));
    const standing = this.#standing();
    this.#given.view.contents(lines, standing, {
      next: this.#organization ? (this.#ways?.next ?? false) : this.#beside(1) !== undefined,
      previous: this.#organization ? (this.#ways?.previous ?? false) : this.#beside(-1) !== undefined,
    });
    const text = JSON.stringify(standing);
    if (text !== this.#told) this.#given.told(standing);
    this.#told = text;
  }
}

/** What can be seen of a frame, where it is of this origin still. */
function seen<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}
