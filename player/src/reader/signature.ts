/**
 * Section "Signature": one object vouches for one document.
 *
 * Steps 1 to 4 and the first half of 5 are here; the form of the document is the matter of its own module. What a list says
 * about revoked keys is checked later and by whoever opens (sections "Which key may sign what" and "Order of the checks").
 */
import { parseDocument, Fields, expectType } from "./documents.ts";
import type { Members } from "./canonical.ts";
import { kidOf, parseCompact, verify, type Signed } from "./jws.ts";
import { leads, leafHash } from "./merkle.ts";
import { DIGEST, TENANT, unhex, type Bytes } from "./notation.ts";
import { Refused } from "./refused.ts";
import { keyFor, type TrustList } from "./trust.ts";

const TREE_HEAD = "content-tree-head+jws";
const TREE_HEAD_CHARACTERS = 1024;
const MOST_LEAVES = 2 ** 31;
const LONGEST_PATH = 31;
export const DOCUMENT_BYTES = 64 << 20;

interface Vouching {
  readonly token: Signed;
  readonly kid: string;
  readonly index: number;
  readonly size: number;
  readonly path: readonly Bytes[];
}

interface TreeHead {
  readonly iat: number;
  readonly iss: string;
  readonly root: Bytes;
  readonly size: number;
}

export interface Vouched {
  readonly members: Members;
  readonly kid: string;
  /** Seconds since 1970; one of the signed times that raise the clock floor. */
  readonly iat: number;
}

/** The document, if `signature` vouches for it in the name of `tenant` with a key of `trust`. */
export async function verifyDocument(
  document: Bytes,
  signature: unknown,
  type: string,
  tenant: string,
  trust: TrustList,
): Promise<Vouched> {
  const vouching = parseSignature(signature);
  const head = parseTreeHead(vouching.token.payload);
  await verify(vouching.token, keyFor(trust, vouching.kid, head.iat).verifying);
  if (head.iss !== tenant) throw new Refused("signature-issuer", "The signature is in another tenant's name.");
  const { index, size, path } = vouching;
  if (size !== head.size || !(await leads(await leafHash(document), index, size, path, head.root))) {
    throw new Refused("signature-proof", "The signature is for another document.");
  }
  const members = parseDocument(document, "document", DOCUMENT_BYTES);
  expectType(members, type);
  return { members, kid: vouching.kid, iat: head.iat };
}

function parseSignature(signature: unknown): Vouching {
  const fields = new Fields(signature, "signature-malformed");
  const token = parseCompact(fields.take("tree_head"), TREE_HEAD_CHARACTERS);
  const proof = fields.object("proof");
  fields.done();
  const index = proof.whole("index", 0, MOST_LEAVES - 1);
  const size = proof.whole("size", 1, MOST_LEAVES);
  const path = proof.list("path", 0, LONGEST_PATH).map((digest) => {
    if (typeof digest !== "string" || !DIGEST.test(digest)) throw proof.refuse("The path holds what is no digest");
    return unhex(digest.slice(7));
  });
  proof.done();
  return { token, kid: kidOf(token, TREE_HEAD), index, size, path };
}

/** Its size is bounded by that of the JWS. It has neither `type` nor `shape`: the header's `typ` says what it is. */
function parseTreeHead(payload: Bytes): TreeHead {
  const fields = new Fields(parseDocument(payload, "signature", TREE_HEAD_CHARACTERS), "signature-malformed");
  const head = {
    iat: fields.time("iat"),
    iss: fields.text("iss", TENANT),
    root: unhex(fields.text("root", DIGEST).slice(7)),
    size: fields.whole("size", 1, MOST_LEAVES),
  };
  fields.done();
  return head;
}
