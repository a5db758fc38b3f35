"""JWS and JWE with exactly one algorithm each: ES256, and ECDH-ES+A256KW with A256GCM.

There is nothing to negotiate: the reader knows every protected header before it looks (docs/bundle-format.md, "JOSE"),
so `alg: none`, `jwk`, `jku`, `x5u`, `crit`, `b64`, `zip` and repeated members all fail in the one comparison with the
expected header. A general library obeys what a header says; this module does not. Signing goes through `Signer`, since
the service's keys never leave the key service; randomness is handed in. Tests hold joserfc against it, both ways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from content.canonical import canonical
from content.documents import DocumentRefused, parse_json
from content.errors import ContentError
from content.jwk import Jwk, Rng, b64, generate_key, parse_jwk, public_jwk, thumbprint, unb64

JWE_ALG: Final = "ECDH-ES+A256KW"
JWE_ENC: Final = "A256GCM"
MAX_HEADER_BYTES: Final = 1024
MAX_JWE_CHARS: Final = 2048


class Signer(Protocol):
    """A P-256 key that may live elsewhere; one call is one request to the key service."""

    @property
    def kid(self) -> str:
        """RFC 7638 thumbprint of the public key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """ES256 over the message: the raw 64 bytes r‖s."""
        ...


@dataclass(frozen=True)
class LocalSigner:
    """A signer whose private key is in this process: a device, or a test."""

    key: ec.EllipticCurvePrivateKey
    deterministic: bool = False

    @property
    def kid(self) -> str:
        return thumbprint(self.key)

    def sign(self, message: bytes) -> bytes:
        der = self.key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=self.deterministic))
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass(eq=False)
class JoseRefused(ContentError):
    """A JWS or JWE that is not the one expected here."""


def sign_compact(header: Mapping[str, Any], payload: bytes, signer: Signer) -> str:
    """Compact JWS; the header is written in canonical form."""
    signing_input = f"{b64(canonical(header))}.{b64(payload)}"
    return f"{signing_input}.{b64(signer.sign(signing_input.encode('ascii')))}"


@dataclass(frozen=True)
class CompactJws:
    """A JWS taken apart and **not verified**: `header` and `payload` may only be used to find the key."""

    header: dict[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes


def split_compact(text: object, limit: int) -> CompactJws:
    """Take a compact JWS apart. Raises JoseRefused `jws-malformed` or `jws-header`."""
    if not isinstance(text, str) or len(text) > limit or text.count(".") != 2:
        raise JoseRefused("jws-malformed", f"This is not a compact JWS of at most {limit} characters.")
    protected, payload, signature = text.split(".")
    return _split(protected, payload, signature)


def split_general(jws: object, limit: int, most_signatures: int) -> list[CompactJws]:
    """Take a general JSON JWS apart, one element per signature, none verified. Errors as `split_compact`."""
    malformed = JoseRefused("jws-malformed", "This is not a general JSON JWS with payload and signatures alone.")
    if not isinstance(jws, Mapping):
        raise malformed
    members = cast("Mapping[str, Any]", jws)
    payload, signatures = members.get("payload"), members.get("signatures")
    if set(members) != {"payload", "signatures"} or not isinstance(payload, str) or not isinstance(signatures, list):
        raise malformed
    entries = cast("list[Any]", signatures)
    if len(payload) > limit or not 1 <= len(entries) <= most_signatures:
        raise malformed
    found: list[CompactJws] = []
    for entry in entries:
        parts = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
        if set(parts) != {"protected", "signature"}:
            raise malformed
        found.append(_split(parts["protected"], payload, parts["signature"]))
    return found


def _split(protected: object, payload: object, signature: object) -> CompactJws:
    try:
        header, body, raw = unb64(protected), unb64(payload), unb64(signature)
    except ValueError as error:
        raise JoseRefused("jws-malformed", "A part of the JWS is not base64url.") from error
    if len(raw) != 64:
        raise JoseRefused("jws-malformed", "The signature of the JWS is not 64 bytes long.")
    try:
        parsed = parse_json(header, "jws-header", MAX_HEADER_BYTES)
    except DocumentRefused as error:
        raise JoseRefused("jws-header", "The protected header of the JWS is not a plain JSON object.") from error
    return CompactJws(parsed, body, f"{protected}.{payload}".encode("ascii"), raw)


def require_header(jws: CompactJws, expected: Mapping[str, Any]) -> None:
    """The whole protected header must be the expected one. Raises JoseRefused `jws-header`."""
    # Python holds 1 == True == 1.0: compare what is written, not what it equals
    try:
        same = canonical(jws.header) == canonical(expected)
    except (ContentError, RecursionError):
        same = False
    if not same:
        raise JoseRefused("jws-header", "The protected header of the JWS is not the one expected here.")


def require_signature(jws: CompactJws, key: ec.EllipticCurvePublicKey) -> None:
    """Raises JoseRefused `jws-signature` unless the ES256 signature holds. Both values of s are accepted."""
    try:
        r, s = (int.from_bytes(jws.signature[i : i + 32], "big") for i in (0, 32))
        key.verify(encode_dss_signature(r, s), jws.signing_input, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise JoseRefused("jws-signature", "The signature does not fit the document and the key.") from error


def sign_general(header_of: Mapping[str, Any], payload: bytes, signers: Sequence[Signer]) -> dict[str, Any]:
    """General JSON JWS by several signers, ordered by kid; `kid` is added to the header of each."""
    body = b64(payload)
    signatures: list[dict[str, str]] = []
    for signer in sorted(signers, key=lambda signer: signer.kid):
        protected = b64(canonical({**header_of, "kid": signer.kid}))
        signatures.append(
            {"protected": protected, "signature": b64(signer.sign(f"{protected}.{body}".encode("ascii")))}
        )
    return {"payload": body, "signatures": signatures}


def encrypt(plaintext: bytes, recipient: Mapping[str, Any], *, typ: str, kid: str, rng: Rng) -> str:
    """Compact JWE to a public JWK. Takes 48 + 32 + 12 bytes from `rng`: ephemeral key, content key, nonce."""
    public = parse_jwk(recipient)
    ephemeral = generate_key(rng)
    cek, nonce = rng(32), rng(12)
    protected = b64(canonical(_jwe_header(typ, kid, public_jwk(ephemeral))))
    wrapped = aes_key_wrap(_agree(ephemeral, public), cek)
    sealed = AESGCM(cek).encrypt(nonce, plaintext, protected.encode("ascii"))
    return ".".join((protected, b64(wrapped), b64(nonce), b64(sealed[:-16]), b64(sealed[-16:])))


def decrypt(jwe: object, key: ec.EllipticCurvePrivateKey, *, typ: str, kid: str | None = None) -> tuple[str, bytes]:
    """(kid, plaintext) of a compact JWE. Raises JoseRefused `jwe-malformed`, `jwe-header`, `jwe-decrypt`; `jwk-…`."""
    if not isinstance(jwe, str) or len(jwe) > MAX_JWE_CHARS or jwe.count(".") != 4:
        raise JoseRefused("jwe-malformed", f"This is not a compact JWE of at most {MAX_JWE_CHARS} characters.")
    protected = jwe.split(".")[0]
    try:
        header_bytes, wrapped, nonce, ciphertext, tag = (unb64(part) for part in jwe.split("."))
    except ValueError as error:
        raise JoseRefused("jwe-malformed", "A part of the JWE is not base64url.") from error
    if (len(wrapped), len(nonce), len(tag)) != (40, 12, 16):
        raise JoseRefused("jwe-malformed", "A part of the JWE has not its length.")
    refused = JoseRefused("jwe-header", "The protected header of the JWE is not the one expected here.")
    try:
        header = parse_json(header_bytes, "jwe-header", MAX_HEADER_BYTES)
        found, epk = header.get("kid"), header.get("epk")
        same = isinstance(found, str) and isinstance(epk, dict) and kid in (None, found)
        same = same and canonical(_jwe_header(typ, cast("str", found), cast("Jwk", epk))) == canonical(header)
    except (ContentError, RecursionError) as error:
        raise refused from error
    if not same:
        raise refused
    ephemeral = parse_jwk(cast("object", epk))
    try:
        cek = aes_key_unwrap(_agree(key, ephemeral), wrapped)
        return cast("str", found), AESGCM(cek).decrypt(nonce, ciphertext + tag, protected.encode("ascii"))
    except (InvalidUnwrap, InvalidTag, ValueError) as error:
        raise JoseRefused(
            "jwe-decrypt",
            "The key of this device does not open the JWE.",
            "It was made for another device, or damaged.",
        ) from error


def _jwe_header(typ: str, kid: str, epk: Jwk) -> dict[str, Any]:
    return {"alg": JWE_ALG, "enc": JWE_ENC, "epk": epk, "kid": kid, "typ": typ}


def _agree(private: ec.EllipticCurvePrivateKey, public: ec.EllipticCurvePublicKey) -> bytes:
    """RFC 7518 section 4.6.2: Concat KDF with empty PartyUInfo and PartyVInfo, 256 bits."""
    algorithm = JWE_ALG.encode("ascii")
    other_info = len(algorithm).to_bytes(4, "big") + algorithm + bytes(8) + (256).to_bytes(4, "big")
    return ConcatKDFHash(hashes.SHA256(), 32, other_info).derive(private.exchange(ec.ECDH(), public))
