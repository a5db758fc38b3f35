/** Section "Trust list": the chain of lists, and how a reader gets from the one it knows to the newest. */
import { kidOf, parseGeneral, verifies, type Signed } from "./jws.ts";
import { sameBytes } from "./notation.ts";
import { Refused } from "./refused.ts";
import { parseTrustList, type TrustList } from "./trust.ts";

const TYP = "content-trust-list+jws";
const LONGEST = 1024;
const MOST_SIGNATURES = 16;

interface Link {
  readonly list: TrustList;
  readonly signatures: readonly Signed[];
}

export interface Chain {
  readonly latest: TrustList;
  /** `issued_at` of every list that was newly accepted, for the clock floor. */
  readonly times: readonly number[];
}

/** The newest list of the chain, reached from `known` (null: nothing known yet; then `pinnedRoot` counts if there is one). */
export async function followChain(
  chain: unknown,
  tenant: string,
  known: TrustList | null,
  pinnedRoot: string | null,
): Promise<Chain> {
  if (!Array.isArray(chain)) throw new Refused("trust-chain-malformed", "The chain of trust lists is not an array.");
  if (chain.length > LONGEST) throw new Refused("trust-chain-too-long", `The chain has more than ${LONGEST} lists.`);
  let latest = known;
  const times: number[] = [];
  const links = await readLinks(chain, tenant, known);
  for (const link of links) {
    if (known !== null && link.list.version < known.version) continue;
    if (known !== null && link.list.version === known.version) {
      if (!sameBytes(link.list.payload, known.payload)) {
        throw new Refused("trust-fork", "There are two trust lists of one version.");
      }
      continue;
    }
    await accept(link, latest, pinnedRoot);
    latest = link.list;
    times.push(link.list.issuedAt);
  }
  if (latest === null) throw new Refused("trust-chain-empty", "There is no trust list, and none is known.");
  const last = links.at(-1);
  if (last !== undefined && last.list.version < latest.version) {
    throw new Refused("trust-rollback", "The chain ends below the known trust list.");
  }
  return { latest, times };
}

/** Step 1, after the form of each list. */
async function readLinks(chain: readonly unknown[], tenant: string, known: TrustList | null): Promise<Link[]> {
  const links: Link[] = [];
  for (const entry of chain) {
    const signatures = parseGeneral(entry, MOST_SIGNATURES);
    links.push({ signatures, list: await parseTrustList(signatures[0]!.payload) });
  }
  for (const [i, { list }] of links.entries()) {
    // The first may be any list if nothing is known; otherwise it is to be the next one at most.
    const before = i > 0 ? links[i - 1]!.list.version : (known?.version ?? list.version - 1);
    const follows = i > 0 ? list.version === before + 1 : list.version <= before + 1;
    if (!follows) throw new Refused("trust-chain-gap", "A trust list between two versions is missing.");
    if (list.iss !== tenant) throw new Refused("trust-issuer", "The trust list is another tenant's.");
  }
  return links;
}

/** Steps 3 to 5. */
async function accept(link: Link, before: TrustList | null, pinnedRoot: string | null): Promise<void> {
  const { list } = link;
  const signers = new Set<string>();
  for (const signature of link.signatures) {
    const kid = kidOf(signature, TYP);
    const root = list.roots.get(kid) ?? before?.roots.get(kid);
    if (root === undefined || signers.has(kid)) {
      throw new Refused("trust-signer-unknown", "A signature is by no root, or by one that signed already.");
    }
    if (!(await verifies(signature, root.verifying))) {
      throw new Refused("trust-signature", "A signature of the trust list does not verify.");
    }
    signers.add(kid);
  }
  if (!enough(list, signers) || (before !== null && !enough(before, signers))) {
    throw new Refused("trust-threshold", "The trust list is signed by too few roots.");
  }
  if (before === null && pinnedRoot !== null && !(list.roots.has(pinnedRoot) && signers.has(pinnedRoot))) {
    throw new Refused("trust-root-not-pinned", "The root that was given out of band has not signed this trust list.");
  }
}

function enough(list: TrustList, signers: ReadonlySet<string>): boolean {
  return [...signers].filter((kid) => list.roots.has(kid)).length >= list.threshold;
}
