/** Section "Proof": the DPoP proof that each request of a device carries. */
import { Fields, parseObject } from "./documents.ts";
import { TENANT, type Bytes, b64 } from "./notation.ts";
import { Refused } from "./refused.ts";
import { signAs, verifyOwn } from "./registration.ts";

const TYP = "dpop+jwt";
const CHARACTERS = 4096;
const JTI = /^[A-Za-z0-9_-]{16,128}$/;
const METHOD = /^[A-Z]{1,16}$/;
const URL_TEXT = /^https?:\/\/[!-~]{1,2000}$/;

export interface Request {
  readonly method: string;
  /** Query and fragment are left out of the proof. */
  readonly url: string;
  readonly tenant: string;
  /** Whole seconds since 1970. */
  readonly nowS: number;
}

const bareUrl = (url: string): string => url.replace(/[?#][^]*$/, "");

/** `random` are at least 12 fresh bytes, which name the proof. */
export async function prove(signing: CryptoKeyPair, request: Request, random: Bytes): Promise<string> {
  const { method, url, tenant, nowS } = request;
  return signAs(signing, TYP, { htm: method, htu: bareUrl(url), iat: nowS, jti: b64(random), tenant });
}

/** The id of the device that made the request. Whether the `jti` was seen before is asked of the server's memory. */
export async function verifyProof(jws: unknown, request: Request, skewS: number, device: string): Promise<string> {
  const { payload, key } = await verifyOwn(jws, TYP, CHARACTERS);
  const fields = new Fields(parseObject(payload, "proof", CHARACTERS), "proof-malformed");
  const method = fields.text("htm", METHOD);
  const url = fields.text("htu", URL_TEXT);
  const iat = fields.whole("iat");
  fields.text("jti", JTI);
  const tenant = fields.text("tenant", TENANT);
  fields.done();
  if (key.kid !== device) throw new Refused("proof-device", "The proof is another device's.");
  if (method !== request.method) throw new Refused("proof-method", "The proof is for another method.");
  if (url !== bareUrl(request.url)) throw new Refused("proof-url", "The proof is for another URL.");
  if (tenant !== request.tenant) throw new Refused("proof-tenant", "The proof is for another tenant.");
  if (Math.abs(iat - request.nowS) > skewS) throw new Refused("proof-time", "The proof is of another time.");
  return key.kid;
}
