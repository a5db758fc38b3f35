// The service's API as a browser asks it: as a learner with a bearer token (to register), as a device with a proof of its own for
// each request (for all that follows). Refusals come as problem details (RFC 9457).
import { prove } from "../reader/proof.ts";

export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail);
    this.name = "ApiProblem";
  }
}

export interface Api {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
}

type Credentials = (method: string, url: string) => Promise<Readonly<Record<string, string>>>;

export const asLearner = (url: string, token: string): Api => calls(url, async () => ({ Authorization: `Bearer ${token}` }));

export const asDevice = (url: string, tenant: string, signing: CryptoKeyPair): Api =>
  calls(url, async (method, whole) => {
    const request = { method, url: whole, tenant, nowS: Math.floor(Date.now() / 1000) };
    return { DPoP: await prove(signing, request, crypto.getRandomValues(new Uint8Array(16))), "Content-Tenant": tenant };
  });

function calls(base: string, credentials: Credentials): Api {
  const ask = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const url = base + path;
    const headers: Record<string, string> = { ...(await credentials(method, url)) };
    if (body !== undefined) Object.assign(headers, { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() });
    const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    // What lies in cold storage is being brought back, and comes with a later sync.
    if (method === "GET" && answer.status === 202) throw new ApiProblem(202, "being-restored", "It is being brought back from cold storage.");
    if (answer.ok) return (await answer.json()) as T;
    const problem = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
    throw new ApiProblem(answer.status, String(problem["code"] ?? answer.status), String(problem["detail"] ?? problem["title"] ?? answer.statusText));
  };
  return { get: (path) => ask("GET", path), post: (path, body) => ask("POST", path, body) };
}

/** The rows of a list, page after page. */
export async function* items<T>(api: Api, path: string): AsyncGenerator<T> {
  let cursor: string | null = null;
  do {
    const joint = path.includes("?") ? "&" : "?";
    const page: { items: T[]; next: string | null } = await api.get(cursor === null ? path : `${path}${joint}cursor=${encodeURIComponent(cursor)}`);
    yield* page.items;
    cursor = page.next;
  } while (cursor !== null);
}
