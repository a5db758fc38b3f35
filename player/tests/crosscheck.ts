/**
 * The npm package `jose` as a second opinion: it opens and verifies what the vectors hold and what the reader signs, and the
 * reader opens and verifies what it makes. Prints the names of what held.
 */
import { readFileSync } from "node:fs";
import * as jose from "jose";
import { unb64, b64, utf8, fromUtf8, sameBytes } from "../src/reader/notation.ts";
import { openJwe } from "../src/reader/jwe.ts";
import { exportJwk, jwkMembers, thumbprint } from "../src/reader/jwk.ts";
import { prove, verifyProof } from "../src/reader/proof.ts";
import { register, verifyRegistration } from "../src/reader/registration.ts";

const folder = process.argv[2]!;
const vector = JSON.parse(readFileSync(`${folder}/good/open.json`, "utf8"));
const held: string[] = [];

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not as expected: ${what}`);
  held.push(what);
}

/** A refusal by jose is an exception, which ends the program. */
async function vectorsByJose(): Promise<void> {
  const licence = JSON.parse(vector.licence);
  const [[kid, jwe]] = Object.entries<string>(licence.keys) as [[string, string]];
  const key = await jose.importJWK(vector.device.encryption, "ECDH-ES+A256KW");
  const opened = await jose.compactDecrypt(jwe, key);
  expect(opened.plaintext.length === 32 && opened.protectedHeader.kid === kid, "jose opens a content key");
  const list = JSON.parse(fromUtf8(unb64(vector.chain[0].payload)!)!);
  for (const root of list.roots.slice(0, 2)) {
    const payload = await jose.generalVerify(vector.chain[0], await jose.importJWK(root, "ES256")).catch(() => null);
    expect(payload !== null, "jose verifies a root's signature of the trust list");
  }
  const token: string = vector.signature.tree_head;
  const named = list.keys.find((each: { kid: string }) => each.kid === jose.decodeProtectedHeader(token).kid);
  const verified = await jose.compactVerify(token, await jose.importJWK(named, "ES256"));
  expect(JSON.parse(fromUtf8(verified.payload)!).iss === licence.tenant, "jose verifies a tree head");
}

async function readerOpensJose(): Promise<void> {
  const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
  const jwk = jwkMembers(await exportJwk(pair.publicKey));
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const header = { typ: "content-key+jwe", alg: "ECDH-ES+A256KW", kid: "key_1", enc: "A256GCM" };
  const jwe = await new jose.CompactEncrypt(secret)
    .setProtectedHeader(header)
    .encrypt(await jose.importJWK(jwk, "ECDH-ES+A256KW"));
  expect(sameBytes(await openJwe(jwe, pair.privateKey, "content-key+jwe", "key_1"), secret), "the reader opens a JWE of jose");
}

async function bothWays(): Promise<void> {
  const signing = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  const encryption = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
  const jwk = await exportJwk(signing.publicKey);
  const device = await thumbprint(jwk);
  expect(device === (await jose.calculateJwkThumbprint({ ...jwk })), "thumbprints agree");
  const request = { method: "GET", url: "https://content.example/v1/x?y=1", tenant: "hill-school", nowS: 1_800_000_000 };
  const ours = await prove({ ...signing }, request, crypto.getRandomValues(new Uint8Array(16)));
  const { payload } = await jose.compactVerify(ours, await jose.importJWK({ ...jwk }, "ES256"));
  expect(JSON.parse(fromUtf8(payload)!).htu === "https://content.example/v1/x", "jose verifies a proof of the reader");
  const theirs = await new jose.CompactSign(payload)
    .setProtectedHeader({ typ: "dpop+jwt", jwk: jwkMembers(jwk), alg: "ES256" })
    .sign(signing.privateKey);
  expect((await verifyProof(theirs, request, 60, device)) === device, "the reader verifies a proof of jose");
  const publicJwk = await exportJwk(encryption.publicKey);
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const kid = await thumbprint(publicJwk);
  const challenge = await new jose.CompactEncrypt(secret)
    .setProtectedHeader({ alg: "ECDH-ES+A256KW", enc: "A256GCM", kid, typ: "content-device-challenge+jwe" })
    .encrypt(await jose.importJWK({ ...publicJwk }, "ECDH-ES+A256KW"));
  const nonce = b64(utf8("0123456789abcdef"));
  const answer = await register({ signing, encryption }, "hill-school", nonce, challenge);
  await jose.compactVerify(answer, await jose.importJWK({ ...jwk }, "ES256"));
  const id = await verifyRegistration(answer, { nonce, tenant: "hill-school", secret, encryption: publicJwk });
  expect(id === device, "a registration answers a challenge of jose");
}

await vectorsByJose();
await readerOpensJose();
await bothWays();
console.log(JSON.stringify(held));
