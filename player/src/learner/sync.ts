// Going online, as a browser does it: fresh lists, then the newest bundle of each course, each verified before it takes an older
// one's place. What cannot be taken is told and left out; what was there before stays (docs/bundle-format.md).
import { type Api, ApiProblem, items } from "./api.ts";
import { download, DownloadFailed } from "../device/download.ts";
import { install, list, type Shelf, takeInLists } from "../device/shelf.ts";
import type { Lists } from "../reader/open.ts";
import { compare, utf8 } from "../reader/notation.ts";
import type { Json } from "../reader/canonical.ts";
import { parseDocument } from "../reader/documents.ts";
import { LICENCE, readLicence } from "../reader/licence.ts";

interface Location {
  readonly path: string;
  readonly size: number;
  readonly url: string;
}
interface Row {
  readonly bundle_id: string;
  readonly package_id: string;
  readonly version: number;
}
interface Offer extends Row {
  readonly licence: string;
  readonly signature: Json;
  readonly index: Location;
  readonly parts: readonly Location[];
}
interface SignedLists {
  readonly chain: Json;
  readonly revocations: { readonly document: string; readonly signature: Json };
}

const LICENCE_BYTES = 16 << 10;

export interface Progress {
  readonly fetched: number;
  readonly of: number;
}

export interface Synced {
  readonly taken: readonly string[];
  readonly refused: readonly { readonly packageId: string; readonly why: string }[];
}

export async function sync(shelf: Shelf, api: Api, tell: (progress: Progress) => void): Promise<Synced> {
  const nowS = Math.floor(Date.now() / 1000);
  const lists = listsOf(await api.get<SignedLists>(`/v1/tenants/${shelf.device.tenant}/trust-lists?since=0`));
  await takeInLists(shelf, lists, nowS);
  const held = new Map((await list(shelf)).map((row) => [row.packageId, row]));
  const taken: string[] = [];
  const refused: { packageId: string; why: string }[] = [];
  for (const offer of await newest(api)) {
    const here = held.get(offer.package_id);
    try {
      if (here?.bundleId !== offer.bundle_id || !sameBytes(here.licence, offer.licence)) {
        // Asked for again, since its addresses may have run out while another course came.
        await take(shelf, lists, await api.get<Offer>(`/v1/bundles/${offer.bundle_id}`), nowS, tell);
        taken.push(offer.package_id);
      }
    } catch (error) {
      if (error instanceof TypeError) throw error; // the network
      refused.push({ packageId: offer.package_id, why: error instanceof Error ? error.message : String(error) });
      continue;
    }
    // That the licence is in use; doing it again changes nothing, and that it cannot be heard now stops nobody from learning.
    await api.post(`/v1/bundles/${offer.bundle_id}/licence/registrations`, {}).catch(() => undefined);
  }
  return { taken, refused };
}

/** Of each package the ready bundle that comes last: by sequence, then by issue. */
async function newest(api: Api): Promise<readonly Offer[]> {
  const best = new Map<string, { offer: Offer; order: readonly number[] }>();
  for await (const row of items<Row>(api, "/v1/bundles?state=ready")) {
    const offer = await api.get<Offer>(`/v1/bundles/${row.bundle_id}`).catch((error: unknown) => {
      if (error instanceof ApiProblem && [202, 404, 409, 410].includes(error.status)) return null; // superseded or revoked meanwhile, or still in cold storage
      throw error;
    });
    if (!offer) continue;
    // Read here to choose alone; every check of the format comes when it is installed.
    const bytes = utf8(offer.licence);
    const licence = await readLicence(parseDocument(bytes, LICENCE, LICENCE_BYTES), bytes);
    const order = [...licence.sequence, licence.issue];
    const known = best.get(offer.package_id);
    if (!known || compare(order, known.order) > 0) best.set(offer.package_id, { offer, order });
  }
  return [...best.values()].map((each) => each.offer);
}

async function take(shelf: Shelf, lists: Lists, offer: Offer, nowS: number, tell: (progress: Progress) => void): Promise<void> {
  const of = offer.parts.reduce((sum, part) => sum + part.size, 0);
  let fetched = 0;
  const index = new Uint8Array(await (await fetched200(offer.index.url)).arrayBuffer());
  const urls = new Map(offer.parts.map((part) => [part.path, part.url]));
  const request = (path: string, headers: Record<string, string>): Promise<Response> => fetch(urls.get(path) ?? "", { headers });
  const progress = (bytes: number): void => tell({ fetched: (fetched += bytes), of });
  const prepare = () => (part: { path: string; size: number }) => download(shelf.parts, part.path, part.size, request, progress);
  await install(shelf, lists, { licence: utf8(offer.licence), signature: offer.signature, index, prepare }, nowS);
}

async function fetched200(url: string): Promise<Response> {
  const answer = await fetch(url);
  if (!answer.ok) throw new DownloadFailed(`The store answers ${answer.status}.`);
  return answer;
}

const listsOf = ({ chain, revocations }: SignedLists): Lists => ({ chain, revocations: utf8(revocations.document), revocationsSignature: revocations.signature });

function sameBytes(bytes: Uint8Array, text: string): boolean {
  return new TextDecoder().decode(bytes) === text;
}
