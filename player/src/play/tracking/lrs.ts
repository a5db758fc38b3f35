// The little of xAPI 1.0.3 that a course needs of a Learning Record Store: send statements, keep and read one document.
// Statement ids are made here, so sending again after a broken connection records nothing twice (the store answers 204 or 409).
import { TrackingError } from "../tracking.ts";

export type Json = { readonly [name: string]: unknown };

export interface Place {
  readonly endpoint: string; // with a slash at its end
  readonly authorization: string;
  readonly actor: Json;
  readonly activity: string;
  readonly registration: string | null;
}

const TIMEOUT_MS = 20_000;

export class Lrs {
  readonly place: Place;

  constructor(place: Place) {
    this.place = place;
  }

  async statements(statements: readonly Json[], keepalive = false): Promise<void> {
    if (!statements.length) return;
    const answer = await this.#ask("POST", "statements", {}, JSON.stringify(statements), keepalive);
    if (answer.status === 409) {
      // One of them is there already, and the store refused them all for it.
      if (statements.length > 1) for (const each of statements) await this.statements([each], keepalive);
      return;
    }
    if (!answer.ok) throw new TrackingError("lms-refused", `statements: ${answer.status} ${await answer.text()}`);
  }

  /** The text of a state document; null if there is none. */
  async state(id: string): Promise<string | null> {
    const answer = await this.#ask("GET", "activities/state", this.#stateOf(id));
    if (answer.status === 404) return null;
    if (!answer.ok) throw new TrackingError("lms-refused", `state ${id}: ${answer.status}`);
    return answer.text();
  }

  async keep(id: string, text: string, keepalive = false): Promise<void> {
    const answer = await this.#ask("PUT", "activities/state", this.#stateOf(id), text, keepalive, "text/plain");
    if (!answer.ok) throw new TrackingError("lms-refused", `state ${id}: ${answer.status}`);
  }

  async profile(id: string): Promise<Json | null> {
    const answer = await this.#ask("GET", "agents/profile", { agent: JSON.stringify(this.place.actor), profileId: id });
    if (answer.status === 404) return null;
    if (!answer.ok) throw new TrackingError("lms-refused", `profile ${id}: ${answer.status}`);
    return (await answer.json()) as Json;
  }

  #stateOf(stateId: string): Readonly<Record<string, string>> {
    const { activity, actor, registration } = this.place;
    return { activityId: activity, agent: JSON.stringify(actor), stateId, ...(registration ? { registration } : {}) };
  }

  async #ask(method: string, path: string, query: Readonly<Record<string, string>>, body?: string, keepalive = false, type = "application/json"): Promise<Response> {
    const url = new URL(this.place.endpoint + path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const headers: Record<string, string> = { "X-Experience-API-Version": "1.0.3" };
    if (this.place.authorization) headers["Authorization"] = this.place.authorization;
    if (body !== undefined) headers["Content-Type"] = type;
    try {
      // A page that is being left cannot wait: what is sent then lives on in the browser (64 KiB at most).
      return await fetch(url, { method, headers, keepalive, ...(body === undefined ? {} : { body }), ...(keepalive ? {} : { signal: AbortSignal.timeout(TIMEOUT_MS) }) });
    } catch (error) {
      throw new TrackingError("no-network", String(error));
    }
  }
}

export const uuid = (): string => (crypto.randomUUID ? crypto.randomUUID() : fromBytes(crypto.getRandomValues(new Uint8Array(16))));

/** `randomUUID` is there on secure origins alone; a course may stand on a plain one. */
function fromBytes(bytes: Uint8Array): string {
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = [...bytes].map((each) => each.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
