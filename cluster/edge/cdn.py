"""Signed URLs and cookies in CloudFront's format: a custom policy, its signature (ECDSA P-256, or RSA-2048 PKCS#1 v1.5), and the check an
edge makes of both.

The policy is JSON without blanks: one statement with a resource (`*` and `?` are wildcards) and the second from which it
is refused. Policy and signature travel as base64 with `+=/` written `-_~`, the signature (of ECDSA as DER) over the policy's bytes
with SHA-256, which CloudFront only assumes if `Hash-Algorithm=SHA256` is there. Pure: keys and time are handed in.

`verify` closes what a wildcard opens: a path with dot segments, in any spelling, is no resource of anybody's.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from cluster.edge.edge_rules import OPEN
from content.errors import ContentError

PARAMETERS = ("Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm")
COOKIE = "CloudFront-"
"""Before the name of a parameter: the name of its cookie."""
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
RSA_BITS = 2048
"""The only size that CloudFront takes."""
_TO_CDN = bytes.maketrans(b"+=/", b"-_~")
_FROM_CDN = bytes.maketrans(b"-_~", b"+=/")
_ALPHABET = re.compile(r"[A-Za-z0-9_~-]{1,4096}")


@dataclass(eq=False)
class UrlRefused(ContentError):
    """A URL that the edge does not serve: `url-unsigned`, `url-signature`, `url-expired` or `url-resource`."""


def load_private_key(pem: str) -> PrivateKey:
    """The signing key of a PEM. Raises ContentError `edge-key` for anything but a P-256 or an RSA-2048 key."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError) as error:
        raise _no_key("signing") from error  # and not a word of what was given
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size == RSA_BITS:
        return key
    raise _no_key("signing")


def load_public_key(pem: str) -> PublicKey:
    """The checking key of a PEM. Raises ContentError `edge-key` for anything but a P-256 or an RSA-2048 key."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, TypeError) as error:
        raise _no_key("public") from error
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size == RSA_BITS:
        return key
    raise _no_key("public")


def public_pem(key: PrivateKey) -> str:
    """What a CDN is given to check signatures of this key with."""
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return public.decode()


def policy(resource: str, expires_at: datetime) -> bytes:
    """The custom policy: `resource` (a URL, `*` and `?` as wildcards) is served before `expires_at` (aware), not after."""
    condition = {"DateLessThan": {"AWS:EpochTime": int(expires_at.timestamp())}}
    return json.dumps({"Statement": [{"Resource": resource, "Condition": condition}]}, separators=(",", ":")).encode()


def sign(url: str, key: PrivateKey, key_id: str, *, expires_at: datetime, resource: str | None = None) -> str:
    """The URL with the four parameters appended. `resource` widens it, say to all below a folder: `https://…/bnd_x/*`."""
    document = policy(resource or url, expires_at)
    signature = signature_of(key, document)
    query = f"Policy={_encode(document)}&Signature={_encode(signature)}&Key-Pair-Id={key_id}&Hash-Algorithm=SHA256"
    return f"{url}{'&' if '?' in url else '?'}{query}"


def signature_of(key: PrivateKey, document: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(document, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(document, ec.ECDSA(hashes.SHA256()))


def verify(url: str, keys: Mapping[str, PublicKey], *, now: datetime) -> None:
    """Return if this URL may be served now. Raises UrlRefused; nothing in the policy is believed before its signature."""
    parts = urlsplit(url)
    given, rest = _take_parameters(parts)
    if not given:
        raise UrlRefused("url-unsigned", "This address is served to signed URLs only.", "Ask the API for a signed URL.")
    if set(given) != set(PARAMETERS) or given["Hash-Algorithm"] != "SHA256":
        raise _forged("its signature's parameters are not the expected four")
    key = keys.get(given["Key-Pair-Id"])
    if key is None:
        raise _forged("its key is not known here")
    document = _decode(given["Policy"])
    try:
        _check(key, _decode(given["Signature"]), document)
    except InvalidSignature:
        raise _forged("its signature does not match") from None
    resource, before, after = _read_policy(document)
    seconds = now.timestamp()
    if seconds >= before:
        raise UrlRefused("url-expired", "This signed URL has expired.", "Ask the API for a fresh one.")
    if seconds < after:
        raise UrlRefused("url-expired", "This signed URL is not valid yet.", "Check the clock that signed it.")
    if _has_detour(parts.path) or not _matches(resource, urlunsplit(parts._replace(query=rest, fragment=""))):
        raise UrlRefused(
            "url-resource", "This signed URL is for something else.", "Ask the API for this resource's URL."
        )


def is_signed(query: str) -> bool:
    """Whether a query holds a signature's parameters, or one of them."""
    return any(unquote(piece.partition("=")[0]) in PARAMETERS for piece in query.split("&"))


def cookies_of(query: str) -> dict[str, str]:
    """The signed cookies that say the same as a signed query, which must have been verified."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    return {COOKIE + name: given[name] for name in PARAMETERS}


def from_cookies(url: str, cookies: Mapping[str, str]) -> str:
    """The signed URL that signed cookies stand for; to be verified. Raises UrlRefused where one of them is missing."""
    given = {name: cookies.get(COOKIE + name, "") for name in PARAMETERS}
    if not all(given.values()):
        raise UrlRefused(
            "url-unsigned", "This address is served with signed cookies only.", "Ask the API for its link."
        )
    signature = "&".join(f"{name}={value}" for name, value in given.items())
    return f"{url}{'&' if '?' in url else '?'}{signature}"


def _check(key: PublicKey, signature: bytes, document: bytes) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, document, padding.PKCS1v15(), hashes.SHA256())
    else:
        key.verify(signature, document, ec.ECDSA(hashes.SHA256()))


def _take_parameters(parts: SplitResult) -> tuple[dict[str, str], str]:
    """(the signature's parameters, the query without them); a parameter given twice is refused."""
    given: dict[str, str] = {}
    rest: list[str] = []
    for piece in parts.query.split("&") if parts.query else ():
        name = piece.partition("=")[0]
        if unquote(name) not in PARAMETERS:
            rest.append(piece)
        elif name in given or name not in PARAMETERS:
            raise _forged("a parameter of its signature is there twice or disguised")
        else:
            given[name] = dict(parse_qsl(piece, keep_blank_values=True)).get(name, "")
    return given, "&".join(rest)


def _read_policy(document: bytes) -> tuple[str, float, float]:
    """(resource, refused from, refused before). A signed policy that says more than we enforce is refused."""
    try:
        value: Any = json.loads(document)
        (statement,) = value["Statement"]
        condition = statement["Condition"]
        known = value.keys() <= {"Statement"} and statement.keys() <= {"Resource", "Condition"}
        if not known or not condition.keys() <= {"DateLessThan", "DateGreaterThan"}:
            raise _forged("its policy has conditions that are not enforced here")
        after = condition.get("DateGreaterThan", {"AWS:EpochTime": 0})["AWS:EpochTime"]
        return str(statement["Resource"]), float(condition["DateLessThan"]["AWS:EpochTime"]), float(after)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _forged("its policy cannot be read") from error


def _matches(resource: str, url: str) -> bool:
    pattern = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in resource)
    # `?` also begins a query: as CloudFront does, it is read as a wildcard and matches itself.
    return re.fullmatch(pattern, url, re.DOTALL) is not None


def _has_detour(path: str) -> bool:
    plain = unquote(path)
    odd = "\\" in plain or "//" in plain or "\0" in plain or re.search(r"%(2e|2f|5c|00|25)", path, re.IGNORECASE)
    return bool(odd) or any(segment in (".", "..") for segment in plain.split("/"))


def _no_key(which: str) -> ContentError:
    return ContentError(
        "edge-key", f"The CDN's {which} key is neither an EC P-256 nor an RSA-2048 key.", "See docs/edge.md."
    )


def _encode(data: bytes) -> str:
    return base64.b64encode(data).translate(_TO_CDN).decode()


def _decode(text: str) -> bytes:
    if _ALPHABET.fullmatch(text) is None:
        raise _forged("it is not in the CDN's base64")
    try:
        return base64.b64decode(text.encode().translate(_FROM_CDN), validate=True)
    except ValueError as error:
        raise _forged("it is not in the CDN's base64") from error


def _forged(why: str) -> UrlRefused:
    return UrlRefused("url-signature", f"This URL's signature is refused: {why}.", "Ask the API for a signed URL.")


@dataclass(frozen=True)
class UrlSigner:
    """Signs one object's URL at a time, for a limited time; made from the settings of the API."""

    base_url: str
    key_id: str
    key: PrivateKey
    ttl_s: int

    @classmethod
    def of(cls, base_url: str, key_id: str, pem: str, ttl_s: int) -> UrlSigner:
        """Raises ContentError `edge-key`."""
        return cls(base_url, key_id, load_private_key(pem), ttl_s)

    def url(self, path: str, now: datetime, *, folder: str | None = None) -> str:
        """The signed URL of a path such as `/bundles/acme/…`, valid for `ttl_s` from `now`. With a `folder`, a path that ends
        in `/`, its signature is good for everything below that."""
        resource = None if folder is None else f"{self.base_url}{folder}*"
        end = now + timedelta(seconds=self.ttl_s)
        return sign(f"{self.base_url}{path}", self.key, self.key_id, expires_at=end, resource=resource)

    def link(self, path: str, now: datetime, *, folder: str) -> str:
        """The address that hands over cookies for everything below `folder`, and then shows `path`."""
        return f"{self.base_url}/{OPEN.strip('/')}{self.url(path, now, folder=folder).removeprefix(self.base_url)}"
