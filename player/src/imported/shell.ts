// The shell's side of a package's files: its service worker answers what content asks for, with what the page around reads out of
// the bundle. The worker's questions go on through the port of the page around, with their own port, so no byte passes through here.
import type { FileAnswer, FromPlayer } from "./messages.ts";

/** Resolves once the worker is there, so that also without a network the next visit begins. `portOf`: to the page around. */
export async function serveFiles(portOf: () => MessagePort | null): Promise<void> {
  const worker = navigator.serviceWorker;
  worker.addEventListener("message", (event: MessageEvent<{ path: string; range: string | null }>) => {
    const [answer] = event.ports;
    if (!answer) return;
    const port = portOf();
    if (port) port.postMessage({ type: "file", path: event.data.path, range: event.data.range } satisfies FromPlayer, [answer]);
    else answer.postMessage({ type: "none", status: 500, size: 0 } satisfies FileAnswer);
  });
  worker.startMessages();
  await worker.register("sw.js", { updateViaCache: "none" });
  await worker.ready;
}
