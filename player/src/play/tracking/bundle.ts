// Keeps a learner's state beside their bundles, in the database of progress, which no removal, expiry or new version of a bundle
// reaches. What was done in an earlier version is carried over.
import type { Database } from "../../device/database.ts";
import { type Course as Key, progressOf, saveProgress } from "../../device/progress.ts";
import { carried, type Outline } from "../carry.ts";
import type { Course } from "../course.ts";
import type { Scope } from "../progress.ts";
import { decode, encode } from "../state.ts";
import { type Answered, type Begun, type Snapshot, type Tracking, TrackingError } from "../tracking.ts";

const ITEM = "state";

interface Kept {
  readonly text: string;
  readonly outline: Outline;
}

export class BundleTracking implements Tracking {
  readonly #database: Database;
  readonly #key: Key;
  #course: Course | null = null;

  constructor(database: Database, key: Key) {
    this.#database = database;
    this.#key = key;
  }

  async begin(scope: Scope): Promise<Begun> {
    this.#course = scope.course;
    const kept = (await this.#touch(() => progressOf<Kept>(this.#database, this.#key))).find((each) => each.item === ITEM)?.value;
    return { text: kept ? inVersion(kept, scope.course) : "", learner: this.#key.learner, language: null, review: false, mastery: null };
  }

  answered(_answered: Answered): void {}

  async save(snapshot: Snapshot): Promise<void> {
    if (!this.#course) return;
    const { version, structure } = this.#course;
    const value: Kept = { text: snapshot.text, outline: { version, structure } };
    await this.#touch(() => saveProgress(this.#database, this.#key, { item: ITEM, savedAt: Math.floor(Date.now() / 1000), value }));
  }

  leave(snapshot: Snapshot, changed: boolean): void {
    if (changed) void this.save(snapshot).catch(() => undefined); // a transaction that was begun ends by itself; the journal has it too
  }

  async #touch<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw new TrackingError("no-storage", String(error));
    }
  }
}

function inVersion(kept: Kept, course: Course): string {
  if (kept.outline.version === course.version) return kept.text;
  try {
    return encode(course, carried(kept.outline, decode(kept.outline as Course, kept.text), course));
  } catch {
    return "";
  }
}
