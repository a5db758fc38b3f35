// A SCORM 2004 package whose manifest says what comes when: one run-time for the whole of it, which decides what is delivered. What
// the learner asks for here comes before what content asks for on its way out, as the run-time environment's book has it.
import { Scorm2004API } from "scorm-again";
import type { Item, Organization, Scorm } from "./course.ts";
import type { Kept } from "./record.ts";
import { faceOf, type Hooks, type Learner, launch2004, liveOf, load, type Session, settingsOf, told2004 } from "./runtime.ts";
import { sequencingOf } from "./sequencing.ts";

/** What may be asked for now. `open`: the items that may be chosen. */
export interface Ways {
  readonly next: boolean;
  readonly previous: boolean;
  readonly open: ReadonlySet<string>;
}

export interface Events {
  /** To be opened once what is open now has gone. */
  deliver(item: string): void;
  ways(ways: Ways): void;
  /** Nothing is delivered any more. `suspended`: it can be gone on with. */
  over(suspended: boolean): void;
}

export type Request = "continue" | "previous" | "suspendAll" | "exit" | { readonly choice: string };

const SHOWN = ["continue", "previous"] as const;

/** The state of a session that has ended, or broke off. The run-time (3.4) puts the root back as what is open after a suspend, and then
 * finds nothing to resume: what is not active is not open. */
function atRest(text: string): string {
  const state = JSON.parse(text) as { currentActivityId: string | null; sequencing: { currentActivity: string | null; activityStates?: { [id: string]: { isActive?: boolean } } } | null; suspensionState?: { currentActivityId?: string | null } };
  const { sequencing, suspensionState } = state;
  if (!sequencing || sequencing.activityStates?.[sequencing.currentActivity ?? ""]?.isActive) return text;
  return JSON.stringify({ ...state, currentActivityId: null, sequencing: { ...sequencing, currentActivity: null }, ...(suspensionState ? { suspensionState: { ...suspensionState, currentActivityId: null } } : {}) });
}

export class Sequencer {
  readonly #api: Scorm2004API;
  readonly #root: string;
  #asked: Request | null = null;
  #delivered = 0;

  constructor(scorm: Scorm, organization: Organization, kept: string | null, hooks: Pick<Hooks, "save">, events: Events) {
    this.#root = organization.identifier;
    const eventListeners = {
      onActivityDelivery: (activity: { readonly id: string }) => events.deliver(activity.id),
      onNavigationValidityUpdate: (valid: { continue: boolean; previous: boolean; choice: { [id: string]: string }; hideLmsUi: readonly string[] }) =>
        events.ways({
          next: valid.continue && !valid.hideLmsUi.includes(SHOWN[0]),
          previous: valid.previous && !valid.hideLmsUi.includes(SHOWN[1]),
          open: new Set(Object.entries(valid.choice).flatMap(([id, can]) => (can === "true" ? [id] : []))),
        }),
      onSequencingSessionEnd: (data: { readonly reason: string }) => events.over(/suspend/i.test(data.reason)),
    };
    const sequencing = { ...sequencingOf(scorm, organization), eventListeners, logLevel: "error" };
    const settings = { ...settingsOf(() => hooks.save()), sequencing };
    this.#api = new Scorm2004API(settings as unknown as ConstructorParameters<typeof Scorm2004API>[0]);
    if (kept) this.#api.deserializeSequencingState(atRest(kept));
  }

  /** Begins, or goes on with what was suspended, else with `here`: what is delivered is told by the events. Answers the item that was
   * still open when the page went away. */
  start(here: string | null): string | null {
    const { currentActivity } = this.#api.getSequencingState() as { readonly currentActivity?: { readonly id: string; readonly isActive: boolean } | null };
    if (currentActivity?.isActive) return currentActivity.id;
    if (this.#api.processNavigationRequest("resumeAll")) return null;
    if (here === null || !this.#api.processNavigationRequest("choice", here)) this.#api.processNavigationRequest("start");
    return null;
  }

  /** A run-time for the item that was delivered. */
  session(item: Item, kept: Kept | null, learner: Learner, hooks: Hooks): Session {
    const api = this.#api;
    this.#asked = null;
    if (this.#delivered++ > 0) api.reset(undefined, { preserveListeners: true, resetTotalTime: true });
    load(api, launch2004(item, kept?.exit === "suspend" || kept?.exit === null ? kept : null, learner));
    const ended = (): void => {
      this.#asked = null; // what was asked for was done with it
      hooks.ended();
    };
    const face = faceOf(api, "API_1484_11", { ...hooks, changed: () => hooks.changed(), save: () => hooks.save(), ended }, () => this.#asked === null);
    return {
      name: "API_1484_11",
      face,
      get live() {
        return liveOf(api);
      },
      snapshot: () => (api.isNotInitialized() ? null : { ...told2004(api), total: api.cmi.getCurrentTotalTime() }),
      end: () => {
        if (liveOf(api)) (face as { Terminate(given: string): string }).Terminate("");
      },
    };
  }

  /** Whether the way on leads nowhere as things stand now, with what content has told so far. */
  blocks(request: "continue" | "previous"): boolean {
    return this.#api.previewNavigationRequest(request).outcome === "blocked";
  }

  /** What is wanted, while content is still open: it is done when that ends. */
  ask(request: Request): void {
    this.#asked = request;
    if (liveOf(this.#api)) this.#api.SetValue("adl.nav.request", typeof request === "string" ? request : `{target=${request.choice}}choice`);
  }

  /** Does it now, where nothing is open that would end first: content that never began, or none at all. */
  go(): void {
    const asked = this.#asked;
    this.#asked = null;
    if (asked === null || liveOf(this.#api)) return;
    if (typeof asked === "string") this.#api.processNavigationRequest(asked);
    else this.#api.processNavigationRequest("choice", asked.choice);
  }

  /** What may be chosen before anything was delivered. */
  get choices(): ReadonlySet<string> {
    return new Set(this.#api.getSequencingService()?.getOverallSequencingProcess()?.getAvailableChoices() ?? []);
  }

  get state(): string {
    return this.#api.serializeSequencingState();
  }

  /** Of the whole, as it was rolled up; null where the rules have not said anything yet. */
  get outcome(): { readonly completed: boolean; readonly passed: boolean | null; readonly score: number | null } | null {
    const found = this.#api.getActivityTrackingData(this.#root);
    if (!found || (found.completionStatus === "unknown" && found.successStatus === "unknown")) return null;
    const passed = found.successStatus === "passed" ? true : found.successStatus === "failed" ? false : null;
    return { completed: found.completionStatus === "completed", passed, score: found.score };
  }
}
