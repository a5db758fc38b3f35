/**
 * The bundles of a device: one for each package, swapped in as a whole, opened through every check each time.
 *
 * A new bundle's parts come beside the old one's; the row in IndexedDB is put, in one transaction with what the reader then
 * remembers, only after every segment has been verified. Until then the old one opens; afterwards files that no row names
 * are removed. A lock keeps two tabs from doing that at once.
 */
import type { Json } from "../reader/canonical.ts";
import { utf8, type Bytes } from "../reader/notation.ts";
import { openBundle, takeLists, type Device, type Lists, type Opened, type Taken } from "../reader/open.ts";
import type { Bundle } from "../reader/bundle.ts";
import { Refused } from "../reader/refused.ts";
import type { Part } from "../reader/index.ts";
import type { Database } from "./database.ts";
import { afterLists, memoryRow, recall, remember, type Memory } from "./memory.ts";
import type { Parts } from "./parts.ts";

export interface Row {
  readonly packageId: string;
  readonly bundleId: string;
  readonly version: number;
  readonly licence: Bytes;
  readonly signature: Json;
  readonly indexPath: string;
  readonly partPaths: readonly string[];
}

export interface Shelf {
  readonly device: Device;
  readonly database: Database;
  readonly parts: Parts;
}

/** What is offered for one package: a licence, and how to get its index and a part. */
export interface Offered {
  readonly licence: Bytes;
  readonly signature: Json;
  readonly index: Bytes;
  /**
   * Given the parts of the index once that is accepted, tells how to bring one into `parts`; whatever it brings is checked
   * afterwards. May refuse, before anything is saved.
   */
  readonly prepare: (parts: readonly Part[]) => (part: Part) => Promise<void>;
}

export class NothingHeld extends Error {
  override readonly name = "NothingHeld";
}

const rowKey = (shelf: Shelf, packageId: string): string[] => [shelf.device.tenant, packageId];
const rowsOf = (shelf: Shelf): Promise<Row[]> =>
  shelf.database.all<Row>("bundles", IDBKeyRange.bound([shelf.device.tenant], [shelf.device.tenant, []]));

function locked<T>(shelf: Shelf, work: () => Promise<T>): Promise<T> {
  return navigator.locks.request(`content-shelf/${shelf.device.tenant}`, work) as Promise<T>;
}

/** Takes in newer lists, from the network or a stick; what they lead to is saved whatever comes after. */
async function take(shelf: Shelf, lists: Lists, memory: Memory, nowS: number): Promise<[Taken, Memory]> {
  const taken = await takeLists(lists, shelf.device.tenant, memory.state, nowS, memory.pinnedRoot);
  const after = afterLists(memory, lists, taken);
  await remember(shelf.database, shelf.device.tenant, after);
  return [taken, after];
}

/** As `take`, but who has newer lists goes on with them where a stick brings older ones. */
async function takeOrKeep(shelf: Shelf, lists: Lists, nowS: number): Promise<[Taken, Memory]> {
  const memory = await recall(shelf.database, shelf.device.tenant);
  try {
    return await take(shelf, lists, memory, nowS);
  } catch (error) {
    const older = error instanceof Refused && ["trust-rollback", "revocations-rollback"].includes(error.code);
    if (!older || memory.lists === null) throw error;
    return take(shelf, memory.lists, memory, nowS);
  }
}

export function takeInLists(shelf: Shelf, lists: Lists, nowS: number): Promise<void> {
  return locked(shelf, async () => void (await takeOrKeep(shelf, lists, nowS)));
}

/** Fetches, verifies and swaps in. Throws Refused and leaves the bundle before as it was. */
export function install(shelf: Shelf, lists: Lists, offered: Offered, nowS: number): Promise<Row> {
  return locked(shelf, async () => {
    const [taken, memory] = await takeOrKeep(shelf, lists, nowS);
    const opened = await openBundle({ ...offered, readPart: shelf.parts.read }, taken, shelf.device, nowS);
    const { licence, index } = opened.bundle;
    const fetchPart = offered.prepare(index.parts);
    for (const [i, part] of index.parts.entries()) await bring(shelf, opened.bundle, i, part, fetchPart);
    await shelf.parts.write(licence.index.path, 0, offered.index);
    await shelf.parts.finish(licence.index.path, offered.index.length);
    const row: Row = {
      packageId: licence.packageId,
      bundleId: licence.bundleId,
      version: licence.version,
      licence: offered.licence,
      signature: offered.signature,
      indexPath: licence.index.path,
      partPaths: index.parts.map((part) => part.path),
    };
    await swapIn(shelf, row, { ...memory, state: opened.state });
    await sweep(shelf);
    return row;
  });
}

/** A part whose every segment is right. One that is there and is not is fetched anew; its path never has other bytes. */
async function bring(
  shelf: Shelf,
  bundle: Bundle,
  number: number,
  part: Part,
  fetchPart: (part: Part) => Promise<void>,
): Promise<void> {
  const held = (await shelf.parts.size(part.path)) === part.size;
  if (!held) await fetchPart(part);
  try {
    await bundle.verifyPart(number);
  } catch (error) {
    await shelf.parts.remove(part.path);
    if (!held) throw error;
    await fetchPart(part);
    await bundle.verifyPart(number);
  }
}

async function swapIn(shelf: Shelf, row: Row, memory: Memory): Promise<void> {
  const remembered = memoryRow(memory);
  await shelf.database.write(["bundles", "memory"], (store) => {
    store("bundles").put(row, rowKey(shelf, row.packageId));
    store("memory").put(remembered, shelf.device.tenant);
  });
}

/** Removes files that no row names; a package's progress is not here and is never touched. */
async function sweep(shelf: Shelf): Promise<void> {
  const named = new Set((await rowsOf(shelf)).flatMap((row) => [row.indexPath, ...row.partPaths]));
  for (const path of await shelf.parts.paths()) if (!named.has(path)) await shelf.parts.remove(path);
}

/** Opens what is installed, through all checks, with the lists that are held. */
export function open(shelf: Shelf, packageId: string, nowS: number): Promise<Bundle> {
  return locked(shelf, async () => {
    const row = await rowOf(shelf, packageId);
    const held = await recall(shelf.database, shelf.device.tenant);
    if (held.lists === null) throw new NothingHeld("This device holds no lists.");
    const [taken, memory] = await take(shelf, held.lists, held, nowS);
    const opened: Opened = await openBundle(
      { licence: row.licence, signature: row.signature, index: await readIndex(shelf, row), readPart: shelf.parts.read },
      taken,
      shelf.device,
      nowS,
    );
    await remember(shelf.database, shelf.device.tenant, { ...memory, state: opened.state });
    return opened.bundle;
  });
}

export async function rowOf(shelf: Shelf, packageId: string): Promise<Row> {
  const row = await shelf.database.get<Row>("bundles", rowKey(shelf, packageId));
  if (row === undefined) throw new NothingHeld(`This device holds no bundle of ${packageId}.`);
  return row;
}

export async function readIndex(shelf: Shelf, row: Row): Promise<Bytes> {
  return new Uint8Array((await (await shelf.parts.file(row.indexPath))?.arrayBuffer()) ?? utf8(""));
}

export function remove(shelf: Shelf, packageId: string): Promise<void> {
  return locked(shelf, async () => {
    await shelf.database.write(["bundles"], (store) => store("bundles").delete(rowKey(shelf, packageId)));
    await sweep(shelf);
  });
}

export const list = (shelf: Shelf): Promise<Row[]> => rowsOf(shelf);
