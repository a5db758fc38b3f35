/**
 * Section "What the reader remembers": a value; each step that accepts something gives the next one.
 *
 * Its text form is that of the test vectors, so that two readers can be compared. It is this device's own, never sent.
 */
import { canonical, canonicalText, type Members } from "./canonical.ts";
import { Fields, parseDocument, typed } from "./documents.ts";
import type { Licence } from "./licence.ts";
import { BUNDLE_ID, DIGEST, IDENTIFIER, THUMBPRINT, utf8, writeTime, parseTime } from "./notation.ts";
import { parseTrustList, type TrustList } from "./trust.ts";

const KIND = "reader-state";
const BYTES = 8 << 20;

/** The highest licence accepted for a package. */
export interface Seen {
  readonly sequence: readonly number[];
  readonly bundleId: string;
  readonly issue: number;
  /** Digest of the licence's bytes. */
  readonly licence: string;
}

export interface ReaderState {
  readonly trust: TrustList | null;
  readonly revocations: { readonly version: readonly [number, number]; readonly digest: string } | null;
  readonly packages: ReadonlyMap<string, Seen>;
  /** When each revoked kid was first seen revoked, by the clock. */
  readonly revokedSince: ReadonlyMap<string, number>;
  /** Seconds since 1970; raised by signed times alone. */
  readonly clockFloor: number;
}

export const NOTHING_SEEN: ReaderState = {
  trust: null,
  revocations: null,
  packages: new Map(),
  revokedSince: new Map(),
  clockFloor: 0,
};

/** The clock that all checks use: the later of the device's and the floor. */
export const clock = (state: ReaderState, nowS: number): number => Math.max(nowS, state.clockFloor);

export function raiseFloor(state: ReaderState, times: readonly number[]): ReaderState {
  return { ...state, clockFloor: Math.max(state.clockFloor, ...times) };
}

export function rememberRevoked(state: ReaderState, kids: readonly string[], clockS: number): ReaderState {
  const revokedSince = new Map(state.revokedSince);
  for (const kid of kids) if (!revokedSince.has(kid)) revokedSince.set(kid, clockS);
  return { ...state, revokedSince };
}

export function rememberLicence(state: ReaderState, licence: Licence): ReaderState {
  const { sequence, bundleId, issue, digest } = licence;
  const packages = new Map(state.packages).set(licence.packageId, { sequence, bundleId, issue, licence: digest });
  return { ...state, packages };
}

export function writeState(state: ReaderState): string {
  const packages: [string, Members][] = [...state.packages].map(([id, seen]) => [
    id,
    { sequence: [...seen.sequence], bundle_id: seen.bundleId, issue: seen.issue, licence: seen.licence },
  ]);
  const members: Members = {
    type: KIND,
    shape: 1,
    trust: state.trust === null ? [] : [new TextDecoder().decode(state.trust.payload)],
    revocations: state.revocations === null ? [0, 0] : [...state.revocations.version],
    revocations_digest: state.revocations === null ? [] : [state.revocations.digest],
    packages: Object.fromEntries(packages),
    revoked_since: Object.fromEntries([...state.revokedSince].map(([kid, since]) => [kid, writeTime(since)])),
    clock_floor: writeTime(state.clockFloor),
  };
  return new TextDecoder().decode(canonical(members));
}

/** The reverse. Refused, if the device's memory is damaged: `reader-state-…` and codes of "Documents". */
export async function readState(text: string): Promise<ReaderState> {
  const members = parseDocument(utf8(text), KIND, BYTES);
  const fields = typed(members, KIND, "reader-state-malformed");
  const [list] = fields.list("trust", 0, 1);
  if (list !== undefined && typeof list !== "string") throw fields.refuse("trust is not text");
  const [trustVersion, n] = fields.wholes("revocations", 2);
  const [digest] = fields.sorted("revocations_digest", DIGEST, 1);
  const packages = new Map<string, Seen>();
  for (const [id, value] of Object.entries(fields.members("packages"))) {
    if (!IDENTIFIER.test(id)) throw fields.refuse("A package has no identifier");
    packages.set(id, readSeen(new Fields(value, "reader-state-malformed")));
  }
  const revokedSince = new Map<string, number>();
  for (const [kid, value] of Object.entries(fields.members("revoked_since"))) {
    const since = parseTime(value);
    if (since === null || !THUMBPRINT.test(kid)) throw fields.refuse(`${canonicalText(value)} is not when a kid was revoked`);
    revokedSince.set(kid, since);
  }
  const clockFloor = fields.time("clock_floor");
  fields.done();
  return {
    trust: list === undefined ? null : await parseTrustList(utf8(list)),
    revocations: digest === undefined ? null : { version: [trustVersion!, n!], digest },
    packages,
    revokedSince,
    clockFloor,
  };
}

function readSeen(fields: Fields): Seen {
  const seen = {
    sequence: fields.wholes("sequence", 3),
    bundleId: fields.text("bundle_id", BUNDLE_ID),
    issue: fields.whole("issue", 1),
    licence: fields.text("licence", DIGEST),
  };
  fields.done();
  return seen;
}

