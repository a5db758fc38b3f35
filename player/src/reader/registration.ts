/** Section "Device registration": what a device sends, and (for the vectors and a test server) how it is checked. */
import { canonical, type Members } from "./canonical.ts";
import { get, parseObject, typed } from "./documents.ts";
import { openJwe } from "./jwe.ts";
import { exportJwk, jwkMembers, parseJwk, readPublicKey, thumbprint, type PublicJwk, type PublicKey } from "./jwk.ts";
import { compareHeader, parseCompact, sign, verify } from "./jws.ts";
import { b64, sameBytes, TENANT, unb64, type Bytes } from "./notation.ts";
import { Refused } from "./refused.ts";

const TYPE = "device-registration";
const TYP = "content-device-registration+jws";
const CHALLENGE = "content-device-challenge+jwe";
const CHARACTERS = 4096;
const MALFORMED = "registration-malformed";
const NONCE = /^[A-Za-z0-9_-]{16,128}$/;

export interface DeviceKeys {
  readonly signing: CryptoKeyPair;
  readonly encryption: CryptoKeyPair;
}

/** The answer to a challenge: a JWS by the signing key that names the encryption key and proves that it is held. */
export async function register(keys: DeviceKeys, tenant: string, nonce: string, challenge: string): Promise<string> {
  const encryption = await exportJwk(keys.encryption.publicKey);
  const secret = await openJwe(challenge, keys.encryption.privateKey, CHALLENGE, await thumbprint(encryption));
  const payload = {
    type: TYPE,
    shape: 1,
    tenant,
    nonce,
    encryption: jwkMembers(encryption),
    answer: b64(secret),
  };
  return signAs(keys.signing, TYP, payload);
}

/** A compact JWS whose header holds the public signing key itself. */
export async function signAs(signing: CryptoKeyPair, typ: string, payload: Members): Promise<string> {
  const jwk = jwkMembers(await exportJwk(signing.publicKey));
  return sign({ alg: "ES256", jwk, typ }, canonical(payload), signing.privateKey);
}

/** Payload and key of a JWS that brings its key along; header and signature hold. */
export async function verifyOwn(jws: unknown, typ: string, most: number): Promise<{ payload: Bytes; key: PublicKey }> {
  const token = parseCompact(jws, most);
  const key = await readPublicKey(compareHeader(token.header, { alg: "ES256", typ }, "jwk"));
  await verify(token, key.verifying);
  return { payload: token.payload, key };
}

export interface Challenge {
  readonly nonce: string;
  readonly tenant: string;
  readonly secret: Bytes;
  /** The key that was challenged; null where whoever asks has not kept it, and the answer alone has to show it. */
  readonly encryption: PublicJwk | null;
}

/** The device's id. The order is that of the section. */
export async function verifyRegistration(jws: unknown, challenge: Challenge): Promise<string> {
  const { payload, key } = await verifyOwn(jws, TYP, CHARACTERS);
  const members = parseObject(payload, "registration", CHARACTERS);
  const fields = typed(members, TYPE, MALFORMED);
  const tenant = fields.text("tenant", TENANT);
  const nonce = fields.text("nonce", NONCE);
  fields.take("encryption");
  const answer = unb64(fields.take("answer"));
  fields.done();
  if (answer?.length !== 32) throw new Refused(MALFORMED, "The answer is not 32 bytes.");
  const encryption = (await readPublicKey(get(members, "encryption"))).jwk;
  if (tenant !== challenge.tenant) throw new Refused("registration-tenant", "It is for another tenant.");
  if (nonce !== challenge.nonce) throw new Refused("registration-nonce", "It answers another challenge.");
  const kid = await thumbprint(encryption);
  if (challenge.encryption !== null && kid !== (await thumbprint(parseJwk(challenge.encryption)))) {
    throw new Refused("registration-encryption-key", "It names another encryption key than the challenged one.");
  }
  if (kid === key.kid) throw new Refused("registration-same-key", "One key is both for signing and for encryption.");
  if (!sameBytes(answer, challenge.secret)) throw new Refused("registration-answer", "The answer is not the secret.");
  return key.kid;
}
