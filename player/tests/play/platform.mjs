// A web server on a port of its own with exports (by name), a learning platform with scorm-again that records each call of the
// data model, and an LRS. The course runs in a frame, in a window of its own, or alone.
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import http from "node:http";
import { extname, join, normalize } from "node:path";
import { Lrs } from "./lrs.mjs";

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css", ".json": "application/json", ".webp": "image/webp", ".avif": "image/avif", ".svg": "image/svg+xml", ".mp4": "video/mp4", ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav", ".vtt": "text/vtt; charset=utf-8", ".webmanifest": "application/manifest+json", ".pdf": "application/pdf", ".xml": "application/xml" };
const PLATFORM = readFileSync(new URL("platform.js", import.meta.url));
const RUNTIME = readFileSync(new URL("../../node_modules/scorm-again/dist/scorm-again.min.js", import.meta.url));
const PAGE = '<!doctype html><html lang="en"><title>Platform</title><script src="/scorm-again.js"></script><script src="/platform.js"></script><body></body></html>';

export async function serve(folders) {
  const lrs = new Lrs();
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, "http://x");
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (url.pathname.startsWith("/lrs/")) return void lrs.handle(request, response, url, Buffer.concat(chunks).toString());
    if (url.pathname === "/platform") return void send(response, "text/html", PAGE);
    if (url.pathname === "/platform.js") return void send(response, "text/javascript", PLATFORM);
    if (url.pathname === "/scorm-again.js") return void send(response, "text/javascript", RUNTIME);
    const [, name, ...rest] = url.pathname.split("/");
    const file = folders[name] && join(folders[name], normalize(decodeURIComponent(rest.join("/")) || "index.html"));
    if (!file || !existsSync(file) || !statSync(file).isFile()) return void send(response.writeHead(404), "text/plain", "not there");
    sendFile(request, response, file);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { base: `http://127.0.0.1:${server.address().port}`, lrs, close: () => (server.closeAllConnections(), server.close()) };
}

function send(response, type, body) {
  if (!response.headersSent) response.setHeader("Content-Type", type);
  response.end(body);
}

function sendFile(request, response, file) {
  const { size } = statSync(file);
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const headers = { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", "Accept-Ranges": "bytes" };
  const [from, to] = range ? [Number(range[1]), range[2] ? Number(range[2]) : size - 1] : [0, size - 1];
  if (range) headers["Content-Range"] = `bytes ${from}-${to}/${size}`;
  response.writeHead(range ? 206 : 200, { ...headers, "Content-Length": to - from + 1 });
  createReadStream(file, { start: from, end: to }).pipe(response);
}
