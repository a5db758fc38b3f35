// cmi5 (Quartz): the launch is in the query; the token is fetched once; LMS.LaunchData says mode, mastery score and the context
// that each statement must carry. Order: initialized, then what happens, then terminated, and nothing after it (cmi5 9.3).
// Statements of a session that ended without "terminated" are not sent in a later one: the platform has ended it as abandoned.
import type { Scope } from "../progress.ts";
import { type Answered, type Begun, type Snapshot, type Tracking, TrackingError } from "../tracking.ts";
import { duration } from "./interactions.ts";
import { type Json, Lrs } from "./lrs.ts";
import { scored, Statements } from "./statements.ts";
import { launched } from "./xapi.ts";

const STATE = "content-player-1";
const CMI5 = "https://w3id.org/xapi/cmi5/context/categories/cmi5";
const MOVEON = "https://w3id.org/xapi/cmi5/context/categories/moveon";
const MASTERY = "https://w3id.org/xapi/cmi5/context/extensions/masteryscore";
const DEFINED = { contextActivities: { category: [{ id: CMI5 }] } };

export class Cmi5Tracking implements Tracking {
  readonly #query: URLSearchParams;
  #lrs: Lrs | null = null;
  #statements: Statements | null = null;
  #waiting: Json[] = [];
  #told = new Set<string>();
  #mode = "Normal";
  #mastery: number | null = null;
  #return = "";

  constructor(query: string) {
    this.#query = new URLSearchParams(query);
  }

  async begin(scope: Scope): Promise<Begun> {
    const place = launched(this.#query, "");
    const fetchUrl = this.#query.get("fetch");
    if (!fetchUrl || !place.registration || !place.activity) throw new TrackingError("no-lms", "no fetch, registration or activityId in the address");
    this.#lrs = new Lrs({ ...place, authorization: `Basic ${await token(fetchUrl)}` });
    const launch = JSON.parse((await this.#lrs.state("LMS.LaunchData")) ?? "{}") as LaunchData;
    const preferences = await this.#lrs.profile("cmi5LearnerPreferences");
    this.#mode = launch.launchMode ?? "Normal";
    this.#mastery = launch.masteryScore ?? null;
    this.#return = launch.returnURL ?? "";
    this.#statements = new Statements(scope.course, place, launch.contextTemplate ?? {});
    const [text = "", told = ""] = ((await this.#lrs.state(STATE)) ?? "").split("\n");
    this.#told = new Set(told.split(",").filter(Boolean));
    this.#waiting.push(this.#defined("initialized", null));
    await this.#flush();
    const language = String(preferences?.["languagePreference"] ?? "").split(",")[0] ?? "";
    return { text, learner: JSON.stringify(place.actor), language: language || null, review: this.#mode !== "Normal", mastery: this.#mastery };
  }

  /** Where the platform wants the learner to go when all is read; "" if it did not say. */
  get returnUrl(): string {
    return this.#return;
  }

  answered(answered: Answered): void {
    if (this.#statements && this.#mode === "Normal") this.#waiting.push(this.#statements.answered(answered));
  }

  async save(snapshot: Snapshot): Promise<void> {
    this.#judge(snapshot);
    await this.#flush();
    await this.#lrs?.keep(STATE, this.#document(snapshot));
  }

  leave(snapshot: Snapshot): void {
    if (!this.#lrs || !this.#statements) return;
    if (this.#mode === "Normal") {
      this.#judge(snapshot);
      void this.#lrs.keep(STATE, this.#document(snapshot), true).catch(() => undefined);
    }
    this.#waiting.push(this.#defined("terminated", { duration: duration(snapshot.seconds) }));
    void this.#lrs.statements(this.#waiting, true).catch(() => undefined);
    this.#waiting = [];
  }

  /** completed and passed once in a registration; failed again after each failed attempt is not told (cmi5 9.3.4, 9.3.5). */
  #judge({ status, standing, seconds }: Snapshot): void {
    if (this.#mode !== "Normal") return;
    const tell = (verb: "completed" | "passed" | "failed", result: Json): void => {
      if (this.#told.has(verb) || (verb === "failed" && this.#told.has("passed"))) return;
      this.#told.add(verb);
      const mastery = verb === "completed" || this.#mastery === null ? {} : { extensions: { [MASTERY]: this.#mastery } };
      this.#waiting.push(this.#defined(verb, { ...result, duration: duration(seconds) }, { contextActivities: { category: [{ id: CMI5 }, { id: MOVEON }] }, ...mastery }));
    };
    // "completed" carries no score (9.5.1), and "passed" must agree with the mastery score of the launch (9.3.4).
    if (status.completion === "completed") tell("completed", { completion: true });
    // CompletedAndPassed asks for both, also where the report's one word is "completed".
    const also = status.success === "unknown" && status.completion === "completed" && standing.passed === true && this.#mastery !== null;
    if (status.success === "passed" || also) tell("passed", { success: true, ...scored(standing) });
    if (status.success === "failed") tell("failed", { success: false, ...scored(standing) });
  }

  #defined(verb: "initialized" | "completed" | "passed" | "failed" | "terminated", result: Json | null, context: Json = DEFINED): Json {
    if (!this.#statements) throw new TrackingError("no-lms", "not begun");
    return this.#statements.about(verb, result, context);
  }

  #document = (snapshot: Snapshot): string => `${snapshot.text}\n${[...this.#told].join(",")}`;

  async #flush(): Promise<void> {
    const sending = [...this.#waiting];
    await this.#lrs?.statements(sending);
    this.#waiting = this.#waiting.slice(sending.length);
  }
}

interface LaunchData {
  readonly launchMode?: string;
  readonly masteryScore?: number;
  readonly returnURL?: string;
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
