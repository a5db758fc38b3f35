/**
 * IndexedDB as promises: one database for what a device holds, another for what its learner did.
 *
 * They are two so that nothing that is done to bundles can touch a learner's progress, not even deleting a database.
 */

export const DEVICE = { name: "content-device", version: 1, stores: ["keys", "memory", "bundles"] } as const;
export const PROGRESS = { name: "content-progress", version: 1, stores: ["progress"] } as const;
type Kind = typeof DEVICE | typeof PROGRESS;

export interface Database {
  /** Runs `work` in one transaction; what it puts is there as a whole or not at all. */
  readonly write: <T>(stores: readonly string[], work: (store: (name: string) => IDBObjectStore) => T) => Promise<T>;
  readonly get: <T>(store: string, key: IDBValidKey) => Promise<T | undefined>;
  readonly all: <T>(store: string, range?: IDBKeyRange) => Promise<T[]>;
  readonly close: () => void;
}

export async function openDatabase(kind: Kind): Promise<Database> {
  const request = indexedDB.open(kind.name, kind.version);
  request.onupgradeneeded = () => {
    for (const store of kind.stores) request.result.createObjectStore(store);
  };
  const database = await answer(request);
  // Another tab with a newer version of this program is not to wait for this one.
  database.onversionchange = () => database.close();
  return {
    async write(stores, work) {
      // Strict: what an opened bundle made the reader remember is on the disk before the promise says so.
      const transaction = database.transaction([...stores], "readwrite", { durability: "strict" });
      const done = finished(transaction);
      const result = work((name) => transaction.objectStore(name));
      await done;
      return result;
    },
    get: (store, key) => answer(database.transaction(store).objectStore(store).get(key)),
    all: (store, range) => answer(database.transaction(store).objectStore(store).getAll(range)),
    close: () => database.close(),
  };
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finished(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    transaction.onerror = () => reject(transaction.error);
  });
}
