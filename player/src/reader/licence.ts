/** Section "Licence": its form. What it says is compared with device, clock and memory in open.ts. */
import type { Members } from "./canonical.ts";
import { typed, type Fields } from "./documents.ts";
import { BUNDLE_ID, DIGEST, digestOf, IDENTIFIER, PATH, TENANT, THUMBPRINT, type Bytes } from "./notation.ts";
import { Refused } from "./refused.ts";

export const LICENCE = "licence";
const BYTES = 16 << 10;
const TEN_YEARS_S = 10 * 366 * 86_400;
const MOST_KEYS = 16;
// Which of these texts are a JWE is told in step 11, under codes of its own.
const JWE = /^[A-Za-z0-9_.-]{1,2048}$/;
const PROFILE = /^[a-z0-9][a-z0-9-]{0,38}$/;

export interface Licence {
  /** Of the licence's own bytes. */
  readonly digest: string;
  readonly bundleId: string;
  readonly issue: number;
  readonly tenant: string;
  readonly packageId: string;
  readonly version: number;
  /** Digest of the manifest's plaintext. */
  readonly manifest: string;
  readonly deviceId: string;
  readonly deviceEncryption: string;
  readonly sequence: readonly number[];
  /** Times are seconds since 1970. */
  readonly issuedAt: number;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly graceS: number;
  readonly minRevocations: readonly number[];
  readonly profile: string;
  /** Content key id → JWE. */
  readonly keys: ReadonlyMap<string, string>;
  readonly index: { readonly path: string; readonly size: number; readonly digest: string };
}

/** The form of a licence whose signature has been checked. Refused: `licence-too-large`, `licence-malformed`. */
export async function readLicence(members: Members, bytes: Bytes): Promise<Licence> {
  if (bytes.length > BYTES) throw new Refused("licence-too-large", `The licence is larger than ${BYTES} bytes.`);
  const fields = typed(members, LICENCE, "licence-malformed");
  const device = fields.object("device");
  const index = fields.object("index");
  const licence: Licence = {
    digest: await digestOf(bytes),
    bundleId: fields.text("bundle_id", BUNDLE_ID),
    issue: fields.whole("issue", 1),
    tenant: fields.text("tenant", TENANT),
    packageId: fields.text("package_id", IDENTIFIER),
    version: fields.whole("version", 1),
    manifest: fields.text("manifest", DIGEST),
    deviceId: device.text("id", THUMBPRINT),
    deviceEncryption: device.text("encryption", THUMBPRINT),
    sequence: fields.wholes("sequence", 3),
    issuedAt: fields.time("issued_at"),
    notBefore: fields.time("not_before"),
    notAfter: fields.time("not_after"),
    graceS: fields.whole("offline_grace_s", 0, TEN_YEARS_S),
    minRevocations: fields.wholes("min_revocations", 2),
    profile: fields.text("profile", PROFILE),
    keys: readKeys(fields),
    index: { path: index.text("path", PATH), size: index.whole("size", 1), digest: index.text("digest", DIGEST) },
  };
  for (const each of [device, index, fields]) each.done();
  if (licence.sequence[1] !== licence.version) throw fields.refuse("The sequence is of another version");
  if (licence.notBefore > licence.notAfter) throw fields.refuse("The licence ends before it begins");
  return licence;
}

function readKeys(fields: Fields): Map<string, string> {
  const members = Object.entries(fields.members("keys"));
  if (members.length < 1 || members.length > MOST_KEYS) throw fields.refuse(`There are not 1 to ${MOST_KEYS} keys`);
  const keys = new Map<string, string>();
  for (const [kid, jwe] of members) {
    if (!IDENTIFIER.test(kid) || typeof jwe !== "string" || !JWE.test(jwe)) {
      throw fields.refuse("A key is not a JWE under an identifier");
    }
    keys.set(kid, jwe);
  }
  return keys;
}
