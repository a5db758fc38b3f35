// Serves imported packages as the edge does: each on an origin of its own, under the policy of imported content. And records every
// call of a run-time that content makes, with its answer and error.
import { createReadStream, existsSync, statSync } from "node:fs";
import http from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = { ".html": "text/html", ".htm": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".jpg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".svg": "image/svg+xml", ".mp4": "video/mp4", ".xml": "application/xml" };

/** `folders`: name → folder; `http://NAME.localhost:PORT/…` is a file of it. `plain`: a folder at `http://127.0.0.1:PORT/`, without a policy.
 * `shell`: the folder that is at `/_player/` of every name. */
export async function serve(folders, policy, plain = null, shell = null) {
  const server = http.createServer((request, response) => {
    const host = request.headers.host ?? "";
    const name = host.split(".")[0];
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
    if (host.startsWith("127.0.0.1")) return void send(response, plain && join(plain, normalize(path)), { "Access-Control-Allow-Origin": "*" });
    if (shell && path.startsWith("/_player/")) return void send(response, join(shell, normalize(path.slice(8) === "/" ? "/index.html" : path.slice(8))), { "Content-Security-Policy": policy.replace("frame-ancestors 'self'", `frame-ancestors 'self' http://127.0.0.1:${server.address().port}`) });
    const file = folders[name] && join(folders[name], normalize(path.endsWith("/") ? `${path}index.html` : path));
    const headers = { "Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store" };
    send(response, file, headers);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address();
  return { port, at: (name) => `http://${name}.localhost:${port}/`, close: () => (server.closeAllConnections(), server.close()) };
}

function send(response, file, headers) {
  if (!file || !existsSync(file) || !statSync(file).isFile()) return void response.writeHead(404, { ...headers, "Content-Type": "text/plain" }).end("not there");
  response.writeHead(200, { ...headers, "Content-Type": TYPES[extname(file).toLowerCase()] ?? "application/octet-stream" });
  createReadStream(file).pipe(response);
}

/** To be run in every page before its scripts: whatever is put at a window as a run-time is recorded into `top.calls`. */
export function recording() {
  if (/\/content\/|lms\.html$/.test(location.pathname)) return;
  globalThis.calls = [];
  for (const name of ["API", "API_1484_11"]) {
    let put;
    Object.defineProperty(globalThis, name, {
      configurable: true,
      get: () => put,
      set(api) {
        if (!api) return void (put = api);
        const error = name === "API" ? "LMSGetLastError" : "GetLastError";
        put = { ...api };
        for (const each of Object.keys(api).filter((key) => typeof api[key] === "function" && !/Error|Diagnostic/.test(key))) {
          put[each] = (...given) => {
            const answer = api[each](...given);
            globalThis.calls.push([each, ...given.map(String), answer, api[error]()]);
            return answer;
          };
        }
      },
    });
  }
}
