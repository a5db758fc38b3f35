/**
 * Section "Single file": writing one. The result is a Blob over the given blobs, so nothing is copied but the headers.
 *
 * Contents are read once for their CRC-32, in pieces; after that the file is only names of ranges until somebody reads it.
 */
import { centralHeader, endOf, localHeader, type Entry } from "./container-bytes.ts";
import { concat, utf8, type Bytes } from "./notation.ts";

export interface Content {
  readonly name: string;
  readonly blob: Blob;
}

const PIECE = 4 << 20;
const POLYNOMIAL = 0xedb88320;
const TABLES = makeTables();

export const partName = (i: number): string => `parts/${i}.part`;

/** `contents` are in the order of the section's table. */
export async function writeContainer(contents: readonly Content[]): Promise<Blob> {
  const pieces: BlobPart[] = [];
  const central: Bytes[] = [];
  let offset = 0n;
  for (const { name, blob } of contents) {
    const entry: Entry = { name: utf8(name), crc: await crcOf(blob), size: BigInt(blob.size), offset };
    const header = localHeader(entry);
    pieces.push(header, blob);
    central.push(centralHeader(entry));
    offset += BigInt(header.length) + entry.size;
  }
  const headers = concat(...central);
  pieces.push(headers, endOf(contents.length, BigInt(headers.length), offset));
  return new Blob(pieces, { type: "application/vnd.content-bundle+zip" });
}

async function crcOf(blob: Blob): Promise<number> {
  let crc = 0;
  for (let at = 0; at < blob.size; at += PIECE) {
    crc = crc32(new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer()), crc);
  }
  return crc;
}

/** CRC-32 of ZIP, four bytes in a step; `before` is the CRC of what stands before. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    const low = TABLES[768 + (crc & 255)]! ^ TABLES[512 + ((crc >>> 8) & 255)]!;
    crc = low ^ TABLES[256 + ((crc >>> 16) & 255)]! ^ TABLES[crc >>> 24]!;
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(1024);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < 1024; i++) tables[i] = tables[tables[i - 256]! & 255]! ^ (tables[i - 256]! >>> 8);
  return tables;
}
