// Cloudflare Worker: the whole edge in front of R2, by the same rules and signatures as CloudFront's (docs/edge.md). Bindings:
// BUCKET (R2), EDGE_URL as the service's setting has it, KEYS (Workers KV: `edge-keys`, as cluster/cloudflare.py writes it).
const PARAMETERS = ['Policy', 'Signature', 'Key-Pair-Id', 'Hash-Algorithm'];
const SETTINGS_S = 5, KEYS_S = 60;
const EC_KEY = '2a8648ce3d0201';
const imported = new Map();
const toldBy = new Map();

class Refused extends Error {
  constructor(status, code) {
    super(code);
    this.status = status;
    this.code = code;
  }
}

export default {
  async fetch(request, env, context) {
    try {
      return await answer(request, env, context, Date.now());
    } catch (error) {
      if (!(error instanceof Refused)) {
        console.error(JSON.stringify({ error: error.name }));
        return problem(new Refused(502, 'origin-unavailable'));
      }
      return problem(error);
    }
  },
};

// What is served now, as a Response. Throws Refused.
export async function answer(request, env, context, now) {
  if (request.method !== 'GET' && request.method !== 'HEAD') throw new Refused(405, 'method-not-allowed');
  const url = new URL(request.url);
  if (hasDetour(url.pathname)) throw new Refused(404, 'not-found');
  if (url.origin === new URL(env.EDGE_URL).origin) {
    const rule = ruleOf(RULES.files, url.pathname);
    if (!rule) throw new Refused(404, 'not-found');
    await verify(request.url, await keysOf(env, now), now);
    const headers = rule.any_page ? { ...RULES.for_pages } : {};
    if (rule.told) headers['cache-control'] = rule.told;
    return serve(request, env, context, url, rule, headers);
  }
  const origin = originOf(url.host);
  if (!origin) throw new Refused(404, 'not-found');
  return site(request, env, context, url, origin, now);
}

async function site(request, env, context, url, origin, now) {
  const worker = request.headers.has('service-worker');
  let path = url.pathname;
  if (path.startsWith(RULES.shell)) {
    const file = shellFile(path);
    if (!origin.label || !file || (worker && path !== RULES.shell_worker)) throw new Refused(404, 'not-found');
    url.pathname = RULES.shell + file;
    return serve(request, env, context, url, ruleOf(RULES.sites, path), await headersOf(env, path, origin, now));
  }
  const opens = path.startsWith(RULES.open);
  if (opens) path = path.slice(RULES.open.length - 1);
  const found = placeOf(path);
  const label = found ? labelFrom(hex(await crypto.subtle.digest('SHA-256', bytesOf(found.packageId)))) : '';
  if (!isThere(found, origin, label)) throw new Refused(404, 'not-found');
  if (worker && origin.label) throw new Refused(403, 'worker-refused');
  const keys = await keysOf(env, now);
  if (opens) {
    const given = await verify(`${url.origin}${path}${url.search}`, keys, now);
    return handOver(path, found.folder, given);
  }
  const plain = `${url.origin}${path}`;
  await verify(isSigned(url.search) ? plain + url.search : fromCookies(plain, request.headers.get('cookie') || ''), keys, now);
  return serve(request, env, context, url, ruleOf(RULES.sites, path), await headersOf(env, path, origin, now));
}

function ruleOf(rules, path) {
  const prefix = Object.keys(rules).find((each) => path.startsWith(`/${each}`));
  return prefix ? rules[prefix] : null;
}

// The parameters of a signed URL that may be served now. Nothing in the policy is believed before its signature.
export async function verify(text, keys, now) {
  const cut = text.indexOf('?');
  const base = cut < 0 ? text : text.slice(0, cut);
  const given = {}, rest = [];
  for (const piece of cut < 0 ? [] : text.slice(cut + 1).split('&')) {
    const name = piece.split('=', 1)[0];
    if (!PARAMETERS.includes(decoded(name))) rest.push(piece);
    else if (name in given || !PARAMETERS.includes(name)) throw new Refused(403, 'url-signature');
    else given[name] = piece.slice(name.length + 1);
  }
  if (!Object.keys(given).length) throw new Refused(403, 'url-unsigned');
  const key = keys.get(given['Key-Pair-Id']);
  if (PARAMETERS.some((name) => !given[name]) || given['Hash-Algorithm'] !== 'SHA256' || !key) {
    throw new Refused(403, 'url-signature');
  }
  const policy = fromCdn(given.Policy);
  if (!(await isBy(key, fromCdn(given.Signature), policy))) throw new Refused(403, 'url-signature');
  const said = read(policy);
  if (now / 1000 >= said.before || now / 1000 < said.after) throw new Refused(403, 'url-expired');
  const asked = rest.length ? `${base}?${rest.join('&')}` : base;
  if (hasDetour(base.slice(base.indexOf('://') + 3)) || !matches(said.resource, asked)) throw new Refused(403, 'url-resource');
  return given;
}

function read(policy) {
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(policy));
    const [statement, ...more] = value.Statement;
    const { Resource, Condition, ...others } = statement;
    const { DateLessThan, DateGreaterThan, ...conditions } = Condition;
    const rest = [...more, ...Object.keys(others), ...Object.keys(conditions)];
    const before = DateLessThan['AWS:EpochTime'];
    const after = DateGreaterThan === undefined ? 0 : DateGreaterThan['AWS:EpochTime'];
    if (rest.length || Object.keys(value).length !== 1 || typeof Resource !== 'string') throw new Error('unknown');
    if (typeof before !== 'number' || typeof after !== 'number') throw new Error('no time');
    return { resource: Resource, before, after };
  } catch {
    throw new Refused(403, 'url-signature'); // a signed policy that says what is not enforced here
  }
}

function matches(resource, url) {
  const pattern = resource.replace(/[^*?]/g, (letter) => letter.replace(/[\\^$.|+()[\]{}]/, '\\$&'));
  return new RegExp(`^${pattern.replaceAll('*', '[^]*').replaceAll('?', '[^]')}$`, 'u').test(url);
}

async function isBy(key, signature, data) {
  const elliptic = key.algorithm.name === 'ECDSA';
  const plain = elliptic ? fromDer(signature) : signature;
  if (!plain) return false;
  return crypto.subtle.verify(elliptic ? { name: 'ECDSA', hash: 'SHA-256' } : key.algorithm.name, key, plain, data);
}

// r‖s of a DER signature, which WebCrypto wants; null where it is none.
function fromDer(der) {
  if (der.length < 8 || der[0] !== 0x30 || der[1] !== der.length - 2) return null;
  const out = new Uint8Array(64);
  let at = 2;
  for (const end of [32, 64]) {
    const length = der[at + 1];
    if (der[at] !== 2 || !length || at + 2 + length > der.length) return null;
    let number = der.subarray(at + 2, at + 2 + length);
    if (number[0] & 0x80 || (number.length > 1 && number[0] === 0 && !(number[1] & 0x80))) return null;
    if (number[0] === 0) number = number.subarray(1);
    if (number.length > 32) return null;
    out.set(number, end - number.length);
    at += 2 + length;
  }
  return at === der.length ? out : null;
}

// The keys by id: of Workers KV (binding KEYS), read again after a while, so that they are rotated without a deployment; or of EDGE_KEYS.
async function keysOf(env, now) {
  const known = imported.get(env.KEYS);
  if (env.KEYS && known && now - known.at < KEYS_S * 1000) return known.keys;
  const text = env.KEYS ? JSON.stringify((await env.KEYS.get('edge-keys', { type: 'json', cacheTtl: KEYS_S })).keys) : env.EDGE_KEYS;
  if (!imported.has(text)) {
    const keys = new Map();
    for (const [id, pem] of Object.entries(JSON.parse(text))) keys.set(id, await publicKey(pem));
    imported.clear();
    imported.set(text, { keys });
  }
  const found = imported.get(text).keys;
  if (env.KEYS) imported.set(env.KEYS, { keys: found, at: now });
  return found;
}

export async function publicKey(pem) {
  const der = Uint8Array.from(atob(pem.replace(/-----[^-]+-----|\s/g, '')), (letter) => letter.charCodeAt(0));
  const kind = hex(der).includes(EC_KEY)
    ? { name: 'ECDSA', namedCurve: 'P-256' }
    : { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  return crypto.subtle.importKey('spki', der, kind, true, ['verify']);
}

function isSigned(search) {
  return search.slice(1).split('&').some((piece) => PARAMETERS.includes(decoded(piece.split('=', 1)[0])));
}

function fromCookies(url, header) {
  const cookies = new Map(header.split(/;\s*/).map((each) => [each.split('=', 1)[0], each.slice(each.indexOf('=') + 1)]));
  const given = PARAMETERS.map((name) => [name, cookies.get(`CloudFront-${name}`)]);
  if (given.some(([, value]) => !value)) throw new Refused(403, 'url-unsigned');
  return `${url}?${given.map(([name, value]) => `${name}=${value}`).join('&')}`;
}

function handOver(path, folder, given) {
  const headers = new Headers({ location: path, 'cache-control': 'no-store', ...RULES.always });
  for (const name of PARAMETERS) {
    headers.append('set-cookie', `CloudFront-${name}=${given[name]}; Path=${folder}; Secure; HttpOnly; SameSite=None`);
  }
  return new Response(null, { status: 303, headers });
}

async function headersOf(env, path, origin, now) {
  const told = await toldOf(env, origin.tenant, now);
  const rule = ruleOf(RULES.sites, path);
  return {
    'content-security-policy': policyOf(path, origin, told), ...RULES.of_sites, ...(origin.label ? RULES.of_imported : {}),
    'cache-control': rule.told,
  };
}

// What a tenant says about its sites; an error is passed on, so that no page is served under a policy that may not be its.
async function toldOf(env, tenant, now) {
  const known = toldBy.get(tenant);
  if (known && now - known.at < SETTINGS_S * 1000) return known.told;
  const object = await env.BUCKET.get(`sites/${tenant}/settings.json`);
  const told = object ? await object.json() : {};
  toldBy.set(tenant, { at: now, told });
  return told;
}

// The object under the path. Kept under its address without the signature, with a tag for each folder above it, by which it is purged.
async function serve(request, env, context, url, rule, headers) {
  const key = decodeURIComponent(url.pathname).slice(1);
  const plain = new Request(`${url.origin}${url.pathname}`, { headers: conditions(request) });
  if (rule.kept_s) {
    const kept = await caches.default.match(plain);
    if (kept) return told(kept, headers, request);
  }
  const ranged = request.headers.has('range') && (await isStill(env, key, request.headers.get('if-range')));
  const object = await fetched(env, key, ranged ? { range: request.headers, onlyIf: request.headers } : { onlyIf: request.headers });
  if (!object) throw new Refused(404, 'not-found');
  const own = new Headers({ 'accept-ranges': 'bytes', etag: object.httpEtag });
  object.writeHttpMetadata(own);
  if (!object.body) return told(new Response(null, { status: request.headers.has('if-none-match') ? 304 : 412, headers: own }), headers, request);
  if (ranged && object.range) {
    const from = object.range.offset ?? object.size - object.range.suffix;
    const length = object.range.length ?? object.size - from;
    own.set('content-range', `bytes ${from}-${from + length - 1}/${object.size}`);
    own.set('content-length', String(length));
    return told(new Response(object.body, { status: 206, headers: own }), headers, request);
  }
  own.set('content-length', String(object.size));
  if (!rule.kept_s || request.method === 'HEAD') return told(new Response(object.body, { headers: own }), headers, request);
  const keep = new Headers(own);
  keep.set('cache-control', `max-age=${rule.kept_s}`);
  keep.set('cache-tag', tagsOf(key).join(','));
  const [mine, theirs] = object.body.tee();
  context.waitUntil(caches.default.put(new Request(plain.url), new Response(theirs, { headers: keep })));
  return told(new Response(mine, { headers: own }), headers, request);
}

// Whether a range may be answered: a download that goes on names what it began with (If-Range).
async function isStill(env, key, etag) {
  return !etag || ((await env.BUCKET.head(key)) || {}).httpEtag === etag;
}

async function fetched(env, key, options) {
  try {
    return await env.BUCKET.get(key, options);
  } catch (error) {
    if (String(error.message).includes('10039')) throw new Refused(416, 'range'); // R2's code for a range outside of the object
    throw error;
  }
}

export function tagsOf(key) {
  const parts = key.split('/');
  return parts.slice(0, Math.min(4, parts.length - 1)).map((_, at) => parts.slice(0, at + 1).join('/'));
}

function conditions(request) {
  const passed = new Headers();
  for (const name of ['range', 'if-range', 'if-none-match', 'if-modified-since']) {
    if (request.headers.has(name)) passed.set(name, request.headers.get(name));
  }
  return passed;
}

function told(response, headers, request) {
  const all = new Headers(response.headers);
  all.delete('cache-tag');
  if (!headers['cache-control']) all.delete('cache-control');
  for (const [name, value] of Object.entries({ ...RULES.always, ...headers })) all.set(name, value);
  return new Response(request.method === 'HEAD' ? null : response.body, { status: response.status, headers: all });
}

function problem(error) {
  const document = { type: `urn:content-service:problem:${error.code}`, status: error.status, code: error.code };
  const headers = { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...RULES.always };
  return new Response(JSON.stringify(document), { status: error.status, headers });
}

function fromCdn(text) {
  if (!/^[A-Za-z0-9_~-]{1,4096}$/.test(text)) throw new Refused(403, 'url-signature');
  try {
    return Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '=').replace(/~/g, '/')), (letter) => letter.charCodeAt(0));
  } catch {
    throw new Refused(403, 'url-signature');
  }
}

function bytesOf(text) {
  return new TextEncoder().encode(text);
}

function hex(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
