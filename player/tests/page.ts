/** What the tests do inside a browser; tests/chromium.mjs calls these by name. The server is tests/player/server.py. */
import {
  DEVICE, deviceKeys, deviceOf, download, DownloadFailed, exportFile, importFile, install, list, open, openDatabase, openParts, openProgress,
  progressOf, prove, Refused, register, remove, saveProgress, signReport, type Bundle, type Shelf,
} from "../src/index.ts";
import { parseIndex, type Part } from "../src/reader/index.ts";
import { b64, digestOf, parseTime, utf8, type Bytes } from "../src/reader/notation.ts";
import { exportJwk, jwkMembers } from "../src/reader/jwk.ts";
import { run, type Outcome, type Vector } from "./vectors.ts";

const TENANT = "hill-school";
const COURSE = { tenant: TENANT, learner: "lrn_1", packageId: "" };

async function ask(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Vector> {
  const options = body === undefined ? { headers } : { method: "POST", body: JSON.stringify(body), headers };
  const response = await fetch(path, options);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function vectors(): Promise<{ ran: number; problems: Outcome[] }> {
  const outcomes: Outcome[] = [];
  for (const [name, vector] of Object.entries(await ask("/vectors.json"))) outcomes.push(await run(name, vector));
  return { ran: outcomes.length, problems: outcomes.filter((outcome) => outcome.problem !== "") };
}

async function shelf(): Promise<Shelf> {
  const database = await openDatabase(DEVICE);
  const device = await deviceOf(await deviceKeys(database, TENANT), TENANT);
  return { database, device, parts: await openParts(TENANT, "/parts-worker.js") };
}

async function proof(path: string, nowS: number): Promise<Record<string, string>> {
  const { signing } = await deviceKeys(await openDatabase(DEVICE), TENANT);
  const request = { method: "GET", url: location.origin + path, tenant: TENANT, nowS };
  return { dpop: await prove(signing, request, crypto.getRandomValues(new Uint8Array(16))) };
}

async function registerHere(): Promise<string> {
  const keys = await deviceKeys(await openDatabase(DEVICE), TENANT);
  const encryption = jwkMembers(await exportJwk(keys.encryption.publicKey));
  const { nonce, challenge } = await ask("/challenge", { encryption });
  return (await ask("/register", { jws: await register(keys, TENANT, nonce, challenge) })).device;
}

async function fetchOffer(name: string): Promise<{ offered: Vector; lists: Vector; nowS: number }> {
  const { now } = await ask("/now");
  const nowS = parseTime(now)!;
  const got = await ask(`/bundles/${name}`, undefined, await proof(`/bundles/${name}`, nowS));
  const lists = { chain: got.chain, revocations: utf8(got.revocations), revocationsSignature: got.revocations_signature };
  const offered = { licence: utf8(got.licence), signature: got.signature, index: utf8(got.index) };
  return { offered, lists, nowS };
}

async function installFrom(name: string): Promise<Vector> {
  const { offered, lists, nowS } = await fetchOffer(name);
  const here = await shelf();
  const request = (path: string, headers: Record<string, string>) => fetch(`/parts/${name}/${path}`, { headers });
  const prepare = () => (part: Part) => download(here.parts, part.path, part.size, request);
  const outcome = await refusal(() => install(here, lists, { ...offered, prepare }, nowS));
  here.parts.close();
  return outcome;
}

/** Begins to download, and gives up where the connection breaks; how many bytes are there. */
async function interrupted(name: string): Promise<number> {
  const { offered } = await fetchOffer(name);
  const [part] = (await parseIndex(offered.index)).parts as [Part];
  const here = await shelf();
  let asked = 0;
  const request = async (path: string, headers: Record<string, string>) => {
    asked += 1;
    return asked === 1 ? fetch(`/parts/${name}/${path}`, { headers }) : new Response(null, { status: 404 });
  };
  await download(here.parts, part.path, part.size, request).catch((error: Error) => {
    if (!(error instanceof DownloadFailed)) throw error;
  });
  return here.parts.size(part.path); // and nothing is closed: the page is about to go
}

async function refusal(work: () => Promise<unknown>): Promise<Vector> {
  try {
    return { done: await work() };
  } catch (error) {
    if (error instanceof Refused) return { refused: error.code };
    throw error;
  }
}

/** Registers, downloads a bundle through a connection that breaks, and opens it. */
async function first(): Promise<Vector> {
  const device = await registerHere();
  const installed = await installFrom("first");
  const { packageId } = installed.done;
  await saveProgress(await openProgress(), { ...COURSE, packageId }, { item: "quiz-1", savedAt: 1, value: { score: 0.5 } });
  return { device, version: installed.done.version, packageId, found: await readAll(packageId) };
}

/** Digests of all that the manifest names, by whole files, streams and ranges; all of it through every check. */
async function readAll(packageId: string): Promise<Vector> {
  const here = await shelf();
  const bundle = await open(here, packageId, parseTime((await ask("/now")).now)!);
  const found: Record<string, Vector> = {};
  for (const digest of (await bundle.manifest())["assets"] as string[]) {
    found[digest] = {
      read: await digestOf(await bundle.read(digest)),
      stream: await digestOf(new Uint8Array(await new Response(bundle.stream(digest)).arrayBuffer())),
      ranges: await byRanges(bundle, digest),
    };
  }
  const keys = await deviceKeys(here.database, TENANT);
  here.parts.close();
  const { version } = bundle.licence;
  return { found, version, device: here.device.id, paths: await storedPaths(), extractable: await extractable(keys) };
}

async function byRanges(bundle: Bundle, digest: string): Promise<string> {
  const pieces: Bytes[] = [];
  // An odd size, so that most ranges lie across the border of two segments sooner or later.
  for (let at = 0; ; at += 700_001) {
    const piece = await bundle.readRange(digest, at, at + 700_001);
    if (piece.length === 0) break;
    pieces.push(piece);
  }
  return digestOf(new Uint8Array(await new Blob(pieces).arrayBuffer()));
}

async function storedPaths(): Promise<string[]> {
  const here = await shelf();
  const paths = await here.parts.paths();
  here.parts.close();
  return paths;
}

async function extractable(keys: Awaited<ReturnType<typeof deviceKeys>>): Promise<Vector> {
  const pairs = [keys.signing.privateKey, keys.encryption.privateKey];
  const exported = await Promise.allSettled(pairs.flatMap((key) => [
    crypto.subtle.exportKey("jwk", key),
    crypto.subtle.exportKey("pkcs8", key),
  ]));
  return { flags: pairs.map((key) => key.extractable), exported: exported.filter((each) => each.status === "fulfilled").length };
}

/** Flips one byte of a stored part, opens, and tells the service. */
async function tamper(packageId: string): Promise<Vector> {
  const here = await shelf();
  const { now } = await ask("/now");
  const bundle = await open(here, packageId, parseTime(now)!);
  const part = bundle.index.parts[0]!;
  const byte = await here.parts.read(part.path, 100, 1);
  await here.parts.write(part.path, 100, Uint8Array.of(byte[0]! ^ 1));
  await here.parts.finish(part.path, part.size);
  const damaged = await open(here, packageId, parseTime(now)!);
  const outcome = await refusal(() => damaged.verify());
  const { signing } = await deviceKeys(here.database, TENANT);
  const evidence = [{ path: part.path, offset: 100, length: 1, found: await digestOf(Uint8Array.of(byte[0]! ^ 1)) }];
  const { bundleId, issue } = bundle.licence;
  const report = { tenant: TENANT, bundleId, issue, code: outcome.refused, observedAt: parseTime(now)!, evidence };
  await ask("/tamper", { jws: await signReport(signing, report) });
  here.parts.close();
  return outcome;
}

async function exportIt(packageId: string): Promise<string> {
  const here = await shelf();
  const blob = await exportFile(here, packageId);
  here.parts.close();
  await fetch("/exported", { method: "POST", body: blob });
  return b64(new Uint8Array(await blob.slice(0, 4).arrayBuffer()));
}

async function importIt(path: string): Promise<Vector> {
  const here = await shelf();
  const blob = await (await fetch(path)).blob();
  const nowS = parseTime((await ask("/now")).now)!;
  const outcome = await refusal(() => importFile(here, blob, nowS));
  here.parts.close();
  return outcome;
}

async function removeIt(packageId: string): Promise<Vector> {
  const here = await shelf();
  await remove(here, packageId);
  const left = { rows: (await list(here)).length, paths: await here.parts.paths() };
  here.parts.close();
  return { ...left, progress: await progressOf(await openProgress(), { ...COURSE, packageId }) };
}

Object.assign(globalThis, { tests: { vectors, first, installFrom, interrupted, readAll, tamper, exportIt, importIt, removeIt } });
