"""ECDSA signatures as key services give them (DER) and as JWS wants them (64 bytes, r‖s).

Strict: one encoding of each number, both within the curve's order. KMS and OpenBao write nothing else, so what fails here
is no signature of theirs, and nothing of it reaches a licence.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from cluster.keys.errors import refused
from content.errors import ContentError
from content.jwk import ORDER


def raw_of(der: bytes) -> bytes:
    """r‖s of a DER signature. Raises ContentError `key-refused` for anything but its one encoding."""
    try:
        r, s = decode_dss_signature(der)
    except ValueError as error:
        raise _not_a_signature() from error
    # The order comes first: a negative number has no encoding to compare with.
    if not (0 < r < ORDER and 0 < s < ORDER) or encode_dss_signature(r, s) != der:
        raise _not_a_signature()
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def checked(raw: bytes) -> bytes:
    """`raw` itself where it is r‖s. Raises ContentError `key-refused` otherwise."""
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    if len(raw) != 64 or not (0 < r < ORDER and 0 < s < ORDER):
        raise _not_a_signature()
    return raw


def _not_a_signature() -> ContentError:
    return refused("The key service answered with something that is no P-256 signature.")
