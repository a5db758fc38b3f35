"""Content keys: what is derived from one, and how one travels to a device.

A content key is made, wrapped and committed before anything is encrypted with it (tasks/content_keys.py); here it only
appears as 32 bytes with an id. From it come the opaque file ids and, inside content/bundles/stream.py, each file's own
key. docs/bundle-format.md, "Content keys".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from content.bundles.errors import BundleRefused
from content.canonical import derive_id
from content.documents import DIGEST, IDENTIFIER
from content.jose import decrypt, encrypt
from content.jwk import Rng

KEY_BYTES: Final = 32
TYP: Final = "content-key+jwe"
FILE_ID_INFO: Final = b"content-bundle/1/file-id"
STREAM_START_BYTES: Final = 39


@dataclass(frozen=True)
class ContentKey:
    """An AES-256 content key and its id; the key is left out of every repr."""

    kid: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if IDENTIFIER.fullmatch(self.kid) is None or len(self.key) != KEY_BYTES:
            raise BundleRefused("content-key", "A content key is 32 bytes under an id of [A-Za-z0-9_-], at most 64.")


def content_key_id(tenant: str, package_id: str, scope: str, epoch: int) -> str:
    """The id of the one content key of (tenant, package, scope = device or profile, epoch)."""
    return derive_id("key", tenant, package_id, scope, epoch)


def file_id(content_key: ContentKey, plaintext_digest: str) -> str:
    """32 hex digits: the same for the same bytes under the same key, and nothing to anybody without the key."""
    if DIGEST.fullmatch(plaintext_digest) is None:
        raise BundleRefused("file-digest", "A file is named by the sha256:<hex> of its plaintext.")
    id_key = HKDF(hashes.SHA256(), 32, salt=None, info=FILE_ID_INFO).derive(content_key.key)
    return hmac.new(id_key, plaintext_digest.encode("ascii"), hashlib.sha256).digest()[:16].hex()


def stream_start(content_key: ContentKey, part_path: str, file_id: str) -> bytes:
    """Salt (32 bytes) and nonce prefix (7) of a file within a part.

    Derived, so that a damaged part can be made again byte for byte; safe, since a file id belongs to one plaintext: no
    nonce ever meets two. docs/bundle-format.md, "Stream".
    """
    info = f"content-bundle/1/salt|{part_path}|{file_id}".encode("ascii")
    return HKDF(hashes.SHA256(), STREAM_START_BYTES, salt=None, info=info).derive(content_key.key)


def associated_data(kid: str, file_id: str) -> bytes:
    """What binds a file's bytes to its name and key."""
    return f"content-bundle/1|{kid}|{file_id}".encode("ascii")


def wrap_for_device(content_key: ContentKey, device_encryption_jwk: Mapping[str, Any], rng: Rng) -> str:
    """The content key as a compact JWE that only this device opens. Raises JwkRefused."""
    return encrypt(content_key.key, device_encryption_jwk, typ=TYP, kid=content_key.kid, rng=rng)


def unwrap(jwe: object, device_private_key: ec.EllipticCurvePrivateKey, *, kid: str | None = None) -> ContentKey:
    """The reverse; with `kid`, only that key. Raises JoseRefused `jwe-…`, JwkRefused, BundleRefused `content-key`."""
    found, key = decrypt(jwe, device_private_key, typ=TYP, kid=kid)
    return ContentKey(found, key)
