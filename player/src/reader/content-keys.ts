/** Section "Content keys": opening them, and what follows from one: file ids, and the key of each file. */
import { openJwe } from "./jwe.ts";
import { hex, utf8, type Bytes } from "./notation.ts";
import { Refused } from "./refused.ts";

const TYP = "content-key+jwe";
const BYTES = 32;
const NOTHING = new Uint8Array(0);

export interface ContentKey {
  readonly kid: string;
  /** For HKDF alone; it cannot be exported once it is here. */
  readonly secret: CryptoKey;
  /** For HMAC alone. */
  readonly naming: CryptoKey;
}

/** Refused: `jwe-…`, `jwk-…`, `content-key`. */
export async function openContentKey(kid: string, jwe: string, privateKey: CryptoKey): Promise<ContentKey> {
  const key = await openJwe(jwe, privateKey, TYP, kid);
  if (key.length !== BYTES) throw new Refused("content-key", "A content key is not 32 bytes long.");
  return importContentKey(kid, key);
}

export async function importContentKey(kid: string, key: Bytes): Promise<ContentKey> {
  const secret = await crypto.subtle.importKey("raw", key, "HKDF", false, ["deriveKey"]);
  key.fill(0);
  const parameters = { name: "HKDF", hash: "SHA-256", salt: NOTHING, info: utf8("content-bundle/1/file-id") };
  // WebCrypto makes an HMAC key as long as the hash's block, if it is not told.
  const hmac = { name: "HMAC", hash: "SHA-256", length: 256 };
  return { kid, secret, naming: await crypto.subtle.deriveKey(parameters, secret, hmac, false, ["sign"]) };
}

/** The name of a plaintext within the bundle; `digest` is the text `sha256:<hex>`. */
export async function fileId(key: ContentKey, digest: string): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.sign("HMAC", key.naming, utf8(digest))).slice(0, 16));
}

export const associatedData = (kid: string, id: string): Bytes => utf8(`content-bundle/1|${kid}|${id}`);

export async function fileKey(key: ContentKey, id: string, salt: Bytes): Promise<CryptoKey> {
  const parameters = { name: "HKDF", hash: "SHA-256", salt, info: associatedData(key.kid, id) };
  return crypto.subtle.deriveKey(parameters, key.secret, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
}
