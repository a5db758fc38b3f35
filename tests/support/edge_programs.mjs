// Runs a program of cluster/edge_code under node: JSON in by stdin, JSON out. CloudFront's key value store, R2 and Cloudflare's cache are
// played by maps.
import { readFileSync } from 'node:fs';

const given = JSON.parse(readFileSync(0, 'utf8'));
const module = (code) => import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);

async function functionOf() {
  const values = new Map(Object.entries(given.store || {}));
  globalThis.cf = {
    kvs: () => ({
      exists: async (key) => {
        if (given.store === null) throw new Error('the store is away');
        return values.has(key);
      },
      get: async (key) => {
        if (!values.has(key)) throw new Error(`no such key: ${key}`);
        return values.get(key);
      },
    }),
  };
  const code = given.code.replace("import cf from 'cloudfront';", 'const cf = globalThis.cf;');
  const { handler } = await module(`${code}\nexport { handler };`);
  const out = [];
  for (const event of given.events) {
    try {
      out.push(await handler(event));
    } catch (error) {
      out.push({ thrown: error.message });
    }
  }
  return out;
}

class Bucket {
  constructor(objects) {
    this.objects = new Map(Object.entries(objects));
    this.asked = [];
  }
  async head(key) {
    const found = this.objects.get(key);
    return found ? { httpEtag: found.etag, size: found.body.length } : null;
  }
  async get(key, options = {}) {
    this.asked.push(key);
    if (given.away) throw new Error('the bucket is away');
    const found = this.objects.get(key);
    if (!found) return null;
    const bytes = Buffer.from(found.body);
    const base = {
      size: bytes.length, httpEtag: found.etag, json: async () => JSON.parse(found.body),
      writeHttpMetadata: (headers) => headers.set('content-type', found.type),
    };
    if (options.onlyIf && options.onlyIf.get('if-none-match') === found.etag) return base;
    const range = options.range && /^bytes=(\d*)-(\d*)$/.exec(options.range.get('range') || '');
    if (!range) return { ...base, body: new Response(bytes).body };
    const offset = range[1] ? Number(range[1]) : bytes.length - Number(range[2]);
    const end = range[1] && range[2] ? Math.min(Number(range[2]) + 1, bytes.length) : bytes.length;
    if (offset >= bytes.length) throw new Error('get: The requested range is not satisfiable (10039)');
    return { ...base, range: { offset, length: end - offset }, body: new Response(bytes.subarray(offset, end)).body };
  }
}

async function workerOf() {
  const kept = new Map();
  globalThis.caches = {
    default: {
      match: async (request) => (kept.has(request.url) && !request.headers.has('range') ? kept.get(request.url).clone() : undefined),
      put: async (request, response) => {
        kept.set(request.url, new Response(await response.arrayBuffer(), response));
      },
    },
  };
  const worker = await module(given.code);
  const bucket = new Bucket(given.objects || {});
  const out = [];
  for (const each of given.requests) {
    const waiting = [];
    bucket.asked = [];
    const request = new Request(each.url, { method: each.method || 'GET', headers: each.headers || {} });
    const env = { BUCKET: bucket, ...given.env, ...(each.env || {}) };
    let found;
    try {
      const response = await worker.answer(request, env, { waitUntil: (promise) => waiting.push(promise) }, each.now * 1000);
      found = {
        status: response.status, headers: Object.fromEntries(response.headers), cookies: response.headers.getSetCookie(),
        body: await response.text(), asked: bucket.asked,
      };
    } catch (error) {
      found = { status: error.status ?? 0, code: error.code ?? error.message };
    }
    await Promise.all(waiting);
    out.push({ ...found, tags: [...kept.values()].map((response) => response.headers.get('cache-tag')) });
  }
  return out;
}

console.log(JSON.stringify(given.worker ? await workerOf() : await functionOf()));
