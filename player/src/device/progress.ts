/**
 * What a learner did, in a database of its own: no removal, replacement or expiry of a bundle reaches it.
 *
 * The key is tenant, learner, package and item (as the manifest names it), so progress belongs to the course and not to one
 * version of it. The value is the player's matter; IndexedDB keeps any value that can be cloned.
 */
import { openDatabase, PROGRESS, type Database } from "./database.ts";

export interface Course {
  readonly tenant: string;
  readonly learner: string;
  readonly packageId: string;
}

export interface Entry<T> {
  readonly item: string;
  /** Seconds since 1970. */
  readonly savedAt: number;
  readonly value: T;
}

const STORE = "progress";
const keyOf = ({ tenant, learner, packageId }: Course): string[] => [tenant, learner, packageId];

export const openProgress = (): Promise<Database> => openDatabase(PROGRESS);

export async function saveProgress<T>(database: Database, course: Course, entry: Entry<T>): Promise<void> {
  await database.write([STORE], (store) => store(STORE).put(entry, [...keyOf(course), entry.item]));
}

export async function progressOf<T>(database: Database, course: Course): Promise<Entry<T>[]> {
  const key = keyOf(course);
  // An array sorts behind every text, so this is every key that begins so.
  return database.all<Entry<T>>(STORE, IDBKeyRange.bound(key, [...key, []]));
}
