// What both SCORM run-times share: the API object of a window around this one, calls that answer "true" or "false", an error
// number. Subclasses say what the functions and the elements of their data model are called.
import { type Answered, type Begun, type Snapshot, type Tracking, TrackingError } from "../tracking.ts";
import { findApi } from "./find.ts";

type Api = Readonly<Record<string, (...given: string[]) => string | boolean | number>>;

export interface Names {
  readonly api: string;
  readonly initialize: string;
  readonly terminate: string;
  readonly get: string;
  readonly set: string;
  readonly commit: string;
  readonly lastError: string;
  readonly learner: string;
  readonly language: string;
  readonly mode: string;
  readonly mastery: string;
  readonly masteryMost: number; // what the whole of the points is in its scale
  readonly suspendChars: number;
}

export abstract class ScormTracking implements Tracking {
  readonly #names: Names;
  #api: Api | null = null;
  #waiting: Answered[] = [];
  #ended = false;
  #review = false;
  /** The number of the next interaction. */
  protected count = 0;
  protected language = "";

  constructor(names: Names) {
    this.#names = names;
  }

  get limit(): number {
    return this.#names.suspendChars;
  }

  protected abstract write(snapshot: Snapshot): void;
  /** One interaction, as number `count`; to raise `count` once it exists. A platform that does not want it (they are optional in
   * 1.2) still keeps everything else, so nothing of it is asked for twice. */
  protected abstract tell(answered: Answered): void;

  async begin(): Promise<Begun> {
    const names = this.#names;
    this.#api = findApi<Api>(names.api);
    if (!this.#api) throw new TrackingError("no-lms", `no ${names.api} object in any window around this one`);
    if (!isTrue(this.#call(names.initialize, ""))) throw this.#refused(names.initialize);
    this.count = Number(this.get("cmi.interactions._count")) || 0;
    this.language = this.get(names.language);
    this.#review = this.get(names.mode) === "review";
    return {
      text: this.get("cmi.suspend_data"),
      learner: this.get(names.learner),
      language: this.language || null,
      review: this.#review,
      mastery: share(this.get(names.mastery), names.masteryMost),
    };
  }

  answered(answered: Answered): void {
    if (!this.#review) this.#waiting.push(answered);
  }

  async save(snapshot: Snapshot): Promise<void> {
    this.#write(snapshot);
    if (!isTrue(this.#call(this.#names.commit, ""))) throw this.#refused(this.#names.commit);
  }

  leave(snapshot: Snapshot): void {
    if (this.#ended || !this.#api) return;
    this.#ended = true;
    try {
      if (!this.#review) {
        this.#write(snapshot);
        this.#call(this.#names.commit, "");
      }
    } catch {
      // The journal has it; the next launch tries again.
    }
    try {
      this.#call(this.#names.terminate, "");
    } catch {
      // The window of the platform is gone.
    }
  }

  /** Throws where the platform refuses. */
  protected set(name: string, value: string): void {
    if (!this.optional(name, value)) throw this.#refused(name);
  }

  /** Whether the platform took it: for what it need not know. */
  protected optional(name: string, value: string): boolean {
    return isTrue(this.#call(this.#names.set, name, value));
  }

  #write(snapshot: Snapshot): void {
    // What was reached first: a platform that cannot keep the state still hears of it.
    this.write(snapshot);
    while (this.#waiting[0]) {
      this.tell(this.#waiting[0]);
      this.#waiting.shift();
    }
    const { length } = snapshot.text;
    if (length > this.#names.suspendChars) throw new TrackingError("lms-refused", `suspend_data of ${length} characters`);
    this.set("cmi.suspend_data", snapshot.text);
  }

  protected get(name: string): string {
    return String(this.#call(this.#names.get, name) ?? "");
  }

  #call(name: string, ...given: string[]): string | boolean | number {
    try {
      return this.#api?.[name]?.(...given) ?? "";
    } catch (error) {
      throw new TrackingError("no-network", String(error)); // the platform's window does its calls over the network
    }
  }

  #refused(what: string): TrackingError {
    return new TrackingError("lms-refused", `${what}: error ${this.#api?.[this.#names.lastError]?.() ?? ""}`);
  }
}

const isTrue = (answer: string | boolean | number): boolean => String(answer) === "true";

function share(text: string, most: number): number | null {
  const value = Number(text) / most;
  return text !== "" && value > 0 && value <= 1 ? value : null;
}

/** To four digits after the point: what a share or a score needs, and no more than any platform reads. */
export const rounded = (value: number): string => String(Math.round(value * 10_000) / 10_000);
