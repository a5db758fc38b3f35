"""Signatures: the tree against a plain reading of RFC 9162, batches, and what must not verify."""

import hashlib
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content.canonical import canonical
from content.errors import ContentError
from content.jose import LocalSigner
from content.merkle import leaf_hash, root_from_path, tree
from content.signatures import sign_documents, verify_document
from content.trust.keys import TrustedKeys
from tests.vectors import world as w

KEYS = TrustedKeys((w.key_of(w.SIGNING),))


def merkle(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, as written there."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + merkle(leaves[:k]) + merkle(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162 section 2.1.3.1, as written there."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), merkle(leaves[k:])]
    return [*path(m - k, leaves[k:]), merkle(leaves[:k])]


@pytest.mark.parametrize("size", range(1, 70))
def test_tree_is_that_of_rfc_9162(size: int) -> None:
    documents = [b"%d" % i for i in range(size)]
    root, paths = tree([leaf_hash(document) for document in documents])
    assert root == merkle(documents)
    for i, document in enumerate(documents):
        assert paths[i] == path(i, documents)
        assert root_from_path(leaf_hash(document), i, size, paths[i]) == root


def test_known_root() -> None:
    """The first three leaves of the test tree of Certificate Transparency: "", 0x00, 0x10."""
    root, _ = tree([leaf_hash(leaf) for leaf in (b"", b"\x00", b"\x10")])
    assert root.hex() == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"


@given(st.integers(1, 40), st.data())
def test_a_proof_fits_one_place_only(size: int, data: st.DataObject) -> None:
    documents = [b"%d" % i for i in range(size)]
    root, paths = tree([leaf_hash(document) for document in documents])
    i = data.draw(st.integers(0, size - 1))
    index, claimed = data.draw(st.integers(-1, size + 2)), data.draw(st.integers(0, size + 2))
    if index != i and claimed == size:
        assert root_from_path(leaf_hash(documents[i]), index, claimed, paths[i]) != root
    assert root_from_path(leaf_hash(b"another"), i, size, paths[i]) != root


class Counting:
    """A signer that counts, as the key service does."""

    def __init__(self) -> None:
        self.calls = 0
        self.kid = w.SIGNING.kid

    def sign(self, message: bytes) -> bytes:
        self.calls += 1
        return w.SIGNING.sign(message)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 64, 1000])
def test_a_batch_takes_one_signature(count: int) -> None:
    signer = Counting()
    documents = [canonical({"type": "licence", "n": n}) for n in range(count)]
    signatures = sign_documents(documents, signer, iss=w.TENANT, iat=w.NOW)
    assert (len(signatures), signer.calls) == (count, min(count, 1))
    for n in range(0, count, 99):
        verified = verify_document(documents[n], signatures[n], KEYS, expected_type="licence", iss=w.TENANT, now=w.NOW)
        assert verified == {"type": "licence", "n": n}


def test_a_tree_head_from_ahead_is_refused_where_the_clock_is_good() -> None:
    document = canonical({"type": "licence"})
    signature = sign_documents([document], w.SIGNING, iss=w.TENANT, iat=w.NOW + timedelta(hours=25))[0]
    with pytest.raises(ContentError) as refused:
        verify_document(document, signature, KEYS, expected_type="licence", iss=w.TENANT, now=w.NOW)
    assert refused.value.code == "signature-in-future"
    verify_document(document, signature, KEYS, expected_type="licence", iss=w.TENANT)


def test_one_type_of_document_is_no_other() -> None:
    document = canonical({"type": "licence"})
    signature = sign_documents([document], w.SIGNING, iss=w.TENANT, iat=w.NOW)[0]
    with pytest.raises(ContentError) as refused:
        verify_document(document, signature, KEYS, expected_type="manifest", iss=w.TENANT)
    assert refused.value.code == "document-type"


def test_random_nonces_verify_as_well() -> None:
    document = canonical({"type": "licence"})
    signature = sign_documents([document], LocalSigner(w.SIGNING.key), iss=w.TENANT, iat=w.NOW)[0]
    verify_document(document, signature, KEYS, expected_type="licence", iss=w.TENANT)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["index", "size", "path"]), inner),
    max_leaves=6,
)


@settings(max_examples=80)
@given(st.dictionaries(st.sampled_from(["tree_head", "proof", "x"]), ANY_JSON) | ANY_JSON)
def test_any_json_as_signature_is_refused_by_name(signature: object) -> None:
    with pytest.raises(ContentError):
        verify_document(b'{"type":"licence"}', signature, KEYS, expected_type="licence", iss=w.TENANT)  # type: ignore[arg-type]
