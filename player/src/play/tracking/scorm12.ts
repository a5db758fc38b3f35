// SCORM 1.2. `lesson_location` holds the block, `lesson_status` and `score` what the report kind says. There is no scaled score:
// `raw` is 0–100, as platforms show it. `exit` is "suspend", or platforms forget the state.
import type { Answered, Begun, Snapshot } from "../tracking.ts";
import { identifier, pattern, response, timespan, TYPES } from "./interactions.ts";
import { rounded, ScormTracking } from "./scorm.ts";

const RANKS: readonly string[] = ["not attempted", "browsed", "incomplete", "failed", "completed", "passed"];

export class Scorm12Tracking extends ScormTracking {
  constructor() {
    super({
      api: "API", initialize: "LMSInitialize", terminate: "LMSFinish", get: "LMSGetValue", set: "LMSSetValue",
      commit: "LMSCommit", lastError: "LMSGetLastError", learner: "cmi.core.student_id",
      language: "cmi.student_preference.language", mode: "cmi.core.lesson_mode",
      mastery: "cmi.student_data.mastery_score", masteryMost: 100, suspendChars: 4096,
    });
  }

  #told = "";
  #score = 0;

  override async begin(): Promise<Begun> {
    const begun = await super.begin();
    this.#told = this.get("cmi.core.lesson_status");
    this.#score = Number(this.get("cmi.core.score.raw")) || 0;
    return begun;
  }

  /** Nothing that was told at an earlier launch is taken back: a new version of the course begins with an empty state. */
  protected override write({ place, standing, status, seconds }: Snapshot): void {
    this.set("cmi.core.lesson_location", place);
    if (standing.score && standing.score.scaled * 100 >= this.#score) {
      this.optional("cmi.core.score.min", "0"); // optional in 1.2, as max is
      this.optional("cmi.core.score.max", "100");
      this.set("cmi.core.score.raw", rounded(standing.score.scaled * 100));
    }
    if (RANKS.indexOf(status.lesson) >= RANKS.indexOf(this.#told)) this.set("cmi.core.lesson_status", status.lesson);
    this.set("cmi.core.exit", "suspend");
    this.set("cmi.core.session_time", timespan(seconds));
  }

  protected override tell(answered: Answered): void {
    const at = `cmi.interactions.${this.count}`;
    if (!this.optional(`${at}.id`, identifier(answered))) return;
    this.count++;
    this.optional(`${at}.type`, TYPES[answered.question.kind]);
    this.optional(`${at}.time`, answered.at.toTimeString().slice(0, 8));
    this.optional(`${at}.weighting`, String(answered.question.points));
    this.optional(`${at}.student_response`, response(answered, "1.2"));
    this.optional(`${at}.correct_responses.0.pattern`, pattern(answered, "1.2", this.language));
    this.optional(`${at}.result`, answered.right ? "correct" : "wrong");
    this.optional(`${at}.latency`, timespan(answered.latency_s));
  }
}
