/**
 * Section "Stream": the segments of one encrypted file.
 *
 * A segment's hash is compared before its key is even asked for: under a shared policy every enrolled device knows the content
 * key and could make a segment whose tag is right.
 */
import { fileKey, type ContentKey } from "./content-keys.ts";
import type { FileEntry } from "./index.ts";
import { concat, sameBytes, sha256, u32be, type Bytes } from "./notation.ts";
import { Refused } from "./refused.ts";

export const SEGMENT = 1 << 20;
const TAG = 16;
const HEADER = 40;
const SALT = 32;
const FIRST_BYTE = 0x28;
const FIRST_BLOCK = SEGMENT - HEADER - TAG;
const BLOCK = SEGMENT - TAG;

export function segmentCount(size: number): number {
  return size <= FIRST_BLOCK ? 1 : 1 + Math.ceil((size - FIRST_BLOCK) / BLOCK);
}

export const sealedSize = (size: number): number => HEADER + size + TAG * segmentCount(size);

/** The segment that holds byte `at` of the plaintext. */
export const segmentOf = (at: number): number => (at < FIRST_BLOCK ? 0 : 1 + Math.floor((at - FIRST_BLOCK) / BLOCK));

/** The first byte of the plaintext that segment `i` holds. */
export const blockBegin = (i: number): number => (i === 0 ? 0 : FIRST_BLOCK + (i - 1) * BLOCK);

/** The range of segment `i` within the file's ciphertext. */
export function segmentRange(file: FileEntry, i: number): { begin: number; size: number } {
  const begin = i * SEGMENT;
  return { begin, size: Math.min(SEGMENT, file.sealedSize - begin) };
}

/** Bytes of a file's ciphertext; fewer than asked for where the part ends early. */
export type ReadSealed = (begin: number, size: number) => Promise<Bytes>;

/** Segment `i`, after its length and its hash. Refused: `segment-size`, `segment-digest`. */
export async function readSegment(file: FileEntry, i: number, read: ReadSealed): Promise<Bytes> {
  const { begin, size } = segmentRange(file, i);
  const segment = await read(begin, size);
  if (segment.length !== size) throw new Refused("segment-size", "A segment is shorter or longer than the index says.");
  if (!sameBytes(await sha256(segment), file.segments.subarray(32 * i, 32 * i + 32))) {
    throw new Refused("segment-digest", "A segment is not the one that the index names.");
  }
  return segment;
}

export type OpenSegment = (i: number) => Promise<Bytes>;

/**
 * Opens the segments of one file, in any order. The first call reads segment 0, which holds the salt; it is kept no longer
 * than its own plaintext is wanted. Refused: codes of `readSegment`, `stream-header`, `segment-tag`.
 */
export async function openFile(file: FileEntry, key: ContentKey, read: ReadSealed): Promise<OpenSegment> {
  let first: Bytes | null = await readSegment(file, 0, read);
  if (first[0] !== FIRST_BYTE) throw new Refused("stream-header", "The file does not begin as a stream begins.");
  const derived = await fileKey(key, file.id, first.slice(1, 1 + SALT));
  const prefix = first.slice(1 + SALT, HEADER);
  const last = segmentCount(file.size) - 1;
  return async (i) => {
    const segment = i === 0 && first !== null ? first : await readSegment(file, i, read);
    if (i === 0) first = null;
    const iv = concat(prefix, u32be(i), Uint8Array.of(i === last ? 1 : 0));
    try {
      const sealed = i === 0 ? segment.subarray(HEADER) : segment;
      return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv, tagLength: 128 }, derived, sealed));
    } catch {
      throw new Refused("segment-tag", "A segment was not sealed for this file under this key.");
    }
  };
}
