/** Section "Revocation delta": what leads from the list that is held to a later one. The result is checked like any list. */
import { canonical } from "./canonical.ts";
import { parseDocument, typed, type Fields } from "./documents.ts";
import { compare, writeTime, type Bytes } from "./notation.ts";
import { Refused } from "./refused.ts";
import { ENTRY_NAMES, parseRevocations, readEntries, readHead, REVOCATIONS, type Entries } from "./revocations.ts";

const KIND = "revocations-delta";
// Both lists of entries are bounded, and so are the bytes: as a revocation list.
const BYTES = 8 << 20;

/** The bytes of the later list. Refused: codes of the two documents, and `revocations-delta-base`. */
export function applyDelta(list: Bytes, delta: Bytes): Bytes {
  const held = parseRevocations(list);
  const members = parseDocument(delta, KIND, BYTES);
  const fields = typed(members, KIND, "revocations-delta-malformed");
  const head = readHead(fields);
  const from = fields.wholes("from", 2);
  const [add, remove] = [readAll(fields.object("add")), readAll(fields.object("remove"))];
  fields.done();
  if (head.tenant !== held.tenant || compare(from, held.version) !== 0) {
    throw new Refused("revocations-delta-base", "The delta begins with another list than the one that is held.");
  }
  const entries = ENTRY_NAMES.map((name) => [name, change(held.entries[name], add[name], remove[name])]);
  return canonical({
    ...(Object.fromEntries(entries) as Record<string, string[]>),
    type: REVOCATIONS,
    shape: 1,
    tenant: head.tenant,
    version: [...head.version],
    issued_at: writeTime(head.issuedAt),
    expires: writeTime(head.expires),
  });
}

function readAll(fields: Fields): Entries {
  const entries = readEntries(fields);
  fields.done();
  return entries;
}

function change(held: readonly string[], add: readonly string[], remove: readonly string[]): string[] {
  const left = new Set(held);
  const wrong = (what: string): Refused => new Refused("revocations-delta-base", `The delta ${what}.`);
  for (const entry of remove) {
    if (!left.delete(entry)) throw wrong("removes what is not in the list");
  }
  for (const entry of add) {
    if (left.has(entry)) throw wrong("adds what is in the list");
    left.add(entry);
  }
  return [...left].sort();
}
