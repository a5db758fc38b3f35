// xAPI as tincan.xml launches it: endpoint, auth, actor, activity_id and registration come in the page's query. The state lies in
// the State API; statements that could not be sent wait in the browser's storage and go first at the next chance.
import type { Scope } from "../progress.ts";
import { type Answered, type Begun, type Snapshot, type Tracking, TrackingError } from "../tracking.ts";
import { duration } from "./interactions.ts";
import { type Json, Lrs, type Place } from "./lrs.ts";
import { scored, Statements } from "./statements.ts";

const STATE = "content-player-1";

export class XapiTracking implements Tracking {
  readonly #query: URLSearchParams;
  #lrs: Lrs | null = null;
  #statements: Statements | null = null;
  #waiting: Json[] = [];
  #told = new Set<string>();

  constructor(query: string) {
    this.#query = new URLSearchParams(query);
  }

  async begin(scope: Scope): Promise<Begun> {
    const place = launched(this.#query, scope.course.tracking?.activity ?? `urn:content:${scope.course.package_id}`);
    this.#lrs = new Lrs(place);
    this.#statements = new Statements(scope.course, place, { language: document.documentElement.lang });
    this.#waiting = this.#kept();
    const state = (await this.#lrs.state(STATE)) ?? "";
    const [text = "", told = ""] = state.split("\n");
    this.#told = new Set(told.split(",").filter(Boolean));
    this.#waiting.push(this.#statements.about("initialized"));
    await this.#flush();
    return { text, learner: JSON.stringify(place.actor), language: null, review: false, mastery: null };
  }

  answered(answered: Answered): void {
    if (this.#statements) this.#push(this.#statements.answered(answered));
  }

  async save(snapshot: Snapshot): Promise<void> {
    this.#judge(snapshot);
    await this.#flush();
    await this.#lrs?.keep(STATE, this.#document(snapshot));
  }

  leave(snapshot: Snapshot): void {
    if (!this.#lrs || !this.#statements) return;
    this.#judge(snapshot);
    this.#push(this.#statements.about("terminated", { duration: duration(snapshot.seconds) }));
    void this.#lrs.statements(this.#waiting, true).then(() => this.#keep([]), () => undefined);
    void this.#lrs.keep(STATE, this.#document(snapshot), true).catch(() => undefined);
  }

  /** Each of completed, passed and failed once, when the report kind says so. */
  #judge({ status, standing, seconds }: Snapshot): void {
    const tell = (verb: "completed" | "passed" | "failed", result: Json): void => {
      if (this.#told.has(verb) || !this.#statements) return;
      this.#told.add(verb);
      this.#push(this.#statements.about(verb, { ...result, duration: duration(seconds) }));
    };
    if (status.completion === "completed") tell("completed", { completion: true, ...scored(standing) });
    if (status.success === "passed") tell("passed", { success: true, ...scored(standing) });
    if (status.success === "failed") tell("failed", { success: false, ...scored(standing) });
  }

  #document = (snapshot: Snapshot): string => `${snapshot.text}\n${[...this.#told].join(",")}`;

  #push(statement: Json): void {
    this.#waiting.push(statement);
    this.#keep(this.#waiting);
  }

  async #flush(): Promise<void> {
    const sending = [...this.#waiting];
    await this.#lrs?.statements(sending);
    this.#waiting = this.#waiting.slice(sending.length);
    this.#keep(this.#waiting);
  }

  #key = (): string => `content-player/1/statements/${this.#lrs?.place.activity}/${this.#lrs?.place.registration ?? ""}`;

  #kept(): Json[] {
    try {
      return JSON.parse(localStorage.getItem(this.#key()) ?? "[]") as Json[];
    } catch {
      return [];
    }
  }

  #keep(statements: readonly Json[]): void {
    try {
      localStorage.setItem(this.#key(), JSON.stringify(statements));
    } catch {
      // A device that keeps nothing: the sign says so through the journal.
    }
  }
}

export function launched(query: URLSearchParams, activity: string): Place {
  const endpoint = query.get("endpoint");
  const actor = query.get("actor");
  if (!endpoint || !actor) throw new TrackingError("no-lms", "no endpoint or actor in the address");
  return {
    endpoint: endpoint.endsWith("/") ? endpoint : `${endpoint}/`,
    authorization: query.get("auth") ?? "",
    actor: agentOf(actor),
    activity: query.get("activity_id") ?? query.get("activityId") ?? activity,
    registration: query.get("registration"),
  };
}

/** Some platforms write members of an agent as lists, as the drafts of xAPI had them. */
function agentOf(text: string): Json {
  try {
    const found = JSON.parse(text) as Record<string, unknown>;
    return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, Array.isArray(value) && name !== "member" ? value[0] : value]));
  } catch (error) {
    throw new TrackingError("no-lms", `actor: ${String(error)}`);
  }
}
