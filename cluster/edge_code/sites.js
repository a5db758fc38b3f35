import crypto from 'crypto';
// CloudFront Function, viewer request, on the origins of tenants and packages. Where a signature is needed, CloudFront has checked it; the
// link below /_open/ is only turned into cookies, which CloudFront checks when they come back.
const NAMES = ['Policy', 'Signature', 'Key-Pair-Id', 'Hash-Algorithm'];

function handler(event) {
  const request = event.request;
  const origin = originOf(request.headers.host ? request.headers.host.value : '');
  let path = request.uri;
  if (!origin || hasDetour(path)) return refused(404, 'Not Found');
  const worker = request.headers['service-worker'] !== undefined;
  if (path.indexOf(RULES.shell) === 0) {
    const file = shellFile(path);
    if (!origin.label || !file || (worker && path !== RULES.shell_worker)) return refused(404, 'Not Found');
    request.uri = RULES.shell + file;
    return request;
  }
  const opens = path.indexOf(RULES.open) === 0;
  if (opens) path = path.slice(RULES.open.length - 1);
  const found = placeOf(path);
  const label = found ? labelFrom(crypto.createHash('sha256').update(found.packageId).digest('hex')) : '';
  if (!isThere(found, origin, label)) return refused(404, 'Not Found');
  if (worker && origin.label) return refused(403, 'Forbidden');
  return opens ? handOver(request, path, found.folder) : request;
}

function handOver(request, path, folder) {
  const cookies = {};
  const complete = NAMES.every((name) => {
    const given = request.querystring[name];
    if (!given || given.multiValue || !/^[A-Za-z0-9_~-]{1,4096}$/.test(given.value)) return false;
    // A learning platform shows the site in a frame: to such a one only SameSite=None cookies are sent.
    cookies['CloudFront-' + name] = { value: given.value, attributes: 'Path=' + folder + '; Secure; HttpOnly; SameSite=None' };
    return true;
  });
  if (!complete) return refused(403, 'Forbidden');
  const answer = refused(303, 'See Other');
  answer.headers.location = { value: path };
  answer.cookies = cookies;
  return answer;
}

function refused(status, words) {
  return {
    statusCode: status, statusDescription: words,
    headers: { 'cache-control': { value: 'no-store' }, 'x-content-type-options': { value: 'nosniff' } },
  };
}
