// Keeps a record: in this browser at once, and with the page around where there is one, which has a place of its own for it. Says
// truthfully where it stands. Content of the same origin can write to this browser's storage, so what comes from there is parsed
// again, and what is lost by it is the learner's progress in this one package.
import type { Sign } from "../play/keeper.ts";
import type { FromPlayer, ToPlayer } from "./messages.ts";
import { later, parse, type Remembered } from "./record.ts";

const AGAIN_MS = 5000;

export class Keeping {
  readonly #key: string;
  readonly #port: MessagePort | null;
  readonly #tell: (sign: Sign) => void;
  #latest: Remembered | null = null;
  #since: Date | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `whose`: the learner, and where in a page around it is played. `port`: to a page around that keeps records. */
  constructor(packageId: string, whose: string, port: MessagePort | null, tell: (sign: Sign) => void) {
    this.#key = `content-imported/1/${packageId}/${whose}`;
    this.#port = port;
    this.#tell = tell;
    if (port) port.onmessage = (event: MessageEvent<ToPlayer>) => this.#heard(event.data);
  }

  /** The record to go on with. `handed`: what the page around has kept. */
  begin(handed: string | null, version: number): Remembered | null {
    return later(parse(handed, version), parse(this.#read(), version));
  }

  /** Whether it is kept now, or on its way to somebody who keeps it. */
  save(record: Remembered): boolean {
    this.#latest = record;
    this.#since ??= new Date();
    const text = JSON.stringify(record);
    const here = this.#write(text);
    if (this.#port) {
      this.#tell({ state: "saving", why: null, since: this.#since });
      const message: FromPlayer = { type: "save", revision: record.revision, record: text };
      this.#port.postMessage(message);
      return true;
    }
    this.#tell(here ? { state: "saved", why: null, since: null } : { state: "lost", why: "no-storage", since: this.#since });
    if (here) this.#since = null;
    else this.#later();
    return here;
  }

  /** The learner asked, or the page is being left. */
  retry(): void {
    clearTimeout(this.#timer);
    if (this.#latest && this.#since) this.save(this.#latest);
  }

  #heard(message: ToPlayer): void {
    if (message.revision !== this.#latest?.revision) return; // there is something newer on its way
    if (message.type === "kept") {
      this.#since = null;
      this.#tell({ state: "saved", why: null, since: null });
    } else if (message.type === "not-kept") {
      const here = this.#read() !== null;
      this.#tell({ state: here ? "kept" : "lost", why: here ? null : "no-storage", since: this.#since });
      this.#later();
    }
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.retry(), AGAIN_MS);
  }

  #read(): string | null {
    try {
      return localStorage.getItem(this.#key);
    } catch {
      return null;
    }
  }

  #write(text: string): boolean {
    try {
      localStorage.setItem(this.#key, text);
      return localStorage.getItem(this.#key) === text;
    } catch {
      return false;
    }
  }
}
