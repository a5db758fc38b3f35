/** Section "JOSE", keys: public P-256 keys as JWK, and their thumbprints. */
import { canonical, type Members } from "./canonical.ts";
import { Fields, get, isMembers } from "./documents.ts";
import { b64, sha256, unb64 } from "./notation.ts";
import { Refused } from "./refused.ts";

export interface PublicJwk {
  readonly crv: "P-256";
  readonly kty: "EC";
  readonly x: string;
  readonly y: string;
}

export interface PublicKey {
  readonly jwk: PublicJwk;
  readonly kid: string;
  /** For ES256. */
  readonly verifying: CryptoKey;
}

/** The members of a public JWK. Refused: `jwk-private`, `jwk-malformed`. Whether the point is on the curve: `importKey`. */
export function parseJwk(value: unknown): PublicJwk {
  if (isMembers(value) && get(value, "d") !== undefined) throw new Refused("jwk-private", "This is a private key.");
  const fields = new Fields(value, "jwk-malformed");
  const jwk = { crv: fields.oneOf("crv", ["P-256"]), kty: fields.oneOf("kty", ["EC"]), x: fields.take("x"), y: fields.take("y") };
  fields.done();
  const { x, y } = jwk;
  if (unb64(x)?.length !== 32 || unb64(y)?.length !== 32) throw fields.refuse("A coordinate is not 32 bytes");
  return { crv: jwk.crv, kty: jwk.kty, x: x as string, y: y as string };
}

/** WebCrypto itself refuses a point that is not on the curve, which is `jwk-off-curve` here. */
async function importPoint(jwk: PublicJwk, name: "ECDSA" | "ECDH", usages: KeyUsage[]): Promise<CryptoKey> {
  try {
    return await crypto.subtle.importKey("jwk", { ...jwk }, { name, namedCurve: "P-256" }, true, usages);
  } catch {
    throw new Refused("jwk-off-curve", "The key is not a point of P-256.");
  }
}

export async function readPublicKey(value: unknown): Promise<PublicKey> {
  const jwk = parseJwk(value);
  return { jwk, kid: await thumbprint(jwk), verifying: await importPoint(jwk, "ECDSA", ["verify"]) };
}

export async function readAgreementKey(value: unknown): Promise<CryptoKey> {
  return importPoint(parseJwk(value), "ECDH", []);
}

/** RFC 7638: the digest of exactly these members in canonical form. */
export async function thumbprint(jwk: PublicJwk): Promise<string> {
  const { crv, kty, x, y } = jwk;
  return b64(await sha256(canonical({ crv, kty, x, y })));
}

/** The public half of a key of this device. */
export async function exportJwk(key: CryptoKey): Promise<PublicJwk> {
  const { x, y } = await crypto.subtle.exportKey("jwk", key);
  return { crv: "P-256", kty: "EC", x: x!, y: y! };
}

export const jwkMembers = (jwk: PublicJwk): Members => ({ ...jwk });
