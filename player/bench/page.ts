/** What is measured inside the browser; bench/run.mjs calls it. The server is bench/browser.py. */
import {
  DEVICE, deviceKeys, deviceOf, importFile, open, openDatabase, openParts, register, type Shelf,
} from "../src/index.ts";
import { exportJwk, jwkMembers } from "../src/reader/jwk.ts";
import { parseTime } from "../src/reader/notation.ts";

const TENANT = "hill-school";

async function ask(path: string, body: unknown): Promise<Record<string, string>> {
  return (await fetch(path, { method: "POST", body: JSON.stringify(body) })).json();
}

async function shelf(): Promise<Shelf> {
  const database = await openDatabase(DEVICE);
  const device = await deviceOf(await deviceKeys(database, TENANT), TENANT);
  return { database, device, parts: await openParts(TENANT, "/parts-worker.js") };
}

async function now(): Promise<number> {
  return parseTime((await (await fetch("/now")).json()).now)!;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** Registers and imports the single file; seconds that the import took, verification of every segment included. */
async function prepare(): Promise<{ packageId: string; importS: number }> {
  const keys = await deviceKeys(await openDatabase(DEVICE), TENANT);
  const { nonce, challenge } = await ask("/challenge", { encryption: jwkMembers(await exportJwk(keys.encryption.publicKey)) });
  await ask("/register", { jws: await register(keys, TENANT, nonce!, challenge!) });
  const here = await shelf();
  const blob = await (await fetch("/single/first")).blob();
  const nowS = await now();
  let packageId = "";
  const importS = await timed(async () => {
    packageId = (await importFile(here, blob, nowS))!.packageId;
  });
  here.parts.close();
  return { packageId, importS };
}

/** In a page that was just loaded: from nothing to a decoded picture, then every segment verified and decrypted. */
async function measure(packageId: string): Promise<Record<string, number>> {
  const nowS = await now();
  const here = await shelf();
  const began = performance.now();
  const bundle = await open(here, packageId, nowS);
  const openS = (performance.now() - began) / 1000;
  const [picture, ...films] = (await bundle.manifest())["assets"] as string[];
  await createImageBitmap(new Blob([await bundle.read(picture!)]));
  const firstPictureS = (performance.now() - began) / 1000;
  const bytes = bundle.index.files.reduce((size, file) => size + file.size, 0);
  const verifyS = await timed(() => bundle.verify());
  const hashS = await timed(() => bundle.verifyPart(0));
  const readS = await timed(async () => {
    for (const film of films) await bundle.read(film);
  });
  const streamS = await timed(async () => {
    for (const film of films) for await (const _ of bundle.stream(film)) continue;
  });
  const middle = bundle.index.files.find((file) => file.media === "video")!.size / 2;
  const seekS = await timed(() => bundle.readRange(films.at(-1)!, middle, middle + 65536));
  here.parts.close();
  return { bytes, openS, firstPictureS, verifyS, hashS, readS, streamS, seekS };
}

Object.assign(globalThis, { tests: { prepare, measure } });
