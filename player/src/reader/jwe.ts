/**
 * Section "JOSE", JWE: compact, ECDH-ES+A256KW with A256GCM, opened with a key that cannot be exported.
 *
 * WebCrypto has all that is needed but the Concat KDF, which is one SHA-256 here: 256 bits are one round of it.
 */
import { isMembers } from "./documents.ts";
import { readAgreementKey } from "./jwk.ts";
import { compareHeader } from "./jws.ts";
import { concat, sha256, u32be, unb64, utf8, type Bytes } from "./notation.ts";
import { Refused } from "./refused.ts";

const CHARACTERS = 2048;
const ALGORITHM = "ECDH-ES+A256KW";
const KEY_BITS = 256;

/** The plaintext of a JWE to `privateKey`. Refused: `jwe-malformed`, `jwe-header`, `jwk-…`, `jwe-decrypt`. */
export async function openJwe(token: unknown, privateKey: CryptoKey, typ: string, kid: string): Promise<Bytes> {
  const malformed = (what: string): Refused => new Refused("jwe-malformed", `The JWE is malformed: ${what}.`);
  if (typeof token !== "string") throw malformed("it is not text");
  if (token.length > CHARACTERS) throw malformed(`it has more than ${CHARACTERS} characters`);
  const texts = token.split(".");
  if (texts.length !== 5) throw malformed("it has not five parts");
  const [header, encryptedKey, nonce, ciphertext, tag] = texts.map(unb64);
  if (!header || !encryptedKey || !nonce || !ciphertext || !tag) throw malformed("a part is not base64url");
  if (encryptedKey.length !== 40 || nonce.length !== 12 || tag.length !== 16) throw malformed("a part has a wrong length");
  const epk = compareHeader(header, { alg: ALGORITHM, enc: "A256GCM", kid, typ }, "epk", "jwe-header");
  if (!isMembers(epk)) throw new Refused("jwe-header", "The ephemeral key is not an object.");
  const ephemeral = await readAgreementKey(epk);
  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: ephemeral }, privateKey, KEY_BITS);
  try {
    const agreed = await concatKdf(new Uint8Array(shared));
    const wrapping = await crypto.subtle.importKey("raw", agreed, "AES-KW", false, ["unwrapKey"]);
    const key = await crypto.subtle.unwrapKey("raw", encryptedKey, wrapping, "AES-KW", "AES-GCM", false, ["decrypt"]);
    const parameters = { name: "AES-GCM", iv: nonce, additionalData: utf8(texts[0]!), tagLength: 128 };
    return new Uint8Array(await crypto.subtle.decrypt(parameters, key, concat(ciphertext, tag)));
  } catch {
    throw new Refused("jwe-decrypt", "The JWE is not for this key, or was changed.");
  }
}

/** RFC 7518 section 4.6.2 with empty PartyUInfo and PartyVInfo. */
async function concatKdf(shared: Bytes): Promise<Bytes> {
  const algorithm = utf8(ALGORITHM);
  const nothing = u32be(0);
  return sha256(concat(u32be(1), shared, u32be(algorithm.length), algorithm, nothing, nothing, u32be(KEY_BITS)));
}
