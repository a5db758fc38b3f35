"""Content keys wrapped under a batch key, and the batch key wrapped by KMS: one call for many keys.

KMS wraps one thing per call. So each text is `kms1.<batch key, wrapped by KMS>.<nonce ‖ AES-256-GCM ciphertext>`: who has
neither the call of KMS nor the batch key opens nothing, and who has both opens this batch of this tenant. The tenant is
the encryption context of the batch key and associated data of each text, so neither half can be carried to another
tenant. A text stands alone: rows are deleted, restored and moved one by one. docs/keys.md says what it costs and risks.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cluster.keys.errors import refused
from content.errors import ContentError

MARK = "kms1"
NONCE_BYTES = 12
BATCH_KEY_BYTES = 32


@dataclass(frozen=True, repr=False)
class BatchKey:
    """A key that wraps content keys of one tenant; `blob` is what KMS made of it."""

    plain: bytes
    blob: bytes


@dataclass(frozen=True)
class Wrapped:
    """A text taken apart. Nothing of it is trusted before it opens."""

    blob: bytes
    nonce: bytes
    ciphertext: bytes

    @property
    def batch(self) -> str:
        """Names the batch key, in caches."""
        return base64.b64encode(self.blob).decode()


def wrap(key: BatchKey, tenant: str, content_key: bytes, nonce: bytes) -> str:
    """One content key as text. A nonce is never used twice under a batch key; random ones are, in so few uses, not."""
    sealed = AESGCM(key.plain).encrypt(nonce, content_key, _bound_to(tenant))
    return ".".join((MARK, _text(key.blob), _text(nonce + sealed)))


def parse(text: str) -> Wrapped:
    """Raises ContentError `key-refused` for what `wrap` did not write."""
    mark, _, rest = text.partition(".")
    try:
        blob, body = (base64.b64decode(part, altchars=b"-_", validate=True) for part in rest.split("."))
    except (ValueError, binascii.Error) as error:
        raise _foreign() from error
    if mark != MARK or not blob or len(body) <= NONCE_BYTES:
        raise _foreign()
    return Wrapped(blob, body[:NONCE_BYTES], body[NONCE_BYTES:])


def unwrap(plain: bytes, tenant: str, wrapped: Wrapped) -> bytes:
    """Raises ContentError `key-refused` if a byte of it, the tenant or the batch key is another."""
    try:
        return AESGCM(plain).decrypt(wrapped.nonce, wrapped.ciphertext, _bound_to(tenant))
    except InvalidTag as error:
        raise refused("The key service refused to unwrap a content key.") from error


def _bound_to(tenant: str) -> bytes:
    return f"content-keys/1|{tenant}".encode()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def _foreign() -> ContentError:
    return refused(
        "This content key was not wrapped by AWS KMS.", "Was the setting key_service changed? Keys do not move with it."
    )
