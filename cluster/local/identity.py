"""The local identity provider: one EC P-256 key, its JWKS, and tokens minted on the spot.

`keys/identity.pem` is private (0600); the API is only told of `keys/jwks.json`.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey

from cluster.local.errors import LocalStackError
from cluster.local.home import Home, write_secret
from cluster.local.links import Links

ISSUER = "https://identity.local"
AUDIENCE = "content-service"
FILE = "identity.pem"
DEMO_TENANT, DEMO_LEARNER = "demo", "demo-learner"
"""Whom the learner's page signs in."""


def ensure_identity(home: Home) -> Path:
    """Make the provider's key unless it is there; returns the path of the JWKS."""
    private, public = home.keys / FILE, home.keys / "jwks.json"
    if not private.exists():
        write_secret(private, ECKey.generate_key("P-256").as_pem(private=True).decode())
    key = _key(private)
    write_secret(
        public,
        json.dumps({"keys": [{**key.as_dict(private=False), "kid": key.thumbprint(), "alg": "ES256", "use": "sig"}]}),
    )
    return public


def mint_token(home: Path, tenant: str, scopes: Iterable[str], subject: str, ttl_s: int = 3600) -> str:
    """A bearer token of this stack's identity provider. Scopes go into `scope`, parted by blanks (RFC 8693); where there are
    other regions, `region` says that the tenant lives in this one."""
    private = Home(home).keys / FILE
    if not private.exists():
        raise LocalStackError(
            "stack-unknown", f"No stack was ever started in {home}.", "Run `content-service up` first."
        )
    key, now = _key(private), int(time.time())
    claims = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "tenant": tenant, "scope": " ".join(scopes),
        "iat": now, "exp": now + ttl_s, "jti": uuid.uuid4().hex,
    }  # fmt: skip
    links = Links.read(Home(home))
    if links is not None:
        claims["region"] = links.region
    return jwt.encode({"alg": "ES256", "kid": key.thumbprint()}, claims, key)


def _key(path: Path) -> ECKey:
    return ECKey.import_key(path.read_bytes())
