/** Section "Signature", the tree: RFC 9162 sections 2.1.1 and 2.1.3.2. */
import { concat, sameBytes, sha256, type Bytes } from "./notation.ts";

// Leaves and nodes begin with different bytes, so that a node can never be shown as a document.
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const leafHash = (document: Bytes): Promise<Bytes> => sha256(concat(LEAF, document));

/**
 * Whether `path` leads from leaf number `index` of `size` to `root`. Numbers go up to 2³¹, which does not fit the signed
 * integers of `>>` and `&`, hence the arithmetic.
 */
export async function leads(leaf: Bytes, index: number, size: number, path: readonly Bytes[], root: Bytes): Promise<boolean> {
  if (index >= size) return false;
  let number = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0) return false;
    if (number % 2 === 1 || number === last) {
      hash = await sha256(concat(NODE, sibling, hash));
      // The last node of a level without a sibling rises as it is, until it is a right child.
      while (number % 2 === 0 && number !== 0) {
        number = Math.floor(number / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = await sha256(concat(NODE, hash, sibling));
    }
    number = Math.floor(number / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && sameBytes(hash, root);
}
