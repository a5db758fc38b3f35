/** The worker behind parts.ts: writes in place, which only a worker may. */
import type { Order } from "./parts.ts";

// The library of types for pages knows neither this handle nor the worker's own scope.
interface SyncHandle {
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}
type Synchronous = FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncHandle> };
interface Message {
  readonly number: number;
  readonly tenant: string;
  readonly order: Order;
}

const open = new Map<string, SyncHandle>();

async function handle(tenant: string, path: string): Promise<SyncHandle> {
  const key = `${tenant}/${path}`;
  const known = open.get(key);
  if (known !== undefined) return known;
  const names = ["content", tenant, ...path.split("/")];
  const name = names.pop()!;
  let folder = await navigator.storage.getDirectory();
  for (const each of names) folder = await folder.getDirectoryHandle(each, { create: true });
  const file = (await folder.getFileHandle(name, { create: true })) as Synchronous;
  const made = await file.createSyncAccessHandle();
  open.set(key, made);
  return made;
}

async function carryOut(tenant: string, order: Order): Promise<void> {
  const key = `${tenant}/${order.path}`;
  if (order.op === "release") {
    open.get(key)?.close();
    open.delete(key);
    return;
  }
  const file = await handle(tenant, order.path);
  if (order.op === "write") {
    if (file.write(order.bytes, { at: order.offset }) !== order.bytes.length) throw new Error("The disk is full.");
    return;
  }
  file.truncate(order.size);
  file.flush();
  file.close();
  open.delete(key);
}

// In order, each after the one before: two orders for one file may not both open it.
let last = Promise.resolve();
self.onmessage = (event: MessageEvent<Message>) => {
  const { number, tenant, order } = event.data;
  last = last.then(() =>
    carryOut(tenant, order).then(
      () => self.postMessage({ number, problem: "" }),
      (error: unknown) => self.postMessage({ number, problem: String(error) || "It could not be written." }),
    ),
  );
};
