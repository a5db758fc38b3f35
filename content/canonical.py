"""Bytes that everybody computes alike: canonical JSON, digests, derived ids and times.

What is signed or hashed is RFC 8785 (JCS). A digest is written `sha256:<hex>`. An id is derived from what it names, so
asking twice gives the same id.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import rfc8785

from content.errors import ContentError

DIGEST_PREFIX = "sha256:"


def canonical(document: Any) -> bytes:
    """RFC 8785 bytes of a JSON value. Raises ContentError `not-canonical` for what JSON cannot hold."""
    try:
        return rfc8785.dumps(document)
    except (rfc8785.CanonicalizationError, TypeError, ValueError) as error:
        raise ContentError("not-canonical", f"This value has no canonical JSON form: {error}.") from error


def digest(data: bytes | bytearray | memoryview) -> str:
    """`sha256:` and the lower-case hex of the SHA-256 of the bytes."""
    return DIGEST_PREFIX + hashlib.sha256(data).hexdigest()


def derive_id(prefix: str, *parts: str | int) -> str:
    """An id of 26 lower-case base32 characters (128 bits of SHA-256) behind a prefix; the parts cannot run together."""
    hashed = hashlib.sha256(canonical([prefix, *parts])).digest()[:16]
    return f"{prefix}_{base64.b32hexencode(hashed).decode().rstrip('=').lower()}"


def rfc3339(moment: datetime) -> str:
    """UTC with whole seconds and a `Z`, the only form that documents of ours carry."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """The reverse of `rfc3339`. Raises ContentError `bad-time` for any other form."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise ContentError("bad-time", f"{text!r} is not a time in the form 2026-01-31T12:00:00Z.") from error
