// What an adapter must do. The player knows none of SCORM, cmi5 or xAPI: it hands over what is to be kept and told.
import type { Answer } from "./answers.ts";
import type { Question, QuizBlock } from "./course.ts";
import type { Scope, Standing, Status } from "./progress.ts";

/** What was kept before: `text` as `state.ts` wrote it ("" if nothing was), and which learner it is of ("" if unknown). */
export interface Begun {
  readonly text: string;
  readonly learner: string;
  readonly language: string | null; // the learner's choice at the LMS
  readonly review: boolean; // nothing is to be recorded
  readonly mastery: number | null; // 0–1, where the other side has one: it outranks the course's own
}

export interface Answered {
  readonly quiz: QuizBlock;
  readonly question: Question;
  readonly answer: Answer;
  readonly right: boolean;
  readonly at: Date;
  readonly latency_s: number;
}

/**
 * One moment: `text` is the whole state, `place` the id of the block where one is, `allDone` whether everything of this launch was
 * seen and handed in, whatever the author's rule is. `seconds`: since the launch.
 */
export interface Snapshot {
  readonly text: string;
  readonly place: string;
  readonly standing: Standing;
  readonly status: Status;
  readonly allDone: boolean;
  readonly seconds: number;
}

export interface Tracking {
  /** Characters of `text` that the other side keeps; absent where there is no limit that a course could reach. */
  readonly limit?: number;
  /** Opens the connection. Rejects with a `TrackingError`; the player goes on without and says that nothing is recorded. */
  begin(scope: Scope): Promise<Begun>;
  /** A question was answered, in a submitted attempt. Kept until the next `save`. */
  answered(answered: Answered): void;
  /** Resolves only when the other side has confirmed that it is kept; rejects with a `TrackingError`. */
  save(snapshot: Snapshot): Promise<void>;
  /** The page is being left: what can be sent now is sent, without waiting. Called once. `changed`: whether anything is not saved. */
  leave(snapshot: Snapshot, changed: boolean): void;
  /** The learner as far as the launch names them, before anything was asked: whose journal it is when `begin` fails. */
  who?(): string;
}

/** `sentence` is a key of the locale files. */
export class TrackingError extends Error {
  constructor(
    readonly sentence: "no-lms" | "lms-refused" | "no-network" | "no-storage",
    detail: string,
  ) {
    super(detail);
    this.name = "TrackingError";
  }
}
