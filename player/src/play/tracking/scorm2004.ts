// SCORM 2004, 3rd and 4th edition: two statuses, a scaled score, progress. `exit` stays "suspend", also when all is done: after
// "normal" a platform begins a new attempt, and a learner who looks something up would find an empty course.
import type { Answered, Begun, Snapshot } from "../tracking.ts";
import { duration, identifier, pattern, response, TYPES } from "./interactions.ts";
import { rounded, ScormTracking } from "./scorm.ts";

export class Scorm2004Tracking extends ScormTracking {
  #done: number | null = null;
  #told = { completion: "", success: "", scaled: -1 };

  constructor() {
    super({
      api: "API_1484_11", initialize: "Initialize", terminate: "Terminate", get: "GetValue", set: "SetValue",
      commit: "Commit", lastError: "GetLastError", learner: "cmi.learner_id",
      language: "cmi.learner_preference.language", mode: "cmi.mode",
      mastery: "cmi.scaled_passing_score", masteryMost: 1, suspendChars: 64_000,
    });
  }

  protected override write({ place, standing, status, allDone, seconds }: Snapshot): void {
    this.set("cmi.location", place);
    // Nothing that was told at an earlier launch is taken back: a new version of the course begins with an empty state.
    const { completion, success, scaled } = this.#told;
    if (standing.score && standing.score.scaled >= scaled) {
      this.set("cmi.score.min", "0");
      this.set("cmi.score.max", rounded(standing.score.max));
      this.set("cmi.score.raw", rounded(standing.score.raw));
      this.set("cmi.score.scaled", rounded(standing.score.scaled));
    }
    this.set("cmi.progress_measure", rounded(standing.progress));
    if (completion !== "completed") this.set("cmi.completion_status", status.completion);
    if (success !== "passed" && (success !== "failed" || status.success !== "unknown")) this.set("cmi.success_status", status.success);
    // Units that wait for this one look at an objective of their own (content/exports/sequencing.py).
    if (allDone && this.#done !== null) this.optional(`cmi.objectives.${this.#done}.success_status`, "passed");
    this.set("cmi.exit", "suspend");
    this.set("cmi.session_time", duration(seconds));
  }

  override async begin(): Promise<Begun> {
    const begun = await super.begin();
    const count = Number(this.get("cmi.objectives._count")) || 0;
    const ids = Array.from({ length: count }, (_, at) => this.get(`cmi.objectives.${at}.id`));
    this.#done = ids.includes("done") ? ids.indexOf("done") : null;
    const scaled = this.get("cmi.score.scaled");
    this.#told = { completion: this.get("cmi.completion_status"), success: this.get("cmi.success_status"), scaled: scaled === "" ? -1 : Number(scaled) };
    return begun;
  }

  protected override tell(answered: Answered): void {
    const at = `cmi.interactions.${this.count}`;
    if (!this.optional(`${at}.id`, identifier(answered))) return;
    this.count++;
    this.optional(`${at}.type`, TYPES[answered.question.kind]);
    // A time zone may follow fractions of a second alone (RTE 4.1.1.7, time(second,10,0)).
    this.optional(`${at}.timestamp`, answered.at.toISOString().replace(/\.(\d\d)\d*Z$/, ".$1Z"));
    this.optional(`${at}.weighting`, String(answered.question.points));
    this.optional(`${at}.learner_response`, response(answered, "2004"));
    this.optional(`${at}.correct_responses.0.pattern`, pattern(answered, "2004", this.language));
    this.optional(`${at}.result`, answered.right ? "correct" : "incorrect");
    this.optional(`${at}.latency`, duration(answered.latency_s));
  }
}
