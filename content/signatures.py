"""One signature for one document or ten thousand: a signed tree head and a proof per document.

The leaves are canonical documents, the tree is RFC 9162 section 2.1, and only its head is signed, by one call of the key
service (docs/bundle-format.md, "Signature"). A document carries its `type` inside the leaf and the head a `typ` of its
own, so neither can stand for anything else. ES256 signatures are malleable: nothing may be named by a signature's
bytes, only by a document's digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from content.canonical import DIGEST_PREFIX, canonical, rfc3339
from content.documents import DIGEST, TENANT, THUMBPRINT, DocumentRefused, Fields, parse_document
from content.errors import ContentError
from content.jose import CompactJws, Signer, require_header, require_signature, sign_compact, split_compact
from content.merkle import leaf_hash, root_from_path, tree
from content.trust.keys import TrustedKeys

TYP: Final = "content-tree-head+jws"
MAX_HEAD_CHARS: Final = 1024
MAX_LEAVES: Final = 1 << 31
MAX_DOCUMENT_BYTES: Final = 64 << 20
MAX_AHEAD: Final = timedelta(hours=24)


@dataclass(eq=False)
class SignatureRefused(ContentError):
    """A signature object that does not vouch for the document."""


def sign_documents(documents: Sequence[bytes], signer: Signer, *, iss: str, iat: datetime) -> list[dict[str, Any]]:
    """A signature object for each canonical document, in their order, with one call of the signer."""
    if not documents:
        return []
    root, paths = tree([leaf_hash(document) for document in documents])
    head = {"iat": rfc3339(iat), "iss": iss, "root": _digest(root), "size": len(documents)}
    signed = sign_compact({"alg": "ES256", "kid": signer.kid, "typ": TYP}, canonical(head), signer)
    return [
        {
            "tree_head": signed,
            "proof": {"index": index, "size": len(documents), "path": [_digest(node) for node in path]},
        }
        for index, path in enumerate(paths)
    ]


@dataclass(frozen=True)
class VerifiedDocument:
    """A document whose signature holds, when it was signed, and by which key."""

    members: dict[str, Any]
    signed_at: datetime
    kid: str


def verify_document(
    document: bytes,
    signature: Mapping[str, Any],
    keys: TrustedKeys,
    *,
    expected_type: str,
    iss: str,
    now: datetime | None = None,
    limit: int = MAX_DOCUMENT_BYTES,
) -> dict[str, Any]:
    """The members of the document; see `verify_signature`."""
    return verify_signature(
        document, signature, keys, expected_type=expected_type, iss=iss, now=now, limit=limit
    ).members


def verify_signature(
    document: bytes,
    signature: Mapping[str, Any],
    keys: TrustedKeys,
    *,
    expected_type: str,
    iss: str,
    now: datetime | None = None,
    limit: int = MAX_DOCUMENT_BYTES,
    allow_revoked: bool = False,
) -> VerifiedDocument:
    """Check tree head, key, proof, canonical form and type, in this order.

    With `now`, a tree head from more than 24 hours ahead is refused; a reader whose clock may have stopped hands in
    None. Raises JoseRefused (`jws-…`), TrustRefused (`kid-…`), SignatureRefused (`signature-malformed`,
    `signature-issuer`, `signature-in-future`, `signature-proof`), DocumentRefused (`document-…`).
    """
    jws, proof = _parts(signature)
    kid = jws.header.get("kid")
    if not isinstance(kid, str) or THUMBPRINT.fullmatch(kid) is None:
        kid = ""  # the comparison below refuses the header
    head = _Head.parse(jws, kid)
    require_signature(jws, keys.find(kid, head.iat, allow_revoked=allow_revoked))
    if head.iss != iss:
        raise SignatureRefused("signature-issuer", "The signature is another tenant's.")
    if now is not None and head.iat > now + MAX_AHEAD:
        raise SignatureRefused("signature-in-future", "The signature bears a time to come.", "Set the clock.")
    index, size, path = proof
    if size != head.size or root_from_path(leaf_hash(document), index, size, path) != head.root:
        raise SignatureRefused("signature-proof", "The proof does not lead from this document to the signed root.")
    members = parse_document(document, "document", limit)
    if members.get("type") != expected_type:
        raise DocumentRefused("document-type", f"The signed document is not of the type {expected_type}.")
    return VerifiedDocument(members, head.iat, kid)


def head_kid(signature: Mapping[str, Any]) -> str | None:
    """The kid that a signature object claims, **unverified**; None if there is none to be read."""
    kid = _parts(signature)[0].header.get("kid")
    return kid if isinstance(kid, str) else None


@dataclass(frozen=True)
class _Head:
    iss: str
    iat: datetime
    root: bytes
    size: int

    @classmethod
    def parse(cls, jws: CompactJws, kid: str) -> _Head:
        require_header(jws, {"alg": "ES256", "kid": kid, "typ": TYP})
        fields = Fields(parse_document(jws.payload, "signature", MAX_HEAD_CHARS), "signature")
        found = cls(
            fields.text("iss", TENANT),
            fields.time("iat"),
            _raw(fields.text("root", DIGEST)),
            fields.integer("size", 1, MAX_LEAVES),
        )
        fields.done()
        return found


def _parts(signature: Mapping[str, Any]) -> tuple[CompactJws, tuple[int, int, list[bytes]]]:
    fields = Fields(cast("object", signature), "signature")
    head = split_compact(fields.take("tree_head"), MAX_HEAD_CHARS)
    proof = fields.fields("proof")
    fields.done()
    index, size = proof.integer("index", 0, MAX_LEAVES), proof.integer("size", 1, MAX_LEAVES)
    path: list[bytes] = []
    for node in proof.items("path", 31):
        if not isinstance(node, str) or DIGEST.fullmatch(node) is None:
            raise proof.refuse("a node of the path is not a digest")
        path.append(_raw(node))
    proof.done()
    return head, (index, size, path)


def _digest(raw: bytes) -> str:
    return DIGEST_PREFIX + raw.hex()


def _raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix(DIGEST_PREFIX))
