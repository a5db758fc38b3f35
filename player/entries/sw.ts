// The service worker of an HTML export: keeps every file of it, then answers from what it kept. `precache.js`, which the export
// brings, sets `self.precache = {version, paths}`; another version is kept whole before the one before is let go.
interface Precache {
  readonly version: string;
  readonly paths: readonly string[];
}

/** The little of the worker's global scope that is used: the DOM's types do not have it, and its own exclude the DOM's. */
interface Waiting extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Asking extends Waiting {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Worker {
  readonly precache: Precache;
  readonly registration: { readonly scope: string; readonly active: unknown };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Waiting) => void): void;
  addEventListener(type: "fetch", listener: (event: Asking) => void): void;
}

const worker = self as unknown as Worker;
declare function importScripts(...urls: string[]): void;
importScripts("precache.js");

const NAME = `content-player:${worker.registration.scope}:${worker.precache.version}`;
const FAMILY = `content-player:${worker.registration.scope}:`;

worker.addEventListener("install", (event) => {
  // Past the browser's own cache: of a film that the page has begun to load, that gives a part (206), which cannot be kept.
  const files = worker.precache.paths.map((path) => new Request(path, { cache: "reload" }));
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(files)).then(skipFirst));
});

/** The first worker begins at once; a later one waits, so that a page that is open keeps the files that it was made of. */
const skipFirst = async (): Promise<void> => {
  if (worker.registration.active === null) await worker.skipWaiting();
};

worker.addEventListener("activate", (event) => {
  const old = (names: readonly string[]): readonly string[] => names.filter((name) => name.startsWith(FAMILY) && name !== NAME);
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))).then(() => worker.clients.claim()));
});

worker.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  event.respondWith(answer(event.request));
});

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(NAME);
  const folder = new URL(request.url).href.replace(/[?#].*$/, "") === worker.registration.scope;
  const known = await cache.match(folder ? "index.html" : request, { ignoreSearch: true });
  if (!known) return fetch(request);
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
  // A server that sends /index.html on to / leaves its mark, and no page may be opened from such an answer.
  if (!range) return known.redirected ? new Response(await known.blob(), { status: 200, headers: known.headers }) : known;
  // Films are asked for in pieces; a cache has only wholes.
  const whole = await known.blob();
  const from = Number(range[1]);
  const to = Math.min(range[2] ? Number(range[2]) : whole.size - 1, whole.size - 1);
  if (from >= whole.size) return new Response(null, { status: 416, headers: { "Content-Range": `bytes */${whole.size}` } });
  const headers = { "Content-Type": known.headers.get("Content-Type") ?? "", "Content-Range": `bytes ${from}-${to}/${whole.size}`, "Accept-Ranges": "bytes" };
  return new Response(whole.slice(from, to + 1), { status: 206, headers });
}
