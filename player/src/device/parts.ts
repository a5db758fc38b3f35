/**
 * Indexes and parts in the origin's private file system (OPFS), under `content/{tenant}/` and their own paths.
 *
 * A path comes from a signed licence or an index it names, and matches the pattern of "Notation", so it cannot leave its
 * folder. Writing is done by a worker, since only there a file can be written in place: what has arrived stays when the page
 * goes away. Reading is by slices of a `File`, which costs no copy of what is not read.
 */
import type { ReadPart } from "../reader/bundle.ts";
import type { Bytes } from "../reader/notation.ts";

export interface Parts {
  readonly read: ReadPart;
  /** The whole of a file as a Blob that is read when it is needed; null if it is not there. */
  readonly file: (path: string) => Promise<File | null>;
  readonly size: (path: string) => Promise<number>;
  readonly write: (path: string, offset: number, bytes: Bytes) => Promise<void>;
  /** After the last byte: nothing stands behind `size`, and all of it is on the disk. */
  readonly finish: (path: string, size: number) => Promise<void>;
  readonly remove: (path: string) => Promise<void>;
  readonly paths: () => Promise<string[]>;
  readonly close: () => void;
}

export type Order =
  | { readonly op: "write"; readonly path: string; readonly offset: number; readonly bytes: Bytes }
  | { readonly op: "finish"; readonly path: string; readonly size: number }
  | { readonly op: "release"; readonly path: string };

const NOTHING = new Uint8Array(0);

/** `workerUrl` is where `parts-worker.js` is served, from this origin. */
export async function openParts(tenant: string, workerUrl: string | URL): Promise<Parts> {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("content", { create: true });
  const folder = await root.getDirectoryHandle(tenant, { create: true });
  const worker = new Worker(workerUrl, { type: "module" });
  const order = ordering(worker, tenant);
  const files = new Map<string, File>();

  async function file(path: string): Promise<File | null> {
    const known = files.get(path);
    if (known !== undefined) return known;
    try {
      const found = await (await handleOf(folder, path)).getFile();
      files.set(path, found);
      return found;
    } catch (error) {
      if ((error as DOMException).name === "NotFoundError") return null;
      throw error;
    }
  }

  return {
    file,
    async read(path, offset, size) {
      const found = await file(path);
      if (found === null) return NOTHING;
      try {
        return new Uint8Array(await found.slice(offset, offset + size).arrayBuffer());
      } catch {
        files.delete(path); // the file was changed or removed below the snapshot: for the reader it is not there
        return NOTHING;
      }
    },
    async size(path) {
      files.delete(path);
      return (await file(path))?.size ?? 0;
    },
    async write(path, offset, bytes) {
      files.delete(path);
      await order({ op: "write", path, offset, bytes });
    },
    async finish(path, size) {
      await order({ op: "finish", path, size });
      files.delete(path);
    },
    async remove(path) {
      files.delete(path);
      await order({ op: "release", path }); // what broke off is still open for writing, and could not be removed
      const [parent, name] = await parentOf(folder, path).catch(() => [null, ""] as const);
      await parent?.removeEntry(name).catch(() => undefined);
    },
    paths: () => listPaths(folder, ""),
    close: () => worker.terminate(),
  };
}

async function parentOf(folder: FileSystemDirectoryHandle, path: string): Promise<[FileSystemDirectoryHandle, string]> {
  const names = path.split("/");
  const name = names.pop()!;
  let parent = folder;
  for (const each of names) parent = await parent.getDirectoryHandle(each);
  return [parent, name];
}

async function handleOf(folder: FileSystemDirectoryHandle, path: string): Promise<FileSystemFileHandle> {
  const [parent, name] = await parentOf(folder, path);
  return parent.getFileHandle(name);
}

async function listPaths(folder: FileSystemDirectoryHandle, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const [name, handle] of folder.entries()) {
    if (handle.kind === "file") found.push(prefix + name);
    else found.push(...(await listPaths(handle as FileSystemDirectoryHandle, `${prefix}${name}/`)));
  }
  return found.sort();
}

/** One order after the other; the answer to each is that it is done, or why not. */
function ordering(worker: Worker, tenant: string): (order: Order) => Promise<void> {
  const waiting = new Map<number, (problem: string) => void>();
  let number = 0;
  const answerAll = (problem: string) => waiting.forEach((answer) => answer(problem));
  worker.onmessage = (event: MessageEvent<{ number: number; problem: string }>) => {
    waiting.get(event.data.number)?.(event.data.problem);
    waiting.delete(event.data.number);
  };
  worker.onerror = (event) => answerAll(event.message || "The worker that writes parts could not be started.");
  return (order) =>
    new Promise((resolve, reject) => {
      number += 1;
      waiting.set(number, (problem) => (problem === "" ? resolve() : reject(new Error(problem))));
      worker.postMessage({ number, tenant, order });
    });
}
