/** Section "Revocation list": the list itself, how it is compared with what is known, and what it revokes. */
import { parseDocument, typed, type Fields } from "./documents.ts";
import type { Members } from "./canonical.ts";
import { compare, IDENTIFIER, TENANT, THUMBPRINT } from "./notation.ts";
import { Refused } from "./refused.ts";

export const REVOCATIONS = "revocations";
const BYTES = 8 << 20;
const MOST_ENTRIES = 100_000;
// The number has no leading zeros, so 0 stands alone; a version begins at 1 and never is 0.
const PACKAGE_VERSION = /^[A-Za-z0-9_-]{1,64}\/[1-9][0-9]{0,15}$/;

export const ENTRIES = {
  bundles: IDENTIFIER,
  devices: THUMBPRINT,
  kids: THUMBPRINT,
  packages: IDENTIFIER,
  versions: PACKAGE_VERSION,
} as const;
export type Entries = { readonly [name in keyof typeof ENTRIES]: readonly string[] };
export const ENTRY_NAMES = Object.keys(ENTRIES) as (keyof Entries)[];

export interface Head {
  readonly tenant: string;
  /** `[trust version, n]`. */
  readonly version: readonly [number, number];
  readonly issuedAt: number;
  readonly expires: number;
}

export interface RevocationList extends Head {
  readonly entries: Entries;
}

/** A document that need not be signed yet: what a delta begins with or leads to. */
export function parseRevocations(bytes: Uint8Array): RevocationList {
  const members = parseDocument(bytes, REVOCATIONS, BYTES);
  return readRevocations(members, bytes.length);
}

/** The form of a list whose signature has been checked. */
export function readRevocations(members: Members, sizeBytes: number): RevocationList {
  if (sizeBytes > BYTES) throw new Refused("revocations-too-large", `The list is larger than ${BYTES} bytes.`);
  const fields = typed(members, REVOCATIONS, "revocations-malformed");
  const list = { ...readHead(fields), entries: readEntries(fields) };
  fields.done();
  return list;
}

export function readHead(fields: Fields): Head {
  const [trustVersion, n] = fields.wholes("version", 2);
  return {
    tenant: fields.text("tenant", TENANT),
    version: [trustVersion!, n!],
    issuedAt: fields.time("issued_at"),
    expires: fields.time("expires"),
  };
}

export function readEntries(fields: Fields): Entries {
  const entries = ENTRY_NAMES.map((name) => [name, fields.sorted(name, ENTRIES[name], MOST_ENTRIES)]);
  return Object.fromEntries(entries) as Entries;
}

/** Tenant, version against trust list and memory. `seen` is the highest version accepted before, with its digest. */
export function compareWithMemory(
  list: RevocationList,
  digest: string,
  tenant: string,
  trustVersion: number,
  seen: { readonly version: readonly [number, number]; readonly digest: string } | null,
): void {
  if (list.tenant !== tenant) throw new Refused("revocations-tenant", "The revocation list is another tenant's.");
  if (list.version[0] > trustVersion) {
    throw new Refused("revocations-ahead-of-trust", "The revocation list is ahead of the trust list.");
  }
  const order = seen === null ? 1 : compare(list.version, seen.version);
  if (order < 0) throw new Refused("revocations-rollback", "A later revocation list has been seen.");
  if (order === 0 && digest !== seen!.digest) {
    throw new Refused("revocations-fork", "There are two revocation lists of one version.");
  }
}
