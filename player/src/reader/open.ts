/**
 * Section "Order of the checks": from bytes to an open bundle, in exactly that order.
 *
 * `takeLists` is steps 1 to 3 and gives the state that MUST be saved whatever comes after; `openBundle` goes on to step 12.
 * Step 13 is bundle.ts. The state that `openBundle` gives is to be saved once the bundle is the one in use: who replaces
 * a bundle verifies all segments first, since saving makes the earlier one a rollback.
 */
import { Bundle, type ReadPart } from "./bundle.ts";
import { followChain } from "./chain.ts";
import { openContentKey, type ContentKey } from "./content-keys.ts";
import { parseIndex, type Index } from "./index.ts";
import { LICENCE, readLicence, type Licence } from "./licence.ts";
import { compare, digestOf, type Bytes } from "./notation.ts";
import { Refused } from "./refused.ts";
import { compareWithMemory, readRevocations, REVOCATIONS, type RevocationList } from "./revocations.ts";
import { ASK, expired, keyRevoked, notYet, stale } from "./sentences.ts";
import { DOCUMENT_BYTES, verifyDocument } from "./signature.ts";
import { clock, raiseFloor, rememberLicence, rememberRevoked, type ReaderState } from "./state.ts";
import { revokedKids, type TrustList } from "./trust.ts";

/** Who reads: its tenant, its id, and the key that content keys are wrapped for. Neither key need be extractable. */
export interface Device {
  readonly tenant: string;
  readonly id: string;
  readonly encryption: string;
  readonly agreement: CryptoKey;
}

export interface Lists {
  /** The array of all trust lists. */
  readonly chain: unknown;
  readonly revocations: Bytes;
  readonly revocationsSignature: unknown;
}

/** Lists that were accepted, and what is to be remembered of them. */
export interface Taken {
  readonly trust: TrustList;
  readonly revocations: RevocationList;
  readonly state: ReaderState;
}

export interface Opened {
  readonly bundle: Bundle;
  readonly state: ReaderState;
}

/** Steps 1 to 3. Save the state that comes out, also if the bundle is refused afterwards. */
export async function takeLists(
  lists: Lists,
  tenant: string,
  before: ReaderState,
  nowS: number,
  pinnedRoot: string | null,
): Promise<Taken> {
  const chain = await followChain(lists.chain, tenant, before.trust, pinnedRoot);
  const trust = chain.latest;
  const vouched = await verifyDocument(lists.revocations, lists.revocationsSignature, REVOCATIONS, tenant, trust);
  const revocations = readRevocations(vouched.members, lists.revocations.length);
  const raised = raiseFloor({ ...before, trust }, [...chain.times, vouched.iat, revocations.issuedAt]);
  const revoked = [...revokedKids(trust), ...revocations.entries.kids];
  const state = rememberRevoked(raised, revoked, clock(raised, nowS));
  if (state.revokedSince.has(vouched.kid)) {
    throw new Refused("kid-revoked", "The revocation list is signed by a revoked key.");
  }
  const digest = await digestOf(lists.revocations);
  compareWithMemory(revocations, digest, tenant, trust.version, before.revocations);
  return { trust, revocations, state: { ...state, revocations: { version: revocations.version, digest } } };
}

export interface Pieces {
  readonly licence: Bytes;
  readonly signature: unknown;
  readonly index: Bytes;
  readonly readPart: ReadPart;
}

/** Steps 4 to 12 with lists that were taken in. */
export async function openBundle(pieces: Pieces, taken: Taken, device: Device, nowS: number): Promise<Opened> {
  const vouched = await verifyDocument(pieces.licence, pieces.signature, LICENCE, device.tenant, taken.trust);
  const licence = await readLicence(vouched.members, pieces.licence);
  const state = raiseFloor(taken.state, [vouched.iat, licence.issuedAt]);
  checkHolder(licence, device);
  checkTime(licence, taken.trust, clock(state, nowS));
  checkSequence(licence, state);
  checkFreshness(licence, taken.revocations, clock(state, nowS));
  checkRevoked(licence, vouched.kid, taken.revocations, state, clock(state, nowS));
  const keys = new Map<string, ContentKey>();
  for (const [kid, jwe] of licence.keys) keys.set(kid, await openContentKey(kid, jwe, device.agreement));
  const index = await checkIndex(licence, pieces.index);
  for (const file of index.files) {
    if (!keys.has(file.kid)) throw new Refused("index-key-missing", "The licence holds no key for a file of the index.");
  }
  const bundle = Bundle.of(licence, index, keys, pieces.readPart);
  const manifest = await bundle.find(licence.manifest);
  if (manifest === null || manifest.media !== "manifest" || manifest.size > DOCUMENT_BYTES) {
    throw new Refused("manifest-missing", "The index does not hold the licence's manifest.");
  }
  return { bundle, state: rememberLicence(state, licence) };
}

/** Steps 5 and 6. */
function checkHolder(licence: Licence, device: Device): void {
  if (licence.tenant !== device.tenant) throw new Refused("licence-tenant", "The licence is another tenant's.");
  if (licence.deviceId !== device.id) throw new Refused("licence-device", "The licence is for another device.");
  if (licence.deviceEncryption !== device.encryption) {
    throw new Refused("licence-device-key", "The licence is for another encryption key.");
  }
}

/** Step 7; `notAfter` itself still counts. */
function checkTime(licence: Licence, trust: TrustList, clockS: number): void {
  if (clockS < licence.notBefore) throw new Refused("licence-not-yet-valid", notYet(licence.notBefore, clockS));
  if (clockS > licence.notAfter) throw new Refused("licence-expired", expired(licence.notAfter, clockS));
  if (clockS > trust.expires + licence.graceS) {
    throw new Refused("trust-expired", stale(trust.expires, licence.graceS));
  }
}

/** Step 8. */
function checkSequence(licence: Licence, state: ReaderState): void {
  const seen = state.packages.get(licence.packageId);
  if (seen === undefined) return;
  const order = compare(licence.sequence, seen.sequence);
  if (order > 0) return;
  const fork = (): Refused => new Refused("licence-fork", "There are two licences of one sequence.");
  if (order === 0 && licence.bundleId !== seen.bundleId) throw fork();
  if (order < 0 || licence.issue < seen.issue) throw new Refused("licence-rollback", "A later licence has been seen.");
  if (licence.issue === seen.issue && licence.digest !== seen.licence) throw fork();
}

/** Step 9. */
function checkFreshness(licence: Licence, revocations: RevocationList, clockS: number): void {
  if (compare(revocations.version, licence.minRevocations) < 0) {
    throw new Refused("revocations-too-old", "The licence asks for a later revocation list.");
  }
  if (clockS > revocations.expires + licence.graceS) {
    throw new Refused("revocations-stale", stale(revocations.expires, licence.graceS));
  }
}

/** Step 10. A licence that was accepted before outlives its signer by its grace time. */
function checkRevoked(licence: Licence, kid: string, list: RevocationList, state: ReaderState, clockS: number): void {
  const { bundles, devices, packages, versions } = list.entries;
  if (bundles.includes(licence.bundleId)) {
    throw new Refused("bundle-revoked", `This course was taken back from this device. ${ASK}`);
  }
  if (devices.includes(licence.deviceId)) {
    throw new Refused("device-revoked", `This device was taken out of use. ${ASK}`);
  }
  if (packages.includes(licence.packageId)) {
    throw new Refused("package-revoked", `This course was taken back by the school. ${ASK}`);
  }
  if (versions.includes(`${licence.packageId}/${licence.version}`)) {
    throw new Refused("version-revoked", "This edition of the course was taken back. Go online for a newer one.");
  }
  const since = state.revokedSince.get(kid);
  if (since === undefined) return;
  const acceptedBefore = state.packages.get(licence.packageId)?.licence === licence.digest;
  if (!acceptedBefore || clockS > since + licence.graceS) {
    throw new Refused("kid-revoked", keyRevoked(licence.graceS));
  }
}

/** Step 12, first half. */
async function checkIndex(licence: Licence, bytes: Bytes): Promise<Index> {
  if (bytes.length !== licence.index.size || (await digestOf(bytes)) !== licence.index.digest) {
    throw new Refused("index-digest", "The index is not the one that the licence names.");
  }
  return parseIndex(bytes);
}
