/**
 * Section "Single file": reading one, by slices, never as a whole.
 *
 * Nothing in the file is interpreted: what each header has to be follows from name, crc, size and offset, so a header is made
 * anew and compared byte for byte. These are steps 1 to 3 of the section; container-open.ts goes on.
 */
import { centralHeader, CENTRAL_BYTES, endOf, END_BYTES, localHeader, readEntry, type Entry } from "./container-bytes.ts";
import type { Part } from "./index.ts";
import { fromUtf8, sameBytes, type Bytes } from "./notation.ts";
import { Refused } from "./refused.ts";

/** A range of the file; `size` of it is known to lie within. A Blob, a file handle, or bytes in memory. */
export interface ContainerSource {
  readonly size: number;
  readonly read: (begin: number, size: number) => Promise<Bytes>;
}

export const ofBlob = (blob: Blob): ContainerSource => ({
  size: blob.size,
  read: async (begin, size) => new Uint8Array(await blob.slice(begin, begin + size).arrayBuffer()),
});

const MIB = 1 << 20;
/** Names that are due, with the sizes of the table; after them the parts, which the index bounds. */
const FIXED: readonly (readonly [string, number])[] = [
  ["META-INF/trust.json", 64 * MIB],
  ["META-INF/revocations.json", 8 * MIB],
  ["META-INF/revocations-signature.json", 16 << 10],
  ["META-INF/licences.json", 64 * MIB],
  ["META-INF/index.json", 32 * MIB],
];
/** So many entries hold lists; the licences come next, then the index. */
export const LISTS = 3;
const MOST_ENTRIES = 1_005;
const MOST_CENTRAL_BYTES = MOST_ENTRIES * (CENTRAL_BYTES + 0xffff);

export interface Container {
  readonly source: ContainerSource;
  readonly entries: readonly Entry[];
}

export const refused = (code: string, what: string): Refused =>
  new Refused(`container-${code}`, `The single file is not as it has to be: ${what}.`);

/** Steps 1 to 3: every byte that is no contents is as the section says. */
export async function readContainer(source: ContainerSource): Promise<Container> {
  const malformed = (): Refused => refused("malformed", "its end");
  if (source.size < END_BYTES) throw malformed();
  const tail = await source.read(source.size - END_BYTES, END_BYTES);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  const count = view.getBigUint64(24, true);
  const [size, offset] = [view.getBigUint64(40, true), view.getBigUint64(48, true)];
  if (count < LISTS || count > MOST_ENTRIES || size > MOST_CENTRAL_BYTES) throw malformed();
  if (offset + size + BigInt(END_BYTES) !== BigInt(source.size)) throw malformed();
  if (!sameBytes(tail, endOf(Number(count), size, offset))) throw malformed();
  const entries = readCentral(await source.read(Number(offset), Number(size)), Number(count));
  await checkLocal(source, entries, offset);
  return { source, entries };
}

/** Step 2. */
function readCentral(central: Bytes, count: number): Entry[] {
  const entries: Entry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const entry = readEntry(central, at);
    if (entry === null) throw refused("malformed", "a central header is cut short");
    const header = central.subarray(at, at + CENTRAL_BYTES + entry.name.length);
    if (!sameBytes(header, centralHeader(entry))) throw refused("header", "a central header");
    const [name, most] = FIXED[i] ?? [`parts/${i - FIXED.length}.part`, 2 ** 64];
    if (fromUtf8(entry.name) !== name) throw refused("entry", `${name} is not where it is due`);
    if (entry.size > most) throw refused("size", `${name} is too large`);
    entries.push(entry);
    at += header.length;
  }
  if (at !== central.length) throw refused("malformed", "there is more than its central headers");
  if (count === LISTS + 1) throw refused("entry", "licences come without an index");
  return entries;
}

/** Step 3. */
async function checkLocal(source: ContainerSource, entries: readonly Entry[], centralOffset: bigint): Promise<void> {
  let at = 0n;
  for (const entry of entries) {
    if (entry.offset !== at) throw refused("gap", "an entry does not begin where the one before ends");
    at += BigInt(localHeader(entry).length) + entry.size;
  }
  if (at !== centralOffset) throw refused("gap", "the central headers do not begin where the contents end");
  for (const entry of entries) {
    const expected = localHeader(entry);
    if (!sameBytes(await source.read(Number(entry.offset), expected.length), expected)) throw refused("header", "a local header");
  }
}

// From here on all numbers are known to lie within the file.
const contentsBegin = (entry: Entry): number => Number(entry.offset) + localHeader(entry).length;

export const contents = (container: Container, i: number): Promise<Bytes> =>
  container.source.read(contentsBegin(container.entries[i]!), Number(container.entries[i]!.size));

export const readIndexOf = (container: Container): Promise<Bytes> => contents(container, LISTS + 1);

/** The range of part `i` within the file: where it begins, and its size. */
function partRange(container: Container, i: number): [number, number] {
  const entry = container.entries[FIXED.length + i]!;
  return [contentsBegin(entry), Number(entry.size)];
}

/**
 * The range of each part by its path, once number and sizes are those of the index. Refused: `container-parts`.
 */
export function rangesOf(container: Container, parts: readonly Part[]): ReadonlyMap<string, readonly [number, number]> {
  const held = container.entries.length - FIXED.length;
  const ranges = held === parts.length ? parts.map((_, i) => partRange(container, i)) : [];
  if (held !== parts.length || ranges.some(([, size], i) => size !== parts[i]!.size)) {
    throw refused("parts", "its parts are not those of the index");
  }
  return new Map(parts.map((part, i) => [part.path, ranges[i]!]));
}
