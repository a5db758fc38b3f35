// The journal on the learner's own device: each change is written here before it is sent, so that a closed tab, a dead battery
// or an LMS that is away loses nothing. At the next launch it wins over the LMS only if the LMS still has what it had when
// this device last heard of it (or what it last sent there); if not, the learner went on elsewhere and that is newer.

export interface Entry {
  readonly text: string; // the newest state
  readonly base: string; // the state that the other side last confirmed
  readonly sent?: string; // the state that was last sent: it may have arrived though nobody confirmed it
  readonly at: string; // RFC 3339, for people who look
}

export interface Journal {
  read(): Entry | null;
  /** False if this device keeps nothing (private window, full, forbidden). */
  write(entry: Entry): boolean;
}

export class LocalJournal implements Journal {
  readonly #key: string;

  constructor(packageId: string, unit: string | null, learner: string) {
    this.#key = `content-player/1/${packageId}/${unit ?? ""}/${fingerprint(learner)}`;
  }

  read(): Entry | null {
    try {
      const found: unknown = JSON.parse(localStorage.getItem(this.#key) ?? "null");
      return isEntry(found) ? found : null;
    } catch {
      return null;
    }
  }

  write(entry: Entry): boolean {
    try {
      localStorage.setItem(this.#key, JSON.stringify(entry));
      return true;
    } catch {
      return false;
    }
  }
}

/** Which state to go on with. */
export function resumed(told: string, entry: Entry | null): string {
  return entry !== null && entry.text !== entry.base && (entry.base === told || entry.sent === told) ? entry.text : told;
}

function isEntry(value: unknown): value is Entry {
  const entry = value as Entry | null;
  return typeof entry === "object" && entry !== null && typeof entry.text === "string" && typeof entry.base === "string";
}

/** FNV-1a: tells learners of a shared computer apart without writing their names onto it. Not a secret. */
export function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16);
}
