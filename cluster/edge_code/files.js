// CloudFront Function, viewer request, on the edge's own address: what has no rule, or another spelling, is not there. The signature has
// been checked by CloudFront.
function handler(event) {
  const path = event.request.uri;
  const known = Object.keys(RULES.files).some((prefix) => path.indexOf('/' + prefix) === 0);
  if (known && !hasDetour(path)) return event.request;
  return {
    statusCode: 404, statusDescription: 'Not Found',
    headers: { 'cache-control': { value: 'no-store' }, 'x-content-type-options': { value: 'nosniff' } },
  };
}
