// What both xAPI adapters share: statements that wait until the store has taken them, each verdict told once, and the state kept
// beside the verdicts in one document of the State API. Subclasses begin, judge and leave.
import type { Scope } from "../progress.ts";
import { type Answered, type Begun, type Snapshot, type Tracking, TrackingError } from "../tracking.ts";
import { duration } from "./interactions.ts";
import { type Json, Lrs, type Place } from "./lrs.ts";
import { Statements, type Verb } from "./statements.ts";

const LAST_CHARS = 50_000;
const STATE = "content-player-1";
export type Verdict = "completed" | "passed" | "failed";

interface Connection {
  readonly lrs: Lrs;
  readonly statements: Statements;
}

export abstract class LrsTracking implements Tracking {
  #connection: Connection | null = null;
  readonly #told = new Set<string>();
  /** Not taken by the store yet. */
  protected waiting: Json[] = [];

  abstract begin(scope: Scope): Promise<Begun>;
  /** What the report's status is worth a statement of; by `tell`. */
  protected abstract judge(snapshot: Snapshot): void;

  /** The text kept at the last launch; what was told then is not told again. */
  protected async open(lrs: Lrs, statements: Statements): Promise<string> {
    this.#connection = { lrs, statements };
    const [text = "", told = ""] = ((await lrs.state(STATE)) ?? "").split("\n");
    for (const verdict of told.split(",").filter(Boolean)) this.#told.add(verdict);
    return text;
  }

  protected get place(): Place {
    return this.#connected().lrs.place;
  }

  answered(answered: Answered): void {
    if (this.#connection) this.push(this.#connection.statements.answered(answered));
  }

  async save(snapshot: Snapshot): Promise<void> {
    this.judge(snapshot);
    await this.flush();
    await this.#connected().lrs.keep(STATE, this.#document(snapshot));
  }

  abstract leave(snapshot: Snapshot): void;

  /** The last words of a page that is going: sent without waiting; `kept` says whether the state is among them. */
  protected async last(snapshot: Snapshot, kept: boolean): Promise<void> {
    const { lrs } = this.#connected();
    // A request that outlives its page holds 64 KiB at most: answers give way to the verdicts, which come last.
    while (JSON.stringify(this.waiting).length > LAST_CHARS && this.waiting.length > 1) this.waiting.shift();
    const sent = [lrs.statements(this.waiting, true), ...(kept ? [lrs.keep(STATE, this.#document(snapshot), true)] : [])];
    await Promise.all(sent);
  }

  protected get begun(): boolean {
    return this.#connection !== null;
  }

  protected about(verb: Verb, result: Json | null = null, context: Json = {}): Json {
    return this.#connected().statements.about(verb, result, context);
  }

  protected tell(verdict: Verdict, { seconds }: Snapshot, result: Json, context: Json = {}): void {
    if (this.#told.has(verdict)) return;
    this.#told.add(verdict);
    this.push(this.about(verdict, { ...result, duration: duration(seconds) }, context));
  }

  protected hasTold(verdict: Verdict): boolean {
    return this.#told.has(verdict);
  }

  protected push(statement: Json): void {
    this.waiting.push(statement);
  }

  protected async flush(): Promise<void> {
    const sending = [...this.waiting];
    await this.#connected().lrs.statements(sending);
    this.waiting = this.waiting.slice(sending.length);
  }

  #document = (snapshot: Snapshot): string => `${snapshot.text}\n${[...this.#told].join(",")}`;

  #connected(): Connection {
    if (!this.#connection) throw new TrackingError("no-lms", "not begun");
    return this.#connection;
  }
}
