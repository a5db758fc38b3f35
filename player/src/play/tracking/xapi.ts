// xAPI as tincan.xml launches it: endpoint, auth, actor, activity_id and registration come in the page's query. Statements that
// could not be sent wait in the browser's storage, and go first at the next chance.
import { fingerprint } from "../journal.ts";
import type { Scope } from "../progress.ts";
import { type Begun, type Snapshot, TrackingError } from "../tracking.ts";
import { duration } from "./interactions.ts";
import { type Json, Lrs, type Place } from "./lrs.ts";
import { LrsTracking } from "./lrs-tracking.ts";
import { scored, Statements } from "./statements.ts";

export class XapiTracking extends LrsTracking {
  readonly #query: URLSearchParams;

  constructor(query: string) {
    super();
    this.#query = new URLSearchParams(query);
  }

  async begin(scope: Scope): Promise<Begun> {
    const place = launched(this.#query, scope.course.tracking?.activity ?? `urn:content:${scope.course.package_id}`);
    const text = await this.open(new Lrs(place), new Statements(scope.course, place, { language: document.documentElement.lang }));
    this.waiting = this.#kept();
    this.push(this.about("initialized"));
    await this.flush().catch(() => undefined); // they are kept, and sent with the next save
    return { text, learner: JSON.stringify(place.actor), language: null, review: false, mastery: null };
  }

  who(): string {
    return actorOf(this.#query);
  }

  leave(snapshot: Snapshot): void {
    if (!this.begun) return;
    this.judge(snapshot);
    this.push(this.about("terminated", { duration: duration(snapshot.seconds) }));
    this.last(snapshot, true).then(() => this.#keep([]), () => undefined);
  }

  protected override judge(snapshot: Snapshot): void {
    const { status, standing } = snapshot;
    if (status.completion === "completed") this.tell("completed", snapshot, { completion: true, ...scored(standing) });
    if (status.success === "passed") this.tell("passed", snapshot, { success: true, ...scored(standing) });
    if (status.success === "failed") this.tell("failed", snapshot, { success: false, ...scored(standing) });
  }

  protected override push(statement: Json): void {
    super.push(statement);
    this.#keep(this.waiting);
  }

  protected override async flush(): Promise<void> {
    await super.flush();
    this.#keep(this.waiting);
  }

  #key = (): string => `content-player/1/statements/${this.place.activity}/${this.place.registration ?? ""}/${fingerprint(JSON.stringify(this.place.actor))}`;

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

export function actorOf(query: URLSearchParams): string {
  const actor = query.get("actor");
  return actor ? JSON.stringify(agentOf(actor)) : "";
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
