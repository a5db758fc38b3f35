// The run-time that the content of one item finds: scorm-again behind the eight functions of its API and nothing more. Each call is
// answered at once, from memory; what it changed is handed on afterwards. AICC's API is that of SCORM 1.2, which was made from it.
import { Scorm12API, Scorm2004API } from "scorm-again";
import type { Item } from "./course.ts";
import type { Kept, Status } from "./record.ts";
import { launchDataOf, objectiveIdsOf } from "./sequencing.ts";

export interface Learner {
  readonly id: string;
  readonly name: string;
}

/** What a session tells. `save` answers whether what is there now is kept, so that a commit says the truth. */
export interface Hooks {
  /** Something was set. */
  changed(): void;
  save(): boolean;
  /** The content has ended its session. */
  ended(): void;
}

export interface Session {
  readonly name: "API" | "API_1484_11";
  /** What stands at the window of the wrapper under that name. */
  readonly face: object;
  /** Whether content has begun and not ended. */
  readonly live: boolean;
  /** What content has told, or null where it never began. */
  snapshot(): Kept | null;
  /** Ends for content that went away without a word. */
  end(): void;
}

type Api = Scorm12API | Scorm2004API;
const SILENT = 5;
const FIELDS_OF_ONE_SESSION = /\.(session_time|exit|entry|_version|_children|_count)$/;

/** Settings of both: a commit is kept by whoever `save` is, not sent by the run-time itself. */
export function settingsOf(save: () => boolean): object {
  const httpService = {
    processHttpRequest: (_url: string, _data: unknown, ending: boolean) => (save() || ending ? { result: "true", errorCode: 0 } : { result: "false", errorCode: 101 }),
    updateSettings: () => undefined,
  };
  return { logLevel: SILENT, autocommit: false, lmsCommitUrl: "kept:", httpService, mastery_override: true };
}

const FUNCTIONS = {
  API: { begin: "LMSInitialize", end: "LMSFinish", set: "LMSSetValue", rest: ["LMSGetValue", "LMSCommit", "LMSGetLastError", "LMSGetErrorString", "LMSGetDiagnostic"] },
  API_1484_11: { begin: "Initialize", end: "Terminate", set: "SetValue", rest: ["GetValue", "Commit", "GetLastError", "GetErrorString", "GetDiagnostic"] },
} as const;

/** The functions alone. `mayNavigate`: whether a request of content to go elsewhere is heard now. */
export function faceOf(api: Api, name: Session["name"], hooks: Hooks, mayNavigate: () => boolean = () => true): object {
  const call = (each: string, given: unknown[]): string => String((api as unknown as { [name: string]: (...given: unknown[]) => unknown })[each]?.(...given) ?? "");
  const { begin, end, set, rest } = FUNCTIONS[name];
  return {
    ...(name === "API_1484_11" ? { version: "1.0" } : {}),
    ...Object.fromEntries(rest.map((each) => [each, (...given: unknown[]) => call(each, given)])),
    [begin]: (...given: unknown[]) => {
      const answer = call(begin, given);
      if (answer === "true") hooks.changed();
      return answer;
    },
    [set]: (...given: unknown[]) => {
      if (given[0] === "adl.nav.request" && !mayNavigate()) return "true";
      const answer = call(set, given);
      if (answer === "true") hooks.changed();
      return answer;
    },
    [end]: (...given: unknown[]) => {
      const before = api.isTerminated();
      // Who leaves for a while without a word on how far it is has not done it (RTE 1.2, 3.3.2).
      if (api instanceof Scorm12API) api.settings = { ...api.settings, autoCompleteLessonStatus: api.cmi.core.toJSON().exit !== "suspend" };
      const answer = call(end, given);
      if (!before && api.isTerminated()) hooks.ended();
      return answer;
    },
  };
}

export const liveOf = (api: Api): boolean => api.isInitialized() && !api.isTerminated();

/** Loads the data model, identifiers first, on which the rest depends. What is empty is left as the run-time has it, and so is what it refuses: a
 * manifest may say anything. */
export function load(api: Api, values: Readonly<Record<string, string>>): void {
  const rank = (element: string): string => element.replace(/\d+/g, (digits) => digits.padStart(6, "0")).replace(/\.id$/, ".!").replace(/\.type$/, ".\"");
  const entries = Object.entries(values).filter(([, value]) => value !== "");
  entries.sort(([one], [other]) => (rank(one) < rank(other) ? -1 : 1));
  for (const [element, value] of entries) {
    try {
      api.loadFromFlattenedJSON({ [element]: value });
    } catch {
      continue;
    }
  }
}

/** All of the data model that content may read again, as it is now. */
export function cmiOf(api: Api): Readonly<Record<string, string>> {
  const flat = api.getFlattenedCMI() as { [name: string]: unknown };
  const kept = Object.entries(flat).filter((each): each is [string, string] => typeof each[1] === "string" && each[1] !== "" && !FIELDS_OF_ONE_SESSION.test(each[0]));
  return Object.fromEntries(kept);
}

// -- SCORM 1.2 and AICC -------------------------------------------------------------------------------------------------------

export function begin12(item: Item, kept: Kept | null, learner: Learner, hooks: Hooks): Session {
  const api = new Scorm12API(settingsOf(() => hooks.save()) as ConstructorParameters<typeof Scorm12API>[0]);
  // Without a suspend the data of the attempt stays all the same: 1.2 knows no second attempt.
  const entry = kept === null ? "ab-initio" : kept.exit === "suspend" || kept.exit === null ? "resume" : "";
  const before = kept ? { ...kept.cmi, "cmi.core.total_time": kept.total } : {};
  load(api, {
    ...(before["cmi.core.lesson_status" as keyof typeof before] === "not attempted" ? { ...before, "cmi.core.lesson_status": "" } : before),
    "cmi.core.student_id": learner.id,
    "cmi.core.student_name": learner.name,
    "cmi.core.credit": "credit",
    "cmi.core.entry": entry,
    "cmi.launch_data": item.data_from_lms,
    "cmi.student_data.mastery_score": item.mastery_score,
    "cmi.student_data.max_time_allowed": item.max_time_allowed,
    "cmi.student_data.time_limit_action": actionOf(item.time_limit_action),
  });
  return sessionOf(api, "API", hooks, () => {
    const cmi = cmiOf(api);
    const status = cmi["cmi.core.lesson_status"] ?? "";
    const raw = Number.parseFloat(cmi["cmi.core.score.raw"] ?? "");
    const max = Number.parseFloat(cmi["cmi.core.score.max"] ?? "") || 100;
    return { cmi, exit: api.isTerminated() ? String(api.cmi.core.toJSON().exit) : null, status: STATUS_12[status] ?? "begun", score: Number.isFinite(raw) ? Math.min(1, Math.max(0, raw / max)) : null };
  });
}

/** AICC writes letters where SCORM has words: `E,N` is exit without a message. */
const actionOf = (action: string): string =>
  action.replace(/^\s*([CE])\s*,\s*([MN])\s*$/i, (_, first: string, second: string) => `${/e/i.test(first) ? "exit" : "continue"},${/n/i.test(second) ? "no message" : "message"}`);

const STATUS_12: Readonly<Record<string, Status>> = { passed: "passed", completed: "done", browsed: "done", failed: "failed", incomplete: "begun", "not attempted": "begun" };

// -- SCORM 2004 -----------------------------------------------------------------------------------------------------------------

export function begin2004(item: Item, kept: Kept | null, learner: Learner, hooks: Hooks): Session {
  const api = new Scorm2004API(settingsOf(() => hooks.save()) as ConstructorParameters<typeof Scorm2004API>[0]);
  load(api, launch2004(item, goesOn(kept) ? kept : null, learner));
  return sessionOf(api, "API_1484_11", hooks, () => told2004(api));
}

/** What the data model holds at a launch: of an attempt that goes on all it held, of a new one what the manifest says. */
export function launch2004(item: Item, kept: Kept | null, learner: Learner): Readonly<Record<string, string>> {
  const objectives = Object.fromEntries(objectiveIdsOf(item).map((id, at) => [`cmi.objectives.${at}.id`, id]));
  return {
    ...objectives,
    ...(kept ? { ...kept.cmi, "cmi.total_time": kept.total } : {}),
    "cmi.learner_id": learner.id,
    "cmi.learner_name": learner.name,
    "cmi.entry": kept ? "resume" : "ab-initio",
    ...launchDataOf(item),
  };
}

/** Whether the next launch goes on with this attempt. Many tools never say “suspend” and keep a bookmark all the same. */
export function goesOn(kept: Kept | null): boolean {
  if (kept === null || kept.exit === null || kept.exit === "suspend") return true;
  const bookmark = kept.cmi["cmi.suspend_data"] || kept.cmi["cmi.location"];
  return kept.exit === "" && !!bookmark && kept.cmi["cmi.completion_status"] !== "completed";
}

export function told2004(api: Scorm2004API): Omit<Kept, "total"> {
  const cmi = cmiOf(api);
  const [progress, threshold] = [Number.parseFloat(cmi["cmi.progress_measure"] ?? ""), Number.parseFloat(cmi["cmi.completion_threshold"] ?? "")];
  const [scaled, passing] = [Number.parseFloat(cmi["cmi.score.scaled"] ?? ""), Number.parseFloat(cmi["cmi.scaled_passing_score"] ?? "")];
  // Where there is a threshold the measure decides, whatever content says (RTE 4.2.4.1, 4.2.21.1).
  const success = Number.isFinite(scaled) && Number.isFinite(passing) ? (scaled >= passing ? "passed" : "failed") : cmi["cmi.success_status"];
  const completed = Number.isFinite(progress) && Number.isFinite(threshold) ? progress >= threshold : cmi["cmi.completion_status"] === "completed";
  const status: Status = success === "passed" || success === "failed" ? success : completed ? "done" : "begun";
  return { cmi, exit: api.isTerminated() ? api.cmi.getExitValueInternal() : null, status, score: Number.isFinite(scaled) ? Math.min(1, Math.max(0, scaled)) : null };
}

function sessionOf(api: Api, name: Session["name"], hooks: Hooks, told: () => Omit<Kept, "total">): Session {
  const face = faceOf(api, name, hooks);
  return {
    name,
    face,
    get live() {
      return liveOf(api);
    },
    snapshot: () => (api.isNotInitialized() ? null : { ...told(), total: api.cmi.getCurrentTotalTime() }),
    end: () => {
      if (liveOf(api)) (face as { [name: string]: (given: string) => string })[FUNCTIONS[name].end]?.("");
    },
  };
}
