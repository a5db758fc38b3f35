/** Section "Single file", the bytes: each header as the section writes it, from name, crc, size and offset. */
import { concat, type Bytes } from "./notation.ts";

export interface Entry {
  readonly name: Bytes;
  readonly crc: number;
  /** As it stands in the headers, so up to 2⁶⁴ − 1, which a number of JavaScript would round into one that fits. */
  readonly size: bigint;
  /** Of the local header. */
  readonly offset: bigint;
}

/** A central header without its name. */
export const CENTRAL_BYTES = 46 + 28;
export const END_BYTES = 98;
const ALL32 = 2 ** 32 - 1;
const DATE = 33;

// The fields of a ZIP are little-endian, which typed arrays need not be.
function le16(...values: number[]): Bytes {
  const view = new DataView(new ArrayBuffer(2 * values.length));
  values.forEach((value, i) => view.setUint16(2 * i, value, true));
  return new Uint8Array(view.buffer);
}

function le32(...values: number[]): Bytes {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, i) => view.setUint32(4 * i, value, true));
  return new Uint8Array(view.buffer);
}

function le64(...values: bigint[]): Bytes {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  values.forEach((value, i) => view.setBigUint64(8 * i, value, true));
  return new Uint8Array(view.buffer);
}

const pk = (a: number, b: number): Bytes => Uint8Array.of(0x50, 0x4b, a, b);

export function localHeader({ name, crc, size }: Entry): Bytes {
  const first = concat(pk(3, 4), le16(45, 0, 0, 0, DATE), le32(crc, ALL32, ALL32), le16(name.length, 20));
  return concat(first, name, le16(1, 16), le64(size, size));
}

export function centralHeader({ name, crc, size, offset }: Entry): Bytes {
  const sizes = concat(le32(crc, ALL32, ALL32), le16(name.length, 28, 0, 0, 0), le32(0, ALL32));
  return concat(pk(1, 2), le16(45, 45, 0, 0, 0, DATE), sizes, name, le16(1, 24), le64(size, size, offset));
}

export function endOf(count: number, centralBytes: bigint, centralOffset: bigint): Bytes {
  const entries = BigInt(count);
  const first = concat(pk(6, 6), le64(44n), le16(45, 45), le32(0, 0), le64(entries, entries, centralBytes, centralOffset));
  const second = concat(pk(6, 7), le32(0), le64(centralOffset + centralBytes), le32(1));
  return concat(first, second, pk(5, 6), le16(0, 0, 0xffff, 0xffff), le32(ALL32, ALL32), le16(0));
}

/** What the central header at `at` says, or null where it is cut short. Whether it is as it has to be is compared then. */
export function readEntry(central: Bytes, at: number): Entry | null {
  if (at + CENTRAL_BYTES > central.length) return null;
  const view = new DataView(central.buffer, central.byteOffset + at, central.length - at);
  const nameBytes = view.getUint16(28, true);
  if (at + CENTRAL_BYTES + nameBytes > central.length) return null;
  const extra = 46 + nameBytes + 4;
  return {
    name: central.slice(at + 46, at + 46 + nameBytes),
    crc: view.getUint32(16, true),
    size: view.getBigUint64(extra, true),
    offset: view.getBigUint64(extra + 16, true),
  };
}
