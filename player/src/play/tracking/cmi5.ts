// cmi5 (Quartz): the launch is in the query; the token is fetched once; LMS.LaunchData says mode, mastery score and the context
// that each statement must carry. Order: initialized, then what happens, then terminated, and nothing after it (cmi5 9.3).
// Statements of a session that ended without "terminated" are not sent in a later one: the platform has ended it as abandoned.
import type { Scope } from "../progress.ts";
import { type Answered, type Begun, type Snapshot, TrackingError } from "../tracking.ts";
import { duration } from "./interactions.ts";
import { type Json, Lrs } from "./lrs.ts";
import { LrsTracking, type Verdict } from "./lrs-tracking.ts";
import { scored, Statements } from "./statements.ts";
import { actorOf, launched } from "./xapi.ts";

const CMI5 = { id: "https://w3id.org/xapi/cmi5/context/categories/cmi5" };
const MOVEON = { id: "https://w3id.org/xapi/cmi5/context/categories/moveon" };
const MASTERY = "https://w3id.org/xapi/cmi5/context/extensions/masteryscore";
const DEFINED = { contextActivities: { category: [CMI5] } };

export class Cmi5Tracking extends LrsTracking {
  readonly #query: URLSearchParams;
  #normal = true;
  #mastery: number | null = null;

  constructor(query: string) {
    super();
    this.#query = new URLSearchParams(query);
  }

  async begin(scope: Scope): Promise<Begun> {
    const place = launched(this.#query, "");
    const fetchUrl = this.#query.get("fetch");
    if (!fetchUrl || !place.registration || !place.activity) throw new TrackingError("no-lms", "no fetch, registration or activityId in the address");
    const lrs = new Lrs({ ...place, authorization: `Basic ${await token(fetchUrl)}` });
    const launch = JSON.parse((await lrs.state("LMS.LaunchData")) ?? "{}") as LaunchData;
    const preferences = await lrs.profile("cmi5LearnerPreferences").catch(() => null);
    this.#normal = (launch.launchMode ?? "Normal") === "Normal";
    this.#mastery = launch.masteryScore ?? null;
    const text = await this.open(lrs, new Statements(scope.course, place, launch.contextTemplate ?? {}));
    this.push(this.about("initialized", null, DEFINED));
    await this.flush();
    const language = String(preferences?.["languagePreference"] ?? "").split(",")[0] ?? "";
    return { text, learner: JSON.stringify(place.actor), language: language || null, review: !this.#normal, mastery: this.#mastery };
  }

  who(): string {
    return actorOf(this.#query);
  }

  override answered(answered: Answered): void {
    if (this.#normal) super.answered(answered);
  }

  leave(snapshot: Snapshot): void {
    if (!this.begun) return;
    if (this.#normal) this.judge(snapshot);
    this.push(this.about("terminated", { duration: duration(snapshot.seconds) }, DEFINED));
    this.last(snapshot, this.#normal).catch(() => undefined);
    this.waiting = [];
  }

  /** completed and passed once in a registration; failed is told once, and not after passed (cmi5 9.3.4, 9.3.5). */
  protected override judge(snapshot: Snapshot): void {
    if (!this.#normal) return;
    const { status, standing } = snapshot;
    const verdict = (verb: Verdict, result: Json): void => {
      const mastery = verb === "completed" || this.#mastery === null ? {} : { extensions: { [MASTERY]: this.#mastery } };
      this.tell(verb, snapshot, result, { contextActivities: { category: [CMI5, MOVEON] }, ...mastery });
    };
    // "completed" carries no score (9.5.1), and "passed" must agree with the mastery score of the launch (9.3.4).
    if (status.completion === "completed") verdict("completed", { completion: true });
    // CompletedAndPassed asks for both, also where the report's one word is "completed".
    const also = status.success === "unknown" && status.completion === "completed" && standing.passed === true && this.#mastery !== null;
    if (status.success === "passed" || also) verdict("passed", { success: true, ...scored(standing) });
    if (status.success === "failed" && !this.hasTold("passed")) verdict("failed", { success: false, ...scored(standing) });
  }
}

interface LaunchData {
  readonly launchMode?: string;
  readonly masteryScore?: number;
  readonly contextTemplate?: Json;
}

/** The fetch URL answers once; a second launch from the same address gets an error and no token (cmi5 8.2.3). */
async function token(url: string): Promise<string> {
  let answer: Response;
  try {
    answer = await fetch(url, { method: "POST" });
  } catch (error) {
    throw new TrackingError("no-network", String(error));
  }
  const found = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  const given = found["auth-token"];
  if (typeof given !== "string") throw new TrackingError("no-lms", `no token: ${String(found["error-text"] ?? answer.status)}`);
  return given;
}
