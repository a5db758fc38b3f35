/** Sections "Trust list" (one list) and "Which key may sign what". The chain of lists is chain.ts. */
import { Fields, parseDocument, typed } from "./documents.ts";
import { readPublicKey, type PublicKey } from "./jwk.ts";
import { TENANT, THUMBPRINT, type Bytes } from "./notation.ts";
import { Refused } from "./refused.ts";

const KIND = "trust-list";
const MALFORMED = "trust-list-malformed";
const BYTES = 64 << 10;
const STATUSES = ["active", "retired", "revoked"] as const;

export interface SigningKey extends PublicKey {
  /** Seconds since 1970, both included. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly status: (typeof STATUSES)[number];
}

export interface TrustList {
  readonly iss: string;
  readonly version: number;
  readonly issuedAt: number;
  readonly expires: number;
  readonly threshold: number;
  readonly roots: ReadonlyMap<string, PublicKey>;
  readonly keys: ReadonlyMap<string, SigningKey>;
  /** The canonical bytes that were signed; their digest is what a reader remembers. */
  readonly payload: Bytes;
}

export async function parseTrustList(payload: Bytes): Promise<TrustList> {
  const members = parseDocument(payload, KIND, BYTES);
  const fields = typed(members, KIND, MALFORMED);
  const list = {
    iss: fields.text("iss", TENANT),
    version: fields.whole("version", 1),
    issuedAt: fields.time("issued_at"),
    expires: fields.time("expires"),
    threshold: fields.whole("threshold", 1),
    roots: await inOrder(fields.list("roots", 1, 8), readPublicKey),
    keys: await inOrder(fields.list("keys", 0, 64), readSigningKey),
    payload,
  };
  fields.done();
  if (list.threshold > list.roots.size) throw fields.refuse("The threshold is above the number of roots");
  for (const kid of list.keys.keys()) {
    if (list.roots.has(kid)) throw fields.refuse("A root is among the signing keys");
  }
  return list;
}

/** Keys by thumbprint; they are in ascending order, so each is there once. */
async function inOrder<K extends PublicKey>(
  values: readonly unknown[],
  read: (value: unknown) => Promise<K>,
): Promise<Map<string, K>> {
  const keys = new Map<string, K>();
  let before = "";
  for (const value of values) {
    const key = await read(value);
    if (key.kid <= before) throw new Refused(MALFORMED, "The keys of the trust list are not in order, each once.");
    before = key.kid;
    keys.set(key.kid, key);
  }
  return keys;
}

async function readSigningKey(value: unknown): Promise<SigningKey> {
  const fields = new Fields(value, MALFORMED);
  const kid = fields.text("kid", THUMBPRINT);
  const facts = {
    notBefore: fields.time("not_before"),
    notAfter: fields.time("not_after"),
    status: fields.oneOf("status", STATUSES),
  };
  const jwk = { crv: fields.take("crv"), kty: fields.take("kty"), x: fields.take("x"), y: fields.take("y") };
  fields.done();
  const key = await readPublicKey(jwk);
  if (key.kid !== kid) throw fields.refuse("A kid is not the thumbprint of its key");
  if (facts.notBefore > facts.notAfter) throw fields.refuse("A key ends before it begins");
  return { ...key, ...facts };
}

/** The key that signs at `iat`. Whether it is revoked is asked later, since an accepted licence outlives that for a while. */
export function keyFor(trust: TrustList, kid: string, iat: number): SigningKey {
  const key = trust.keys.get(kid);
  if (key === undefined) throw new Refused("kid-unknown", `The trust list does not hold the key ${kid}.`);
  if (iat < key.notBefore) throw new Refused("kid-not-yet-valid", `The key ${kid} was not in use yet.`);
  if (iat > key.notAfter) {
    throw new Refused(key.status === "retired" ? "kid-retired" : "kid-expired", `The key ${kid} was no longer in use.`);
  }
  return key;
}

export function revokedKids(trust: TrustList): string[] {
  return [...trust.keys.values()].filter((key) => key.status === "revoked").map((key) => key.kid);
}
