/** Single files: taking one in, and giving one out, each by slices; a file of gigabytes is never in memory as a whole. */
import { canonical, type Json } from "../reader/canonical.ts";
import { ofBlob, rangesOf, readContainer, readIndexOf } from "../reader/container.ts";
import { holdsListsAlone, licenceOf, listsOf } from "../reader/container-open.ts";
import { partName, writeContainer, type Content } from "../reader/container-writer.ts";
import { parseIndex, type Part } from "../reader/index.ts";
import type { Bytes } from "../reader/notation.ts";
import { recall } from "./memory.ts";
import { install, NothingHeld, readIndex, rowOf, takeInLists, type Row, type Shelf } from "./shelf.ts";

const PIECE = 4 << 20;

/** Takes in lists and, if the file has one for this device, its bundle. Null if it has lists alone. */
export async function importFile(shelf: Shelf, blob: Blob, nowS: number): Promise<Row | null> {
  const container = await readContainer(ofBlob(blob));
  const lists = await listsOf(container);
  // Lists count even if the rest of the file is not for this device.
  await takeInLists(shelf, lists, nowS);
  if (holdsListsAlone(container)) return null;
  const { licence, signature } = await licenceOf(container, shelf.device.id);
  const prepare = (parts: readonly Part[]) => {
    const ranges = rangesOf(container, parts);
    return async ({ path }: Part): Promise<void> => {
      const [begin, size] = ranges.get(path)!;
      for (let at = 0; at < size; at += PIECE) {
        const piece = await blob.slice(begin + at, begin + Math.min(at + PIECE, size)).arrayBuffer();
        await shelf.parts.write(path, at, new Uint8Array(piece));
      }
      await shelf.parts.finish(path, size);
    };
  };
  return install(shelf, lists, { licence, signature, index: await readIndexOf(container), prepare }, nowS);
}

/** An installed bundle with the lists that are held, as a Blob over the stored files. */
export async function exportFile(shelf: Shelf, packageId: string): Promise<Blob> {
  const row = await rowOf(shelf, packageId);
  const { lists } = await recall(shelf.database, shelf.device.tenant);
  if (lists === null) throw new NothingHeld("This device holds no lists.");
  const index = await readIndex(shelf, row);
  const licence = new TextDecoder().decode(row.licence);
  const json = (value: unknown): Bytes => canonical(value as Json);
  const contents: Content[] = [
    { name: "META-INF/trust.json", blob: new Blob([json(lists.chain)]) },
    { name: "META-INF/revocations.json", blob: new Blob([lists.revocations]) },
    { name: "META-INF/revocations-signature.json", blob: new Blob([json(lists.revocationsSignature)]) },
    { name: "META-INF/licences.json", blob: new Blob([json([{ licence, signature: row.signature }])]) },
    { name: "META-INF/index.json", blob: new Blob([index]) },
  ];
  for (const [i, part] of (await parseIndex(index)).parts.entries()) {
    const blob = await shelf.parts.file(part.path);
    if (blob?.size !== part.size) throw new NothingHeld(`The part ${part.path} is not as it was.`);
    contents.push({ name: partName(i), blob });
  }
  return writeContainer(contents);
}
