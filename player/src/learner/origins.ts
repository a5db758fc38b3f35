// The origin on which an imported package is played, apart from everything else: the same as `cluster/content_origins.py` says.
import { utf8 } from "../reader/notation.ts";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const CHARACTERS = 20;

/** The first characters of a SHA-256 in base32. */
export async function labelOf(packageId: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", utf8(packageId)));
  const bits = [...digest].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return Array.from({ length: CHARACTERS }, (_, at) => ALPHABET[Number.parseInt(bits.slice(5 * at, 5 * at + 5), 2)]).join("");
}

/** `siteUrl`: the address of tenants' sites, with `{tenant}` in it. */
export async function contentOrigin(siteUrl: string, tenant: string, packageId: string): Promise<string> {
  return new URL(siteUrl.replace("{tenant}", `${await labelOf(packageId)}--${tenant}`)).origin;
}
