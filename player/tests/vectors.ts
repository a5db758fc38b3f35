/** The vectors of tests/vectors/ against the reader: the same code under node and in a browser. */
import type { Members } from "../src/reader/canonical.ts";
import { canonical } from "../src/reader/canonical.ts";
import { fileId, importContentKey, associatedData } from "../src/reader/content-keys.ts";
import { readContainer } from "../src/reader/container.ts";
import { holdsListsAlone, listsOf, openContainer } from "../src/reader/container-open.ts";
import { applyDelta } from "../src/reader/delta.ts";
import type { FileEntry } from "../src/reader/index.ts";
import { parseJwk, thumbprint, type PublicJwk } from "../src/reader/jwk.ts";
import { b64, concat, digestOf, fromUtf8, parseTime, unb64, utf8, type Bytes } from "../src/reader/notation.ts";
import { openBundle, takeLists, type Device, type Opened } from "../src/reader/open.ts";
import { verifyProof } from "../src/reader/proof.ts";
import { Refused } from "../src/reader/refused.ts";
import { verifyRegistration } from "../src/reader/registration.ts";
import { readState, writeState } from "../src/reader/state.ts";
import { openFile, readSegment, sealedSize, segmentCount } from "../src/reader/stream.ts";
import { reportMembers, verifyReport } from "../src/reader/tamper.ts";

/** A case with its base filled in; each `op` has members of its own (tests/vectors/README.md). */
export type Vector = any;

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not as expected: ${what}`);
}

export async function deviceOf(vector: Vector): Promise<Device> {
  const { signing, encryption, tenant } = vector.device;
  const bare = ({ crv, kty, x, y }: PublicJwk) => parseJwk({ crv, kty, x, y });
  const algorithm = { name: "ECDH", namedCurve: "P-256" };
  return {
    tenant,
    id: await thumbprint(bare(signing)),
    encryption: await thumbprint(bare(encryption)),
    agreement: await crypto.subtle.importKey("jwk", encryption, algorithm, false, ["deriveBits"]),
  };
}

async function runOpen(vector: Vector): Promise<void> {
  const device = await deviceOf(vector);
  const state = await readState(vector.state);
  const now = parseTime(vector.now)!;
  const lists = {
    chain: vector.chain,
    revocations: utf8(vector.revocations),
    revocationsSignature: vector.revocations_signature,
  };
  const taken = await takeLists(lists, device.tenant, state, now, vector.pinned_root);
  const parts = new Map(Object.entries<string>(vector.parts).map(([path, bytes]) => [path, unb64(bytes)!]));
  const readPart = async (path: string, offset: number, size: number): Promise<Bytes> =>
    parts.get(path)?.slice(offset, offset + size) ?? new Uint8Array(0);
  const licence = vector.licence_b64 === undefined ? utf8(vector.licence) : unb64(vector.licence_b64)!;
  const pieces = { licence, signature: vector.signature, index: utf8(vector.index), readPart };
  await compareOpened(vector, await openBundle(pieces, taken, device, now));
}

async function runContainer(vector: Vector): Promise<void> {
  const bytes = unb64(vector.file)!;
  const source = { size: bytes.length, read: async (begin: number, size: number) => bytes.slice(begin, begin + size) };
  const device = await deviceOf(vector);
  const before = await readState(vector.state);
  const now = parseTime(vector.now)!;
  const container = await readContainer(source);
  if (vector.lists_only) {
    expect(holdsListsAlone(container), "lists alone");
    const { state } = await takeLists(await listsOf(container), device.tenant, before, now, vector.pinned_root);
    expect(writeState(state) === vector.state_after, "state_after");
    return;
  }
  const saved: string[] = [];
  const opened = await openContainer(container, device, before, now, vector.pinned_root, async ({ state }) => {
    saved.push(writeState(state));
  });
  expect(saved.length === 1, "saved once after step 3");
  await compareOpened(vector, opened);
}

async function compareOpened(vector: Vector, { bundle, state }: Opened): Promise<void> {
  const manifest = await bundle.manifest();
  const wanted = [await digestOf(canonical(manifest)), ...(manifest["assets"] as string[])];
  const found: Record<string, string> = {};
  for (const digest of wanted) {
    found[digest] = b64(await bundle.read(digest));
    await compareRanges(bundle, digest, unb64(found[digest])!);
  }
  await bundle.verify();
  expect(same(found, vector.plaintexts), "plaintexts");
  expect(writeState(state) === vector.state_after, "state_after");
}

/** Ranges and streams give the bytes that whole files give. */
async function compareRanges(bundle: Opened["bundle"], digest: string, whole: Bytes): Promise<void> {
  const streamed: Bytes[] = [];
  for await (const block of bundle.stream(digest)) streamed.push(block);
  expect(b64(concat(...streamed)) === b64(whole), "stream");
  for (const [from, to] of [[0, 1], [1, 100], [0, whole.length], [whole.length - 1, whole.length + 5], [7, 7]] as const) {
    const range = await bundle.readRange(digest, from, to);
    expect(b64(range) === b64(from < 0 ? new Uint8Array(0) : whole.slice(from, to)), `range ${from}-${to}`);
  }
}

async function runStream(vector: Vector): Promise<void> {
  const plain = Uint8Array.from({ length: vector.size }, (_, i) => i % 251);
  expect((await digestOf(plain)) === vector.plaintext_digest, "plaintext_digest");
  const secret = () => unb64(vector.content_key.key)!;
  const key = await importContentKey(vector.content_key.kid, secret());
  const id = await fileId(key, vector.plaintext_digest);
  expect(id === vector.file_id, "file_id");
  expect(fromUtf8(associatedData(key.kid, id)) === vector.associated_data, "associated_data");
  expect(sealedSize(plain.length) === vector.sealed_size, "sealed_size");
  const sealed = await seal(plain, secret(), unb64(vector.salt)!, unb64(vector.nonce_prefix)!, associatedData(key.kid, id));
  expect(sealed.length === vector.sealed_size, "what was sealed");
  const segments = unb64(vector.segments)!;
  const file: FileEntry = {
    id, kid: key.kid, part: 0, offset: 0, size: plain.length, sealedSize: sealed.length, media: "other", segments,
  };
  const read = async (begin: number, size: number) => sealed.slice(begin, begin + size);
  const open = await openFile(file, key, read);
  const numbers = Array.from({ length: segmentCount(file.size) }, (_, i) => i);
  const blocks = await Promise.all(numbers.map(open));
  expect(b64(concat(...blocks)) === b64(plain), "what was opened");
  for (const i of numbers) expect((await readSegment(file, i, read)).length > 0, "segment");
}

/** The writing side, which a reader has no need of: the section's formulas once more. */
async function seal(plain: Bytes, secret: Bytes, salt: Bytes, prefix: Bytes, info: Bytes): Promise<Bytes> {
  const hkdf = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  const parameters = { name: "HKDF", hash: "SHA-256", salt, info };
  const key = await crypto.subtle.deriveKey(parameters, hkdf, { name: "AES-GCM", length: 256 }, false, ["encrypt"]);
  const header = concat(Uint8Array.of(40), salt, prefix);
  const pieces: Bytes[] = [header];
  const count = segmentCount(plain.length);
  for (let i = 0, at = 0; i < count; i++) {
    const size = (1 << 20) - 16 - (i === 0 ? 40 : 0);
    const iv = new Uint8Array(12);
    iv.set(prefix);
    new DataView(iv.buffer).setUint32(7, i);
    iv[11] = i === count - 1 ? 1 : 0;
    pieces.push(new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plain.slice(at, at + size))));
    at += size;
  }
  return concat(...pieces);
}

async function runRegistration(vector: Vector): Promise<void> {
  const { nonce, tenant, encryption_jwk: encryption } = vector;
  const id = await verifyRegistration(vector.jws, { nonce, tenant, secret: unb64(vector.secret)!, encryption });
  expect(id === vector.device_id, "device_id");
}

async function runProof(vector: Vector): Promise<void> {
  const { method, url, tenant } = vector;
  const request = { method, url, tenant, nowS: parseTime(vector.now)! };
  expect((await verifyProof(vector.jws, request, vector.skew_s, vector.device)) === vector.device_id, "device_id");
}

async function runReport(vector: Vector): Promise<void> {
  const report = await verifyReport(vector.jws, vector.tenant, vector.device);
  expect(fromUtf8(canonical(reportMembers(report))) === vector.report, "report");
}

const RUNS: Record<string, (vector: Vector) => Promise<void>> = {
  open: runOpen,
  container: runContainer,
  stream: runStream,
  registration: runRegistration,
  proof: runProof,
  "tamper-report": runReport,
  "revocations-delta": async (vector) => {
    const later = applyDelta(utf8(vector.revocations), utf8(vector.delta));
    expect(fromUtf8(later) === vector.later, "later");
  },
};

export interface Outcome {
  readonly name: string;
  /** Empty if the vector ended as it has to. */
  readonly problem: string;
}

/** `code` is the refusal that a bad vector asks for; a good one has none. Only `Refused` counts as a refusal. */
export async function run(name: string, vector: Vector): Promise<Outcome> {
  const expected: string | undefined = vector.code;
  try {
    const how = RUNS[vector.op];
    if (how === undefined) return { name, problem: `there is no op ${vector.op}` };
    await how(vector);
    return { name, problem: expected === undefined ? "" : `accepted, but to be refused as ${expected}` };
  } catch (error) {
    if (!(error instanceof Refused)) return { name, problem: `threw ${String(error)} ${(error as Error).stack}` };
    return { name, problem: error.code === expected ? "" : `refused as ${error.code}, expected ${expected ?? "no refusal"}` };
  }
}

const same = (a: unknown, b: unknown): boolean =>
  JSON.stringify(Object.entries(a as Members).sort()) === JSON.stringify(Object.entries(b as Members).sort());

