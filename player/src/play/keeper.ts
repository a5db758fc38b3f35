// Keeps what the learner did: into the journal at once, to the other side soon after, again and again while that fails. Says
// truthfully where it stands: "saved" is said only of what was confirmed. Before: `player.ts`; after: a `Tracking`.
import { type Journal, resumed } from "./journal.ts";
import type { Scope } from "./progress.ts";
import { type Begun, type Snapshot, type Tracking, TrackingError } from "./tracking.ts";

export interface Sign {
  readonly state: "idle" | "saving" | "saved" | "kept" | "lost" | "review";
  readonly why: TrackingError["sentence"] | null;
  readonly since: Date | null; // since when nothing could be saved
}

const SOON_MS = 1500;
const LONGEST_MS = 60_000;

export class Keeper {
  readonly #tracking: Tracking;
  readonly #tell: (sign: Sign) => void;
  readonly #journalOf: (learner: string) => Journal;
  #journal: Journal | null = null;
  #connected = false;
  #review = false;
  #base = "";
  #latest: Snapshot | null = null;
  #sending = false;
  #dirty = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #since: Date | null = null;

  constructor(tracking: Tracking, journalOf: (learner: string) => Journal, tell: (sign: Sign) => void) {
    this.#tracking = tracking;
    this.#journalOf = journalOf;
    this.#tell = tell;
  }

  /** What to go on with, and what the other side told. Never rejects: without the other side the journal alone is used. */
  async begin(scope: Scope): Promise<Begun & { readonly why: TrackingError["sentence"] | null }> {
    try {
      const begun = await this.#tracking.begin(scope);
      this.#connected = true;
      this.#review = begun.review;
      this.#base = begun.text;
      this.#journal = this.#journalOf(begun.learner);
      if (begun.review) this.#tell({ state: "review", why: null, since: null });
      return { ...begun, text: resumed(begun.text, this.#journal.read()), why: null };
    } catch (error) {
      this.#journal = this.#journalOf("");
      const why = error instanceof TrackingError ? error.sentence : "no-lms";
      this.#tell({ state: "kept", why, since: null });
      return { text: this.#journal.read()?.text ?? "", learner: "", language: null, review: false, mastery: null, why };
    }
  }

  /** Something changed. `now`: do not wait for more (a submitted quiz, a finished course). */
  changed(snapshot: Snapshot, now = false): void {
    this.#latest = snapshot;
    if (this.#review) return;
    this.#dirty = true;
    this.#since ??= new Date();
    const kept = this.#write(snapshot.text);
    if (!this.#connected) {
      this.#tell({ state: kept ? "kept" : "lost", why: "no-lms", since: this.#since });
      return;
    }
    if (this.#failures === 0) this.#schedule(now ? 0 : SOON_MS);
    else this.#tell({ state: kept ? "kept" : "lost", why: null, since: this.#since });
  }

  /** Try now: the learner asked, the network is back, or the page is being hidden. */
  flush(): void {
    if (this.#dirty && this.#connected && !this.#review) this.#schedule(0);
  }

  leave(snapshot: Snapshot): void {
    if (!this.#connected) return;
    clearTimeout(this.#timer);
    if (!this.#review) this.#write(snapshot.text);
    this.#tracking.leave(snapshot);
  }

  #schedule(delay: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#send(), delay);
  }

  async #send(): Promise<void> {
    if (this.#sending || !this.#latest || !this.#dirty) return;
    const snapshot = this.#latest;
    this.#sending = true;
    this.#dirty = false;
    this.#tell({ state: "saving", why: null, since: this.#since });
    try {
      await this.#tracking.save(snapshot);
      this.#failures = 0;
      this.#base = snapshot.text;
      this.#since = this.#dirty ? new Date() : null;
      this.#write(this.#latest.text);
      if (!this.#dirty) this.#tell({ state: "saved", why: null, since: null });
      else this.#schedule(SOON_MS);
    } catch (error) {
      this.#dirty = true;
      this.#failures++;
      const why = error instanceof TrackingError ? error.sentence : "lms-refused";
      this.#tell({ state: this.#write(this.#latest.text) ? "kept" : "lost", why, since: this.#since });
      this.#schedule(Math.min(LONGEST_MS, 1000 * 2 ** this.#failures));
    } finally {
      this.#sending = false;
    }
  }

  #write(text: string): boolean {
    return this.#journal?.write({ text, base: this.#base, at: new Date().toISOString() }) ?? false;
  }
}
