/**
 * Section "Index": which files lie where, and the digest of each segment.
 *
 * After the form: no file and no part twice, then file by file size, order and bounds, then the digest of each part whose
 * bytes all belong to files ("Part").
 */
import { Fields, parseDocument, typed } from "./documents.ts";
import type { Json } from "./canonical.ts";
import { concat, DIGEST, digestOf, IDENTIFIER, PATH, unb64, type Bytes } from "./notation.ts";
import { Refused } from "./refused.ts";
import { sealedSize, segmentCount } from "./stream.ts";

const KIND = "index";
const MALFORMED = "index-malformed";
const BYTES = 32 << 20;
const MOST_FILES = 100_000;
const MOST_PARTS = 1_000;
const MOST_BYTES = 2 ** 36;
const FILE_ID = /^[0-9a-f]{32}$/;
const MEDIA = ["manifest", "image", "video", "audio", "text", "other"] as const;

export interface Part {
  readonly path: string;
  readonly size: number;
  readonly digest: string;
}

export interface FileEntry {
  readonly id: string;
  readonly kid: string;
  readonly part: number;
  readonly offset: number;
  readonly size: number;
  readonly sealedSize: number;
  readonly media: (typeof MEDIA)[number];
  /** The raw digests of the segments, 32 bytes each. */
  readonly segments: Bytes;
}

export interface Index {
  readonly parts: readonly Part[];
  readonly files: readonly FileEntry[];
}

export async function parseIndex(bytes: Bytes): Promise<Index> {
  const members = parseDocument(bytes, KIND, BYTES);
  const fields = typed(members, KIND, MALFORMED);
  const parts = fields.list("parts", 0, MOST_PARTS).map(readPart);
  const files = fields.list("files", 0, MOST_FILES).map((file) => readFile(file, parts.length));
  fields.done();
  if (new Set(files.map((file) => file.id)).size < files.length) {
    throw new Refused("index-file-repeated", "A file stands in the index twice.");
  }
  if (new Set(parts.map((part) => part.path)).size < parts.length) {
    throw new Refused("index-part-repeated", "Two parts have one path.");
  }
  checkPlaces(files, parts);
  await checkParts(files, parts);
  return { parts, files };
}

function readPart(value: Json): Part {
  const fields = new Fields(value, MALFORMED);
  const part = { path: fields.text("path", PATH), size: fields.whole("size", 1), digest: fields.text("digest", DIGEST) };
  fields.done();
  return part;
}

function readFile(value: Json, parts: number): FileEntry {
  const fields = new Fields(value, MALFORMED);
  const segments = unb64(fields.take("segments"));
  if (segments === null) throw fields.refuse("The segments are not base64url");
  const file = {
    id: fields.text("id", FILE_ID),
    kid: fields.text("kid", IDENTIFIER),
    part: fields.whole("part", 0, Math.max(parts - 1, 0)),
    offset: fields.whole("offset"),
    size: fields.whole("size", 0, MOST_BYTES),
    sealedSize: fields.whole("sealed_size"),
    media: fields.oneOf("media", MEDIA),
    segments,
  };
  fields.done();
  return file;
}

function checkPlaces(files: readonly FileEntry[], parts: readonly Part[]): void {
  let part = 0;
  let end = 0;
  for (const file of files) {
    if (file.sealedSize !== sealedSize(file.size) || file.segments.length !== 32 * segmentCount(file.size)) {
      throw new Refused("index-file-size", "A file's sizes do not agree.");
    }
    if (parts[file.part] === undefined) throw new Refused("index-bounds", "A file is in no part.");
    if (file.part < part || (file.part === part && file.offset < end)) {
      throw new Refused("index-overlap", "Files overlap or are not in order.");
    }
    part = file.part;
    end = file.offset + file.sealedSize;
    if (end > parts[part]!.size) throw new Refused("index-bounds", "A file reaches beyond its part.");
  }
}

/** Where files cover a part without a gap, its digest is that of their segment digests. */
async function checkParts(files: readonly FileEntry[], parts: readonly Part[]): Promise<void> {
  const within: FileEntry[][] = parts.map(() => []);
  for (const file of files) within[file.part]!.push(file);
  for (const [i, part] of parts.entries()) {
    const covered = within[i]!.reduce((size, file) => size + file.sealedSize, 0);
    if (covered !== part.size) continue;
    if ((await digestOf(concat(...within[i]!.map((file) => file.segments)))) !== part.digest) {
      throw new Refused("part-digest", "A part's digest is not that of its segments.");
    }
  }
}
