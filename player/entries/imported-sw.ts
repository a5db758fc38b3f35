// The service worker of the shell at `/_player/` of a package's own origin. It keeps the shell, and answers `content/SESSION/PATH` with
// what the shell of that session is given out of a bundle, in pieces, so that neither a film nor a package has to fit into memory.
// It remembers nothing: a browser may end it between any two requests.
import type { FileAnswer, FileAsk } from "../src/imported/messages.ts";

interface Waiting extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Asking extends Waiting {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Shell {
  readonly url: string;
  postMessage(message: unknown, transfer: readonly Transferable[]): void;
}
interface Worker {
  readonly precache: { readonly version: string; readonly paths: readonly string[] };
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void>; matchAll(options: object): Promise<readonly Shell[]> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Waiting) => void): void;
  addEventListener(type: "fetch", listener: (event: Asking) => void): void;
}

const worker = self as unknown as Worker;
declare function importScripts(...urls: string[]): void;
importScripts("precache.js");

const FAMILY = "content-shell:";
const NAME = `${FAMILY}${worker.precache.version}`;
const SCOPE = worker.registration.scope;
const MOST_OF_A_RANGE = 4 << 20; // of a film that is asked for from here to its end
const PATIENCE_MS = 30_000;

worker.addEventListener("install", (event) => {
  const files = worker.precache.paths.map((path) => new Request(path, { cache: "reload" }));
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(files)).then(() => worker.skipWaiting()));
});

worker.addEventListener("activate", (event) => {
  const old = (names: readonly string[]): readonly string[] => names.filter((name) => name.startsWith(FAMILY) && name !== NAME);
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))).then(() => worker.clients.claim()));
});

worker.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (origin !== new URL(SCOPE).origin) return; // the page's policy says what of elsewhere is loaded: nothing
  const [session, ...path] = pathname.startsWith(`${new URL(SCOPE).pathname}content/`) ? pathname.slice(new URL(SCOPE).pathname.length + 8).split("/") : [];
  event.respondWith(session === undefined ? shell(event.request) : content(event.request, session, path));
});

async function shell(request: Request): Promise<Response> {
  const cache = await caches.open(NAME);
  const folder = request.url.replace(/[?#].*$/, "") === SCOPE;
  const known = await cache.match(folder ? "index.html" : request, { ignoreSearch: true });
  return known ?? fetch(request);
}

async function content(request: Request, session: string, path: readonly string[]): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") return new Response("", { status: 405, headers: { Allow: "GET, HEAD" } });
  const page = await (await caches.open(NAME)).match("index.html");
  // Every document of the package is under the policy that the edge gave to the shell.
  const headers: Record<string, string> = { "Content-Security-Policy": page?.headers.get("content-security-policy") ?? "sandbox", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Accept-Ranges": "bytes" };
  const around = (await worker.clients.matchAll({ type: "window", includeUncontrolled: true })).find((each) => isShell(each.url, session));
  const name = decoded(path);
  if (!around || name === null) return new Response("", { status: 404, headers });
  const range = capped(request.headers.get("range"));
  const { port1, port2 } = new MessageChannel();
  around.postMessage({ path: name, range }, [port2]);
  const answers = reading(port1);
  const head = await answers.next();
  if (head.type !== "head") {
    port1.close();
    const status = head.type === "none" ? head.status : 500;
    return new Response("", { status, headers: { ...headers, ...(status === 416 && head.type === "none" ? { "Content-Range": `bytes */${head.size}` } : {}) } });
  }
  headers["Content-Type"] = head.media_type;
  headers["Content-Length"] = String(head.to - head.from + 1);
  if (head.partial) headers["Content-Range"] = `bytes ${head.from}-${head.to}/${head.size}`;
  const status = head.partial ? 206 : 200;
  if (request.method === "HEAD") {
    port1.postMessage({ type: "cancel" } satisfies FileAsk);
    return new Response(null, { status, headers });
  }
  return new Response(bodyOf(port1, answers), { status, headers });
}

/** A worker never answers for another page than the shell that was given that session. */
function isShell(address: string, session: string): boolean {
  const { href, searchParams } = new URL(address);
  return href.replace(/[?#].*$/, "") === SCOPE && searchParams.get("s") === session;
}

function decoded(path: readonly string[]): string | null {
  try {
    return path.map(decodeURIComponent).join("/").normalize("NFC");
  } catch {
    return null;
  }
}

/** `bytes=N-` is answered in part: a player asks for more when it needs that. */
function capped(range: string | null): string | null {
  const open = /^bytes=(\d+)-$/.exec(range ?? "");
  return open ? `bytes=${open[1]}-${Number(open[1]) + MOST_OF_A_RANGE - 1}` : range;
}

interface Reading {
  next(): Promise<FileAnswer>;
}

/** What comes through a port, one answer after the other; silence is an end too. */
function reading(port: MessagePort): Reading {
  const waiting: ((answer: FileAnswer) => void)[] = [];
  const come: FileAnswer[] = [];
  port.onmessage = (event: MessageEvent<FileAnswer>) => {
    const take = waiting.shift();
    if (take) take(event.data);
    else come.push(event.data);
  };
  return {
    next: () =>
      new Promise((resolve) => {
        const first = come.shift();
        if (first) return resolve(first);
        const silence = setTimeout(() => resolve({ type: "none", status: 500, size: 0 }), PATIENCE_MS);
        waiting.push((answer) => (clearTimeout(silence), resolve(answer)));
      }),
  };
}

function bodyOf(port: MessagePort, answers: Reading): ReadableStream<Uint8Array> {
  const ask = (message: FileAsk): void => port.postMessage(message);
  return new ReadableStream({
    async pull(controller) {
      ask({ type: "pull" });
      const answer = await answers.next();
      if (answer.type === "block") controller.enqueue(new Uint8Array(answer.bytes));
      else if (answer.type === "end") (controller.close(), port.close());
      else (controller.error(new Error("The file broke off.")), port.close());
    },
    cancel() {
      ask({ type: "cancel" });
      port.close();
    },
  });
}
