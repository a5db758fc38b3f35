// Keeps what the learner did: into the journal at once, to the other side soon after, again and again while that fails. Says
// truthfully where it stands: "saved" is said only of what was confirmed. Before: `player.ts`; after: a `Tracking`.
import { type Entry, type Journal, resumed } from "./journal.ts";
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
  #scope: Scope | null = null;
  #connected = false;
  #review = false;
  #why: TrackingError["sentence"] | null = null; // why there is no connection
  #base = "";
  #sent = "";
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
    this.#scope = scope;
    try {
      const begun = await this.#tracking.begin(scope);
      this.#connected = true;
      this.#review = begun.review;
      this.#base = begun.text;
      this.#journal = this.#journalOf(begun.learner);
      if (begun.review) this.#tell({ state: "review", why: null, since: null });
      return { ...begun, text: resumed(begun.text, this.#journal.read()), why: null };
    } catch (error) {
      const who = this.#tracking.who?.() ?? "";
      this.#journal = this.#journalOf(who);
      this.#why = error instanceof TrackingError ? error.sentence : "no-lms";
      // Of somebody who is not known nothing is shown: on a shared computer it may be another's.
      const entry = who ? this.#journal.read() : null;
      this.#base = entry?.base ?? "";
      this.#tell({ state: "kept", why: this.#why, since: null });
      return { text: entry?.text ?? "", learner: who, language: null, review: false, mastery: null, why: this.#why };
    }
  }

  /** Something changed. `now`: do not wait for more (a submitted quiz, a finished course). */
  changed(snapshot: Snapshot, now = false): void {
    this.#latest = snapshot;
    if (this.#review) return;
    this.#dirty = true;
    this.#since ??= new Date();
    const kept = this.#write(snapshot.text);
    if (!this.#connected || this.#failures > 0) {
      this.#tell({ state: kept ? "kept" : "lost", why: this.#why, since: this.#since });
      if (!this.#connected && this.#timer === undefined) this.#schedule(SOON_MS);
    } else if (now || this.#timer === undefined) this.#schedule(now ? 0 : SOON_MS); // whoever reads fast is saved all the same
  }

  /** Try now: the learner asked, the network is back, or the page is being hidden. */
  flush(): void {
    if (this.#dirty && !this.#review) this.#schedule(0);
  }

  leave(snapshot: Snapshot): void {
    clearTimeout(this.#timer);
    const changed = this.#dirty || this.#sending;
    if (changed && !this.#review) this.#write(snapshot.text);
    if (this.#connected) this.#tracking.leave(snapshot, changed);
  }

  #schedule(delay: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#send();
    }, delay);
  }

  async #send(): Promise<void> {
    if (this.#sending || !this.#dirty) return;
    this.#sending = true;
    try {
      if (!this.#connected && !(await this.#connect())) return;
      const snapshot = this.#latest as Snapshot;
      this.#dirty = false;
      this.#tell({ state: "saving", why: null, since: this.#since });
      this.#sent = snapshot.text;
      this.#write(snapshot.text);
      await this.#tracking.save(snapshot);
      this.#failures = 0;
      this.#why = null;
      this.#base = snapshot.text;
      this.#since = this.#dirty ? new Date() : null;
      this.#write((this.#latest as Snapshot).text);
      if (!this.#dirty) this.#tell({ state: "saved", why: null, since: null });
      else this.#schedule(SOON_MS);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#sending = false;
    }
  }

  /** A start that failed for want of a network is tried again; of a platform that is not there it is not. */
  async #connect(): Promise<boolean> {
    if (this.#why !== "no-network" || !this.#scope) return false;
    const begun = await this.#tracking.begin(this.#scope);
    // Who went on elsewhere meanwhile has more there than here: that is not written over.
    if (begun.text !== "" && begun.text !== this.#base) {
      this.#why = "lms-refused";
      return false;
    }
    this.#connected = true;
    return true;
  }

  #failed(error: unknown): void {
    this.#dirty = true;
    this.#failures++;
    this.#why = error instanceof TrackingError ? error.sentence : "lms-refused";
    const kept = this.#latest !== null && this.#write(this.#latest.text);
    this.#tell({ state: kept ? "kept" : "lost", why: this.#why, since: this.#since });
    this.#schedule(Math.min(LONGEST_MS, 1000 * 2 ** this.#failures));
  }

  #write(text: string): boolean {
    const entry: Entry = { text, base: this.#base, sent: this.#sent, at: new Date().toISOString() };
    return this.#journal?.write(entry) ?? false;
  }
}
