/**
 * Section "Single file", steps 4 to 6: from a file whose every header is right to its lists, to the licence of one device,
 * and on through the order of the checks.
 */
import { canonicalText, parseJson, type Json, type Members } from "./canonical.ts";
import { contents, LISTS, rangesOf, readIndexOf, refused, type Container } from "./container.ts";
import { Fields, get, isMembers } from "./documents.ts";
import { DIGEST, fromUtf8, PATH, THUMBPRINT, utf8, type Bytes } from "./notation.ts";
import { openBundle, takeLists, type Device, type Lists, type Opened, type Taken } from "./open.ts";
import type { ReaderState } from "./state.ts";

const MOST_LICENCES = 10_000;
const LICENCE_BYTES = 16 << 10;

function readCanonical(bytes: Bytes): Json {
  const value = parseJson(bytes);
  if (value === undefined || canonicalText(value) !== fromUtf8(bytes)) throw refused("document", "JSON that is not canonical");
  return value;
}

export const holdsListsAlone = (container: Container): boolean => container.entries.length === LISTS;

/** Step 4: chain and revocation list. */
export async function listsOf(container: Container): Promise<Lists> {
  const [chain, revocations, signature] = await Promise.all([0, 1, 2].map((i) => contents(container, i)));
  return {
    chain: readCanonical(chain!),
    revocations: revocations!,
    revocationsSignature: readCanonical(signature!),
  };
}

export interface Offer {
  readonly licence: Bytes;
  readonly signature: Json;
}

/** Steps 5 and 6: the form of all licences, then the one of this device. */
export async function licenceOf(container: Container, deviceId: string): Promise<Offer> {
  const all = readCanonical(await contents(container, LISTS));
  if (!Array.isArray(all) || all.length < 1 || all.length > MOST_LICENCES) throw refused("document", "its licences");
  let found: Offer | null = null;
  let before = "";
  let index: string | null = null;
  for (const entry of all) {
    const offer = readOffer(entry);
    if (offer.deviceId <= before) throw refused("document", "its licences are not in order");
    if (index !== null && offer.index !== index) throw refused("document", "its licences name two indexes");
    if (offer.deviceId === deviceId) found = offer;
    before = offer.deviceId;
    index = offer.index;
  }
  if (found === null) throw refused("device", "it holds no licence for this device");
  return found;
}

/** Of a licence no more is looked at than the file needs; the rest is for the device that it is meant for. */
function readOffer(entry: Json): Offer & { deviceId: string; index: string } {
  const fields = new Fields(entry, "container-document");
  const [text, signature] = [fields.take("licence"), fields.take("signature")];
  fields.done();
  if (typeof text !== "string") throw fields.refuse("A licence is not text");
  const licence = utf8(text);
  if (licence.length > LICENCE_BYTES) throw fields.refuse("A licence is too large");
  const members = readCanonical(licence);
  const device = isMembers(members) ? get(members, "device") : undefined;
  const place = new Fields(isMembers(members) ? get(members, "index") : undefined, "container-document");
  const index: Members = { path: place.text("path", PATH), size: place.whole("size"), digest: place.text("digest", DIGEST) };
  place.done();
  const deviceId = isMembers(device) ? get(device, "id") : undefined;
  if (typeof deviceId !== "string" || !THUMBPRINT.test(deviceId)) throw fields.refuse("A licence names no device");
  return { licence, signature, deviceId, index: canonicalText(index)! };
}

/** All of it; `save` is given what has to be remembered after step 3. Parts are read by slices of the file. */
export async function openContainer(
  container: Container,
  device: Device,
  state: ReaderState,
  nowS: number,
  pinnedRoot: string | null,
  save: (taken: Taken) => Promise<void>,
): Promise<Opened> {
  const taken = await takeLists(await listsOf(container), device.tenant, state, nowS, pinnedRoot);
  await save(taken);
  if (holdsListsAlone(container)) throw refused("device", "it holds lists alone");
  const offer = await licenceOf(container, device.id);
  let ranges: ReadonlyMap<string, readonly [number, number]> = new Map();
  const readPart = async (path: string, offset: number, size: number): Promise<Bytes> => {
    const [begin, whole] = ranges.get(path)!;
    return container.source.read(begin + offset, Math.max(0, Math.min(size, whole - offset)));
  };
  const opened = await openBundle({ ...offer, index: await readIndexOf(container), readPart }, taken, device, nowS);
  ranges = rangesOf(container, opened.bundle.index.parts);
  return opened;
}
