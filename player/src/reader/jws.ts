/**
 * Section "JOSE", JWS: ES256, compact or general JSON serialisation.
 *
 * A token is first taken apart (`jws-malformed`), then its header is compared whole with the expected one (`jws-header`), and
 * only then a key is looked for, so nothing in a header ever chooses an algorithm or brings a key of its own.
 */
import { canonical, canonicalText, parseJson, type Json, type Members } from "./canonical.ts";
import { get, isMembers } from "./documents.ts";
import { b64, concat, THUMBPRINT, unb64, utf8, type Bytes } from "./notation.ts";
import { Refused } from "./refused.ts";

const HEADER_BYTES = 1024;
const ES256 = { name: "ECDSA", hash: "SHA-256" };

export interface Signed {
  readonly header: Bytes;
  readonly payload: Bytes;
  /** r ‖ s, which is what WebCrypto verifies; both values of s are good. */
  readonly signature: Bytes;
  /** What is signed: the two texts of the token and the dot between. */
  readonly input: Bytes;
}

const malformed = (what: string): Refused => new Refused("jws-malformed", `The JWS is malformed: ${what}.`);

export function parseCompact(token: unknown, mostCharacters: number): Signed {
  if (typeof token !== "string") throw malformed("it is not text");
  if (token.length > mostCharacters) throw malformed(`it has more than ${mostCharacters} characters`);
  const parts = token.split(".");
  if (parts.length !== 3) throw malformed("it has not three parts");
  return signed(parts[0]!, parts[1]!, parts[2]!);
}

/** Each signature of a JWS in general JSON serialisation, with the payload that all of them sign. */
export function parseGeneral(value: unknown, mostSignatures: number): readonly Signed[] {
  const members = exactly(value, ["payload", "signatures"]);
  const signatures = members["signatures"]!;
  if (!Array.isArray(signatures) || signatures.length < 1 || signatures.length > mostSignatures) {
    throw malformed(`it has not 1 to ${mostSignatures} signatures`);
  }
  return signatures.map((entry) => {
    const one = exactly(entry, ["protected", "signature"]);
    return signed(one["protected"]!, members["payload"]!, one["signature"]!);
  });
}

function exactly(value: unknown, names: readonly string[]): Members {
  if (!isMembers(value) || Object.keys(value).sort().join() !== names.join()) {
    throw malformed(`an object has not exactly the members ${names.join(", ")}`);
  }
  return value;
}

function signed(header: Json, payload: Json, signature: Json): Signed {
  const [h, p, s] = [unb64(header), unb64(payload), unb64(signature)];
  if (h === null || p === null || s === null) throw malformed("a part is not base64url");
  if (s.length !== 64) throw malformed("the signature is not 64 bytes long");
  return { header: h, payload: p, signature: s, input: utf8(`${header as string}.${payload as string}`) };
}

/**
 * Compares the whole header with the expected one but for the member `named`, which says the key, and gives that member's
 * value. Their order is free. `code` is `jws-header` or `jwe-header`.
 */
export function compareHeader(header: Bytes, expected: Members, named: string, code = "jws-header"): Json {
  const refused = (): Refused => new Refused(code, "The protected header is not the expected one.");
  const found = header.length > HEADER_BYTES ? undefined : parseJson(header);
  if (!isMembers(found)) throw refused();
  const value = get(found, named);
  if (value === undefined || canonicalText(found) !== canonicalText({ ...expected, [named]: value })) throw refused();
  return value;
}

/** The `kid` of a header that names its key by thumbprint. */
export function kidOf(token: Signed, typ: string): string {
  const kid = compareHeader(token.header, { alg: "ES256", typ }, "kid");
  if (typeof kid !== "string" || !THUMBPRINT.test(kid)) throw new Refused("jws-header", "The kid is no thumbprint.");
  return kid;
}

export async function verifies(token: Signed, key: CryptoKey): Promise<boolean> {
  return crypto.subtle.verify(ES256, key, token.signature, token.input);
}

export async function verify(token: Signed, key: CryptoKey): Promise<void> {
  if (!(await verifies(token, key))) throw new Refused("jws-signature", "The signature does not verify.");
}

/** A compact JWS by a key of this device; the private key needs no more than the usage `sign`. */
export async function sign(header: Members, payload: Bytes, key: CryptoKey): Promise<string> {
  const input = `${b64(canonical(header))}.${b64(payload)}`;
  return `${input}.${b64(new Uint8Array(await crypto.subtle.sign(ES256, key, concat(utf8(input)))))}`;
}
