import cf from 'cloudfront';
// CloudFront Function, viewer response, on the origins of tenants and packages: the policy of the tenant, and what goes with it. What a tenant
// says stands in the key value store, in pieces, since a value has 1 KB at most: the first begins with their number and `|`. An error
// ends in 503: no page is served under a policy that may not be the tenant's.
const store = cf.kvs();

async function handler(event) {
  const response = event.response;
  const path = event.request.uri;
  const origin = originOf(event.request.headers.host ? event.request.headers.host.value : '');
  if (!origin) throw new Error('no origin of ours');
  const told = await toldOf(origin.tenant);
  const headers = response.headers;
  headers['content-security-policy'] = { value: policyOf(path, origin, told) };
  const all = origin.label ? Object.assign({}, RULES.of_sites, RULES.of_imported) : RULES.of_sites;
  Object.keys(all).forEach((name) => { headers[name] = { value: all[name] }; });
  const rule = Object.keys(RULES.sites).filter((prefix) => path.indexOf('/' + prefix) === 0)[0];
  if (rule) headers['cache-control'] = { value: RULES.sites[rule].told };
  return response;
}

async function toldOf(tenant) {
  if (!(await store.exists(tenant))) return {};
  const first = await store.get(tenant);
  const bar = first.indexOf('|');
  const count = Number(first.slice(0, bar));
  let text = first.slice(bar + 1);
  for (let at = 1; at < count; at += 1) text += await store.get(tenant + '/' + at);
  return JSON.parse(text);
}
