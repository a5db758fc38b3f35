// Before each program: whose origin was asked, and what a path names. Only what cloudfront-js-2.0 knows: no destructuring, no spread,
// no classes, no optional chaining. RULES stands before this.

// Another spelling of a path: dot segments, empty ones, and what is encoded so that somebody behind us reads it otherwise.
function hasDetour(path) {
  if (/%(2e|2f|5c|00|25)/i.test(path) || /[\\\u0000]/.test(path) || path.indexOf('//') >= 0) return true;
  return path.split('/').some((segment) => segment === '.' || segment === '..');
}

// Of a host: { tenant, label }, the label '' on a tenant's own origin; null for every other host.
function originOf(host) {
  const before = RULES.site_host[0], after = RULES.site_host[1];
  const asked = host.toLowerCase();
  const name = asked.slice(before.length, asked.length - after.length);
  if (!after || !name || name.indexOf('.') >= 0 || asked !== before + name + after) return null;
  const found = new RegExp('^([a-z2-7]{' + RULES.label_characters + '})--(.+)$').exec(name);
  return found ? { tenant: found[2], label: found[1] } : { tenant: name, label: '' };
}

// Of a path: { kind, tenant, packageId, place, folder } for a file of a site, else null. The folder is what cookies are for.
function placeOf(path) {
  const parts = path.split('/');
  const count = RULES.attempt_parts[parts[1]];
  if (parts[0] !== '' || !count || parts.length < count + 3) return null;
  if (parts.slice(1, count + 1).some((part) => !/^[A-Za-z0-9._~-]+$/.test(part))) return null;
  const place = parts[count + 1];
  if (place !== RULES.site && place !== RULES.imported) return null;
  return {
    kind: parts[1], tenant: parts[2], packageId: parts[1] === 'exports' ? parts[3] : '', place: place,
    folder: parts.slice(0, count + 2).join('/') + '/',
  };
}

// The label of a package's origin, of the SHA-256 of its id in hexadecimal.
function labelFrom(hex) {
  const letters = 'abcdefghijklmnopqrstuvwxyz234567';
  let label = '', bits = 0, held = 0;
  for (let at = 0; label.length < RULES.label_characters; at += 2) {
    held = (held << 8) | parseInt(hex.slice(at, at + 2), 16);
    bits += 8;
    while (bits >= 5 && label.length < RULES.label_characters) {
      label += letters[(held >> (bits - 5)) & 31];
      bits -= 5;
    }
    held &= (1 << bits) - 1;
  }
  return label;
}

// Whether a file of a site is of that origin; `label` is the one that belongs to the file's package.
function isThere(found, origin, label) {
  if (!found || found.tenant !== origin.tenant) return false;
  if (!origin.label) return found.place === RULES.site;
  return found.kind === 'exports' && found.place === RULES.imported && label === origin.label;
}

// The file of the shell, or '' where there is none.
function shellFile(path) {
  const name = path.slice(RULES.shell.length) || 'index.html';
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name) ? name : '';
}

// The policy of a site; `told` is what the tenant says: { csp, origins }.
function policyOf(path, origin, told) {
  if (path.indexOf(RULES.shell) === 0) {
    return RULES.imported_csp + "; frame-ancestors " + ["'self'"].concat(RULES.learners, told.origins || []).join(' ');
  }
  if (!origin.label) return told.csp || RULES.default_csp;
  return told.csp ? RULES.imported_csp + ', ' + told.csp : RULES.imported_csp + "; frame-ancestors 'self'";
}
