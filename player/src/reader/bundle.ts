/**
 * Step 13 of "Order of the checks": reading an open bundle, whole files or ranges of them, one segment in memory at a time.
 *
 * A range opens segment 0 (it holds the salt) and those that it touches. A file that is read to its end is compared with
 * the digest that was asked for; a reader of a stream has then seen its bytes, each of which an honest index vouched for,
 * so what the last check can still find is an index whose signer named the file wrongly.
 */
import { fileId, type ContentKey } from "./content-keys.ts";
import { expectType, parseDocument } from "./documents.ts";
import type { Members } from "./canonical.ts";
import type { FileEntry, Index } from "./index.ts";
import type { Licence } from "./licence.ts";
import { concat, digestOf, type Bytes } from "./notation.ts";
import { Refused } from "./refused.ts";
import { Sha256 } from "./sha256.ts";
import { DOCUMENT_BYTES } from "./signature.ts";
import { blockBegin, openFile, readSegment, segmentCount, segmentOf, type OpenSegment } from "./stream.ts";

/** Bytes of a part: fewer than asked for where it ends early, none where it is missing. */
export type ReadPart = (path: string, offset: number, size: number) => Promise<Bytes>;

const MANIFEST = "manifest";
/** Segments that are read and opened ahead while the one before is hashed or taken. */
const AHEAD = 3;
const OPENERS = 32;

const otherPlaintext = (): Refused => new Refused("plaintext-digest", "A file is not the one that its name says.");

export class Bundle {
  private readonly byId: ReadonlyMap<string, FileEntry>;
  /** Openers that ranges come back to, the latest last; each has read its segment 0. */
  private readonly openers = new Map<string, Promise<OpenSegment>>();

  private constructor(
    readonly licence: Licence,
    readonly index: Index,
    private readonly keys: ReadonlyMap<string, ContentKey>,
    private readonly readPart: ReadPart,
  ) {
    this.byId = new Map(index.files.map((file) => [file.id, file]));
  }

  static of(licence: Licence, index: Index, keys: ReadonlyMap<string, ContentKey>, read: ReadPart): Bundle {
    return new Bundle(licence, index, keys, read);
  }

  /** The file of a plaintext's digest under any of the keys, or null. */
  async find(digest: string): Promise<FileEntry | null> {
    for (const key of this.keys.values()) {
      const file = this.byId.get(await fileId(key, digest));
      if (file !== undefined && file.kid === key.kid) return file;
    }
    return null;
  }

  /** The manifest, which is a document; its members beyond `type` and `shape` are the player's matter. */
  async manifest(): Promise<Members> {
    const members = parseDocument(await this.read(this.licence.manifest), MANIFEST, DOCUMENT_BYTES);
    expectType(members, MANIFEST);
    return members;
  }

  /** A whole file in memory. */
  async read(digest: string): Promise<Bytes> {
    const blocks: Bytes[] = [];
    for await (const block of this.opened(await this.named(digest))) blocks.push(block);
    const whole = concat(...blocks);
    if ((await digestOf(whole)) !== digest) throw otherPlaintext();
    return whole;
  }

  /** Bytes `from` to `to` (not included) of a plaintext, cut at its end. */
  async readRange(digest: string, from: number, to: number): Promise<Bytes> {
    const file = await this.named(digest);
    const end = Math.min(to, file.size);
    if (!(from >= 0) || from >= end) return new Uint8Array(0);
    const open = await this.opener(file);
    const first = segmentOf(from);
    const numbers = Array.from({ length: segmentOf(end - 1) - first + 1 }, (_, i) => first + i);
    const blocks = await Promise.all(numbers.map(open));
    return concat(...blocks).subarray(from - blockBegin(first), end - blockBegin(first));
  }

  /** The same bytes as `read`, as a stream that opens segments as they are taken. */
  stream(digest: string): ReadableStream<Bytes> {
    const blocks = this.blocks(digest);
    return new ReadableStream<Bytes>({
      async pull(controller) {
        let next = await blocks.next();
        // An empty file has an empty block, which no stream may hold; its digest is checked all the same.
        if (!next.done && next.value.length === 0) next = await blocks.next();
        if (next.done) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await blocks.return(undefined);
      },
    });
  }

  /** The blocks of a file in order, and after the last one `plaintext-digest`. */
  private async *blocks(digest: string): AsyncGenerator<Bytes, void, undefined> {
    const file = await this.named(digest);
    let found = "";
    const last = segmentCount(file.size) - 1;
    const hash = last > 0 ? new Sha256() : null;
    for await (const block of this.opened(file)) {
      if (hash === null) found = await digestOf(block);
      else hash.update(block);
      yield block;
    }
    if ((hash?.digest() ?? found) !== digest) throw otherPlaintext();
  }

  /** Checks and opens every segment of every file: what proves a bundle whole. `progress` is told of sealed bytes. */
  async verify(progress: (bytes: number) => void = () => undefined): Promise<void> {
    for (const file of this.index.files) {
      for await (const _ of this.opened(file)) progress(0);
      progress(file.sealedSize);
    }
  }

  /** Checks the hash of every segment of one part without opening any: enough to take over bytes from elsewhere. */
  async verifyPart(part: number, progress: (bytes: number) => void = () => undefined): Promise<void> {
    for (const file of this.index.files) {
      if (file.part !== part) continue;
      const read = this.reading(file);
      for (let i = 0; i < segmentCount(file.size); i++) progress((await readSegment(file, i, read)).length);
    }
  }

  private async *opened(file: FileEntry): AsyncGenerator<Bytes, void, undefined> {
    const open = await openFile(file, this.keys.get(file.kid)!, this.reading(file));
    const count = segmentCount(file.size);
    const waiting: Promise<Bytes>[] = [];
    for (let i = 0, asked = 0; i < count; i++) {
      for (; asked < count && asked < i + AHEAD; asked++) {
        const block = open(asked);
        block.catch(() => undefined); // who awaits it hears of it; until then it is not unhandled
        waiting.push(block);
      }
      yield await waiting.shift()!;
    }
  }

  private opener(file: FileEntry): Promise<OpenSegment> {
    const open = this.openers.get(file.id) ?? openFile(file, this.keys.get(file.kid)!, this.reading(file));
    this.openers.delete(file.id);
    this.openers.set(file.id, open);
    open.catch(() => this.openers.delete(file.id)); // a part that is mended is read anew
    if (this.openers.size > OPENERS) this.openers.delete(this.openers.keys().next().value!);
    return open;
  }

  private reading(file: FileEntry): (begin: number, size: number) => Promise<Bytes> {
    const { path } = this.index.parts[file.part]!;
    return (begin, size) => this.readPart(path, file.offset + begin, size);
  }

  private async named(digest: string): Promise<FileEntry> {
    const file = await this.find(digest);
    if (file === null) throw new Refused("file-missing", "The bundle does not hold this file.");
    return file;
  }
}
