"""Wrapped content keys in a form that ends with a person: sealed under the learner's own secret, behind their pseudonym.

For the event log, which keeps what it has for good: once the secret is erased, what the log holds opens for nobody, whatever the
key service would say. The secret opens nothing by itself; what it opens is still wrapped.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cluster.keys.errors import refused

NONCE_BYTES = 12


def seal(pseudonym: str, secret: str, kid: str, wrapped: str) -> str:
    """A wrapped key as the log may tell it; a random nonce is not met twice in the keys of one person."""
    nonce = os.urandom(NONCE_BYTES)
    body = nonce + _cipher(secret).encrypt(nonce, wrapped.encode(), kid.encode())
    return f"{pseudonym}.{base64.urlsafe_b64encode(body).decode()}"


def whose(sealed: str) -> str:
    """The pseudonym of the learner whose secret opens it."""
    return sealed.partition(".")[0]


def unseal(secret: str, kid: str, sealed: str) -> str:
    """The reverse of `seal`. Raises ContentError `key-refused` for another secret, key or text."""
    try:
        body = base64.b64decode(sealed.partition(".")[2], altchars=b"-_", validate=True)
        return _cipher(secret).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], kid.encode()).decode()
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise refused("What the log has of a content key was not sealed under this learner's secret.") from error


def _cipher(secret: str) -> AESGCM:
    return AESGCM(hashlib.sha256(b"content-keys/learner/1|" + secret.encode()).digest())
