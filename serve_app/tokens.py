"""Bearer tokens of the identity provider: which tenant asks, who in it, and for what.

Tokens are ES256 or RS256, checked against the provider's published keys with issuer, audience and times; a header may
hold `alg`, `kid` and `typ` and nothing else, so no key that a token brings along is ever looked at.

A token whose signature was good is known by its digest for as long as the provider's keys stay the same: checking it
again took a third of a small request. Its times are looked at each time.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cluster.settings import Settings
from content.errors import ContentError
from content.pseudonyms import is_pseudonym
from serve_app.requests import Caller
from tasks.elsewhere import wrong_region

LEEWAY_S = 30
KNOWN_HEADER = {"alg", "kid", "typ"}
TYPES = {"jwt", "at+jwt"}
"""What an access token may call itself; a proof, an id token or a logout token of the same provider is none."""
MOST_KNOWN = 10_000


@dataclass(frozen=True)
class Token:
    """What a good token says, for which region, and from when until when (seconds since 1970, leeway included)."""

    caller: Caller
    region: str
    starts: float
    ends: float


class Tokens:
    """Reads tokens, and knows those it has read. Used in one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys, self._changed_ns = KeySet([]), -1
        self._known: OrderedDict[bytes, Token] = OrderedDict()

    def read(self, text: str, now: datetime) -> Caller:
        """The caller of a bearer token. Raises ContentError `token-invalid`, the same for every reason, and
        `wrong-region`."""
        keys = self._current_keys()
        digest = hashlib.sha256(text.encode()).digest()
        token = self._known.get(digest)
        if token is None:
            token = _checked(text, keys, self._settings)
            self._known[digest] = token
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        if not token.starts <= now.timestamp() < token.ends:
            self._known.pop(digest, None)
            raise _refused()
        if token.region != self._settings.region:
            raise wrong_region(self._settings, token.region)
        return token.caller

    def _current_keys(self) -> KeySet:
        """The provider's keys as they are now: a key that was withdrawn is refused as soon as the file says so."""
        path = self._settings.jwt_jwks_file
        if path is None:
            raise ContentError("token-invalid", "No identity provider is configured.", "Set CONTENT_JWT_JWKS_FILE.")
        changed_ns = path.stat().st_mtime_ns
        if changed_ns != self._changed_ns:
            self._known.clear()
            try:
                self._keys = KeySet.import_key_set(json.loads(path.read_text()))
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise _refused() from error  # it is being written, say; looked at again by the next request
            self._changed_ns = changed_ns
        return self._keys


def _checked(text: str, keys: KeySet, settings: Settings) -> Token:
    """A token with everything checked but the hour."""
    try:
        token = jwt.decode(text, keys, algorithms=["ES256", "RS256"])
        header: dict[str, Any] = token.header
        claims: dict[str, Any] = token.claims
        audience, issued, ends = claims.get("aud"), float(claims["iat"]), float(claims["exp"])
        ok = (
            set(header) <= KNOWN_HEADER
            and str(header.get("typ", "JWT")).lower().removeprefix("application/") in TYPES
            and claims["iss"] == settings.jwt_issuer
            and settings.jwt_audience in (audience if isinstance(audience, list) else [audience])
            and ends - issued <= settings.jwt_max_age_s
            and not is_pseudonym(str(claims["sub"]))
        )
        caller = Caller(str(claims["tenant"]), str(claims["sub"]), frozenset(str(claims["scope"]).split()))
        starts = max(float(claims.get("nbf", 0)), issued)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise _refused() from error
    if not ok:
        raise _refused()
    return Token(caller, str(claims.get("region", settings.region)), starts - LEEWAY_S, ends + LEEWAY_S)


def _refused() -> ContentError:
    return ContentError("token-invalid", "The token is not valid here.", "Get a new one from the identity provider.")
