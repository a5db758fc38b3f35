/** What the reader remembers for a tenant, and the lists that it holds, in one row of IndexedDB. */
import type { Lists, Taken } from "../reader/open.ts";
import { NOTHING_SEEN, readState, writeState, type ReaderState } from "../reader/state.ts";
import type { Database } from "./database.ts";

interface Row {
  readonly state: string;
  readonly lists: Lists | null;
  /** Thumbprint of a root that was given out of band. */
  readonly pinnedRoot: string | null;
}

export interface Memory {
  readonly state: ReaderState;
  readonly lists: Lists | null;
  readonly pinnedRoot: string | null;
}

const STORE = "memory";

export async function recall(database: Database, tenant: string): Promise<Memory> {
  const row = await database.get<Row>(STORE, tenant);
  if (row === undefined) return { state: NOTHING_SEEN, lists: null, pinnedRoot: null };
  return { ...row, state: await readState(row.state) };
}

/** The row to put; `remember` puts it, and so does who swaps a bundle in, within the same transaction. */
export function memoryRow(memory: Memory): Row {
  return { ...memory, state: writeState(memory.state) };
}

export async function remember(database: Database, tenant: string, memory: Memory): Promise<void> {
  const row = memoryRow(memory);
  await database.write([STORE], (store) => store(STORE).put(row, tenant));
}

/** After step 3: the lists that were taken in, with what they lead to. */
export const afterLists = (memory: Memory, lists: Lists, taken: Taken): Memory => ({ ...memory, lists, state: taken.state });

/** A root's thumbprint that was given out of band (a QR code); it counts as long as no trust list is known. */
export async function pinRoot(database: Database, tenant: string, thumbprint: string): Promise<void> {
  await remember(database, tenant, { ...(await recall(database, tenant)), pinnedRoot: thumbprint });
}
