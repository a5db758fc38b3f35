// Keeps everything on the learner's own device: an HTML export (from the disk, a server, or installed), and a bundle.
import type { Answered, Begun, Snapshot, Tracking } from "../tracking.ts";
import { TrackingError } from "../tracking.ts";

export class LocalTracking implements Tracking {
  readonly #key: string;

  constructor(packageId: string) {
    this.#key = `content-player/1/${packageId}/state`;
  }

  async begin(): Promise<Begun> {
    return { text: this.#touch(() => localStorage.getItem(this.#key) ?? ""), learner: "", language: null, review: false, mastery: null };
  }

  answered(_answered: Answered): void {}

  async save(snapshot: Snapshot): Promise<void> {
    this.#touch(() => localStorage.setItem(this.#key, snapshot.text));
  }

  leave(snapshot: Snapshot, changed: boolean): void {
    if (!changed) return; // another tab may have gone further
    try {
      localStorage.setItem(this.#key, snapshot.text);
    } catch {
      // The page is going; the sign has said it already.
    }
  }

  #touch<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw new TrackingError("no-storage", String(error));
    }
  }
}
