"""Bearer tokens that must not get in, whatever they carry; and the one that does."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc import jwe
from joserfc.jwk import ECKey, RSAKey

from cluster.settings import Settings
from content.errors import ContentError
from content.jwk import b64
from serve_app.tokens import Tokens

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
CLAIMS: dict[str, Any] = {
    "iss": "https://identity.local", "aud": "content-service", "sub": "x", "tenant": "acme", "scope": "content:read",
    "iat": AT, "exp": AT + 600,
}  # fmt: skip
OURS, OTHER, FOREIGN = (ECKey.generate_key("P-256") for _ in range(3))
RSA = RSAKey.generate_key(2048)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    keys = [{**key.as_dict(private=False), "kid": key.thumbprint()} for key in (OURS, OTHER, RSA)]
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": keys}))
    return Settings(jwt_jwks_file=tmp_path / "jwks.json")


def header(**more: Any) -> dict[str, Any]:
    return {"alg": "ES256", "kid": OURS.thumbprint(), **more}


def token(key: Any = OURS, claims: dict[str, Any] = CLAIMS, **more: Any) -> str:
    """Signed whatever the header says: joserfc would not write some of these."""
    signed = f"{b64(json.dumps(header(**more)).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(_sign(key, signed.encode()))}"


def _sign(key: Any, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.private_key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_a_good_one_gets_in(settings: Settings) -> None:
    caller = Tokens(settings).read(token(), NOW)
    assert (caller.tenant, caller.subject, set(caller.scopes)) == ("acme", "x", {"content:read"})


BAD: dict[str, Callable[[], str]] = {
    "the kid of another key of the provider": lambda: token(kid=OTHER.thumbprint()),
    "a kid that nobody has": lambda: token(kid="nobody"),
    "a key of its own under our kid": lambda: token(FOREIGN),
    "a key it brings": lambda: token(FOREIGN, jwk=FOREIGN.as_dict(private=False)),
    "an address of keys": lambda: token(FOREIGN, jku="https://evil.example/jwks.json"),
    "an address of certificates": lambda: token(FOREIGN, x5u="https://evil.example/cert.pem"),
    "certificates": lambda: token(x5c=["MIIB"]),
    "an address of keys, though signed by ours": lambda: token(jku="https://evil.example/jwks.json"),
    "crit": lambda: token(crit=["b64"], b64=False),
    "crit of nothing": lambda: token(crit=[]),
    "alg none": lambda: token(alg="none"),
    "alg None": lambda: token(alg="None").rsplit(".", 1)[0] + ".",
    "another algorithm than its key's": lambda: token(alg="RS256"),
    "a secret that is the public key": lambda: _hmac(OURS.as_pem(private=False)),
    "a token within a token": lambda: token(cty="JWT"),
    "another type, a proof": lambda: token(typ="dpop+jwt"),
    "another type, a logout": lambda: token(typ="logout+jwt"),
    "encrypted": lambda: jwe.encrypt_compact(
        {"alg": "ECDH-ES", "enc": "A128GCM", "cty": "JWT"}, token(), ECKey.generate_key("P-256")
    ),
    "huge": lambda: token(claims={**CLAIMS, "more": "x" * 200_000}),
    "not ASCII": lambda: token() + "é",
    "no token": lambda: "é.è.ê",
    "nothing": lambda: "",
    "four parts": lambda: token() + ".x",
    "half a token": lambda: token()[:-20],
    "claims that are a list": lambda: _raw("[1]"),
    "a number that is none": lambda: token(claims={**CLAIMS, "exp": "soon"}),
    "an endless number": lambda: _raw(json.dumps(CLAIMS).replace(str(AT + 600), "Infinity")),
    "not yet": lambda: token(claims={**CLAIMS, "nbf": AT + 3600}),
    "expired": lambda: token(claims={**CLAIMS, "iat": AT - 7200, "exp": AT - 3600}),
    "another audience": lambda: token(claims={**CLAIMS, "aud": ["billing"]}),
    "somebody with the form of a pseudonym": lambda: token(claims={**CLAIMS, "sub": f"lrn_{0:032x}"}),
    "no audience": lambda: token(claims={name: value for name, value in CLAIMS.items() if name != "aud"}),
}


def _hmac(secret: bytes) -> str:
    signed = f"{b64(json.dumps(header(alg='HS256')).encode())}.{b64(json.dumps(CLAIMS).encode())}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def _raw(claims: str) -> str:
    signed = f"{b64(json.dumps(header()).encode())}.{b64(claims.encode())}"
    return f"{signed}.{b64(_sign(OURS, signed.encode()))}"


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_one_is_refused_like_every_other(settings: Settings, kind: str) -> None:
    with pytest.raises(ContentError) as caught:
        Tokens(settings).read(BAD[kind](), NOW)
    assert (caught.value.code, caught.value.message) == ("token-invalid", "The token is not valid here.")


def test_a_known_one_is_still_judged_by_the_hour(settings: Settings) -> None:
    tokens = Tokens(settings)
    first = tokens.read(token(), NOW)
    assert tokens.read(token(), NOW + timedelta(seconds=500)) == first
    for late in (NOW + timedelta(seconds=700), NOW - timedelta(seconds=60)):
        with pytest.raises(ContentError, match="not valid"):
            tokens.read(token(), late)


def test_a_known_one_goes_with_its_key(settings: Settings) -> None:
    tokens, text = Tokens(settings), token()
    assert tokens.read(text, NOW) and tokens.read(token(OTHER, kid=OTHER.thumbprint()), NOW)
    path = settings.jwt_jwks_file
    assert path is not None
    kept = [key for key in json.loads(path.read_text())["keys"] if key["kid"] != OURS.thumbprint()]
    path.write_text(json.dumps({"keys": kept}))
    os.utime(path, ns=(1, 1))  # another time than before, whatever the file system's resolution
    with pytest.raises(ContentError, match="not valid"):
        tokens.read(text, NOW)
    assert tokens.read(token(OTHER, kid=OTHER.thumbprint()), NOW)


def test_another_regions_token_is_told_so_while_it_holds(settings: Settings) -> None:
    tokens, text = Tokens(settings), token(claims={**CLAIMS, "region": "us"})
    for _ in range(2):
        with pytest.raises(ContentError) as caught:
            tokens.read(text, NOW)
        assert caught.value.code == "wrong-region"
    with pytest.raises(ContentError) as caught:
        tokens.read(text, NOW + timedelta(seconds=700))
    assert caught.value.code == "token-invalid"


def test_keys_that_are_being_written_refuse_and_are_read_again(settings: Settings) -> None:
    tokens, path = Tokens(settings), settings.jwt_jwks_file
    assert path is not None
    whole = path.read_text()
    path.write_text(whole[:40])
    with pytest.raises(ContentError, match="not valid"):
        tokens.read(token(), NOW)
    path.write_text(whole)
    assert tokens.read(token(), NOW)


def test_it_is_read_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, text = Tokens(settings), token()
    first = tokens.read(text, NOW)
    monkeypatch.setattr("serve_app.tokens.jwt.decode", None)
    assert tokens.read(text, NOW) is first


def test_a_refused_one_is_not_kept(settings: Settings) -> None:
    tokens = Tokens(settings)
    for _ in range(2):
        with pytest.raises(ContentError, match="not valid"):
            tokens.read(token(FOREIGN), NOW)
    assert not tokens._known  # pyright: ignore[reportPrivateUsage]
