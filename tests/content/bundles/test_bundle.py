"""Making a bundle: parts, index, licence, keys, limits, and what a reader remembers."""

import inspect
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content import errors
from content.bundles.errors import BundleRefused
from content.bundles.index import Index, media_class
from content.bundles.keys import ContentKey, associated_data, content_key_id, file_id, unwrap, wrap_for_device
from content.bundles.licence import Licence, Sequence
from content.bundles.lists import accept_lists
from content.bundles.open import open_bundle
from content.bundles.part import PartSealer
from content.bundles.state import ReaderState
from content.canonical import digest
from content.devices.identity import DeviceIdentity, DeviceRefused
from content.documents import DocumentRefused, parse_document
from content.errors import ContentError
from content.jose import JoseRefused, LocalSigner
from content.jwk import JwkRefused
from content.signatures import SignatureRefused
from content.trust.chain import TrustState, follow_chain, verify_chain
from content.trust.keys import TrustedKeys, TrustRefused
from content.trust.lists import TrustList, make_trust_list
from content.trust.revocations import RevocationList
from tests.vectors import world as w
from tests.vectors.world import BUNDLE, KEY, NOW, PHONE, World, opened, seal, seeded

PATH = f"{BUNDLE}/a1/0.part"


def refusal(code: str):
    return pytest.raises(ContentError, check=lambda error: error.code == code)


# --- errors ---------------------------------------------------------------------------------------------------------


def test_every_error_class_pickles() -> None:
    classes = [BundleRefused, DeviceRefused, DocumentRefused, JoseRefused, JwkRefused, SignatureRefused, TrustRefused]
    for name in ("bundles", "devices", "trust", "."):
        for file in sorted((Path(errors.__file__).parent / name).glob("*.py")):
            text = file.read_text(encoding="utf-8")
            for line in text.splitlines():
                if line.startswith("class ") and "(ContentError)" in line and name != ".":
                    assert line.split()[1].split("(")[0] in {found.__name__ for found in classes}
    for found in classes:
        error = found("some-code", "What happened.", "What to do.", True)
        copied = pickle.loads(pickle.dumps(error))
        assert type(copied) is found
        assert (copied.code, copied.message, copied.remedy, copied.retryable) == (
            "some-code", "What happened.", "What to do.", True
        )  # fmt: skip


# --- keys -----------------------------------------------------------------------------------------------------------


def test_a_key_travels_to_its_device_only() -> None:
    jwe = wrap_for_device(KEY, PHONE.encryption_jwk, seeded("x"))
    assert unwrap(jwe, PHONE.encryption) == KEY
    with refusal("jwe-decrypt"):
        unwrap(jwe, w.TABLET.encryption)


def test_the_key_is_in_no_repr() -> None:
    assert str(KEY.key) not in repr(KEY)
    assert "private" not in repr(PHONE).lower()


def test_file_ids_are_stable_and_depend_on_the_key() -> None:
    assert file_id(KEY, digest(b"a")) == file_id(ContentKey("other", KEY.key), digest(b"a"))
    assert len({file_id(KEY, digest(b"a")), file_id(KEY, digest(b"b")), file_id(w.OLD_KEY, digest(b"a"))}) == 3
    assert associated_data("k", "f") == b"content-bundle/1|k|f"
    with refusal("file-digest"):
        file_id(KEY, "a" * 64)


def test_key_ids_name_their_four_parts() -> None:
    parts = [("t", "p", "s", 1), ("t", "p", "s", 2), ("t", "p", "s2", 1), ("t", "p2", "s", 1), ("t2", "p", "s", 1)]
    assert len({content_key_id(*each) for each in parts}) == 5
    for kid, key in (("k|", bytes(32)), ("k", bytes(31)), ("", bytes(32))):
        with refusal("content-key"):
            ContentKey(kid, key)


# --- parts and index ------------------------------------------------------------------------------------------------


def test_a_part_sealer_wants_its_steps_in_order() -> None:
    sealer = PartSealer(KEY, PATH)
    with refusal("file-unfinished"):
        sealer.part_entry()
    with refusal("media-class"):
        sealer.begin(digest(b""), 0, "pdf")
    file = sealer.begin(digest(b""), 0, "other")
    for early in (sealer.finish_file, sealer.part_entry, lambda: sealer.begin(digest(b"b"), 1, "other")):
        with refusal("file-unfinished"):
            early()
    file.seal(b"")
    assert sealer.finish_file().sealed_size == sealer.part_entry().size == 56
    with refusal("file-repeated"):
        sealer.begin(digest(b""), 0, "other")
    with refusal("file-unfinished"):
        sealer.finish_file()


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=6, unique=True))
def test_an_index_says_where_everything_is(contents: list[bytes]) -> None:
    sealer, part = seal(KEY, [(data, "other") for data in contents], PATH)
    index = Index(sealer.file_entries(), (sealer.part_entry(),))
    assert Index.parse(index.to_bytes()) == index
    assert index.parts[0].size == len(part) == sum(file.sealed_size for file in index.files)


def test_an_index_of_an_old_part_may_have_gaps() -> None:
    sealer, _ = seal(KEY, w.FILES, PATH)
    index = Index(sealer.file_entries()[1:3], (sealer.part_entry(),))
    assert Index.parse(index.to_bytes()).files == sealer.file_entries()[1:3]


def test_an_index_that_no_reader_takes_is_not_written() -> None:
    sealer, _ = seal(KEY, w.FILES, PATH)
    files = sealer.file_entries()
    with refusal("index-file-repeated"):
        Index((*files, files[0]), (sealer.part_entry(),)).to_bytes()
    with refusal("part-digest"):
        Index(files, (replace(sealer.part_entry(), digest=digest(b"")),)).to_bytes()


@pytest.mark.parametrize(
    ("media_type", "found"),
    [("image/webp", "image"), ("video/mp4", "video"), ("audio/mp4", "audio"), ("text/vtt", "text"),
     ("application/pdf", "other"), ("manifest/x", "other"), ("", "other")],
)  # fmt: skip
def test_media_classes(media_type: str, found: str) -> None:
    assert media_class(media_type) == found


# --- licence --------------------------------------------------------------------------------------------------------


def honest_licence() -> Licence:
    return World().make_licence(World().index()[0])


def test_a_licence_is_small_however_large_the_course() -> None:
    """The longest values that each member may have, with two keys."""
    kids = [content_key_id(w.TENANT, w.PACKAGE, PHONE.id, epoch) for epoch in (2**31, 2**31 + 1)]
    licence = replace(
        honest_licence(),
        tenant="t" * 39,
        issue=10**6,
        version=10**6,
        sequence=Sequence(10**6, 10**6, 10**9),
        min_revocations=(10**6, 10**9),
        keys={kid: wrap_for_device(ContentKey(kid, bytes(32)), PHONE.encryption_jwk, seeded(kid)) for kid in kids},
    )
    assert len(licence.to_bytes()) < 2048
    assert Licence.parse(licence.to_bytes()) == licence


def test_sequences_compare_the_epoch_first() -> None:
    assert Sequence(1, 9, 9) < Sequence(2, 1, 0) < Sequence(2, 1, 1) < Sequence(2, 2, 0)


# --- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("parse", "limit"), [(Licence.parse, 16 << 10), (TrustList.parse, 64 << 10)])
def test_too_large_is_refused_before_it_is_parsed(parse, limit: int) -> None:
    with pytest.raises(DocumentRefused) as refused:
        parse(b"[" * (limit + 1))
    assert refused.value.code.endswith("-too-large")


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"1", b'{"a":NaN}', b'{"a":1e999}', b'{"a":1,"a":1}', b'{"a":"\xff"}', b'{"a":"\\ud800"}', b"\xef\xbb\xbf{}",
     b'{"a":' + b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}", b'{"a":1.0}', b'{"a": 1}', b'{"b":1,"a":1}', b"{}\n"],
)  # fmt: skip
def test_other_bytes_than_the_canonical_ones_are_refused(data: bytes) -> None:
    with pytest.raises(DocumentRefused) as refused:
        parse_document(data, "licence", 1 << 20)
    assert refused.value.code in ("licence-malformed", "document-not-canonical")


# --- trust ----------------------------------------------------------------------------------------------------------

TWO = w.ROOTS[:2]


def chain(count: int) -> list[dict]:
    return [make_trust_list(w.trust_list(version), TWO) for version in range(1, count + 1)]


def test_a_device_versions_behind_catches_up() -> None:
    links = chain(6)
    known = follow_chain(links[:2], pinned_root=None, known=None)
    for rest in (links, links[1:], links[2:]):
        assert follow_chain(rest, pinned_root=None, known=known).version == 6
    with refusal("trust-chain-gap"):
        follow_chain(links[3:], pinned_root=None, known=known)
    assert follow_chain([], pinned_root=None, known=known) == known


def test_a_chain_is_whole_and_one_tenants() -> None:
    links = chain(5)
    known = follow_chain(links, pinned_root=None, known=None)
    with refusal("trust-chain-gap"):
        follow_chain([links[0], links[2], links[3], links[4]], pinned_root=None, known=known)
    stranger = make_trust_list(w.trust_list(2, iss="lake-school"), TWO)
    with refusal("trust-issuer"):
        follow_chain([links[0], stranger], pinned_root=None, known=None)
    with refusal("trust-issuer"):
        follow_chain([], pinned_root=None, known=known, iss="lake-school")


def test_expiry_counts_for_the_last_list_only() -> None:
    links = [make_trust_list(w.trust_list(1, expires=NOW - w.DAY), TWO), make_trust_list(w.trust_list(2), TWO)]
    assert verify_chain(links, pinned_root=None, known=None, now=NOW).version == 2
    with refusal("trust-expired"):
        verify_chain(links[:1], pinned_root=None, known=None, now=NOW)
    assert verify_chain(links[:1], pinned_root=None, known=None, now=NOW, grace_s=24 * 3600).version == 1


def test_a_chain_has_a_limit() -> None:
    with refusal("trust-chain-too-long"):
        follow_chain(chain(1) * 1025, pinned_root=None, known=None)


def test_lists_round_trip() -> None:
    assert TrustList.parse(w.trust_list().to_bytes()).to_bytes() == w.trust_list().to_bytes()
    revoked = w.revocations(bundles=("b", "a"), devices=(PHONE.id,), packages=("p",))
    assert RevocationList.parse(revoked.to_bytes()) == replace(revoked, bundles=("a", "b"))


def test_keys_revoked_by_either_list_are_revoked() -> None:
    keys = TrustedKeys((w.key_of(w.SIGNING),))
    assert keys.find(w.SIGNING.kid, NOW) is not None
    with refusal("kid-revoked"):
        keys.without([w.SIGNING.kid]).find(w.SIGNING.kid, NOW)


# --- opening --------------------------------------------------------------------------------------------------------


def test_state_round_trips_and_moves_on() -> None:
    bundle, _ = opened(World().case())
    state = bundle.state
    assert ReaderState.parse(state.to_bytes()) == state
    assert (state.trust.version, state.revocations, state.clock_floor) == (1, (1, 4), NOW - w.DAY)
    assert state.packages[w.PACKAGE].sequence == (1, 3, 7)
    assert ReaderState.parse(ReaderState().to_bytes()) == ReaderState()


def test_the_devices_clock_never_raises_the_floor() -> None:
    far = opened(replace(World(), now=NOW + 40 * w.DAY).case())[0].state.clock_floor
    assert far == opened(World().case())[0].state.clock_floor


def test_state_after_the_lists_is_kept_when_the_bundle_is_refused() -> None:
    """The holder of a revoked bundle shows the old list again: saved after step 3, the new one outranks it."""
    revoked = w.arguments(replace(World(), revoked=w.revocations(version=(1, 5), bundles=(BUNDLE,))).case())
    with refusal("bundle-revoked"):
        open_bundle(**revoked)
    lists = accept_lists(
        revoked["state"], revoked["chain"], revoked["revocations"], revoked["revocations_signature"],
        tenant=w.TENANT, now=NOW,
    )  # fmt: skip
    with refusal("revocations-rollback"):
        opened(replace(World(), state=lists.state).case())


def test_a_bundle_of_many_segments_is_read_segment_by_segment() -> None:
    film = w.pattern((2 << 20) + 77)
    world = replace(World(), files=(*w.FILES, (film, "video")))
    arguments = w.arguments(world.case())
    asked: list[int] = []
    inner = arguments["read_range"]

    def read_range(path: str, offset: int, length: int) -> bytes:
        asked.append(length)
        return inner(path, offset, length)

    bundle = open_bundle(**{**arguments, "read_range": read_range})
    blocks = bundle.read(digest(film))
    first = next(blocks)
    assert (len(first), asked) == ((1 << 20) - 56, [1 << 20])
    assert first + b"".join(blocks) == film
    assert len(asked) == 3
    assert [file.media for file in bundle.verify()] == ["manifest", "image", "text", "other", "video"]


def test_bytes_after_the_part_are_harmless() -> None:
    assert opened(replace(World(), edit_part=lambda data: data + b"trailing").case())[1]


def test_a_shared_index_serves_two_devices() -> None:
    """Policy `shared`: one content key, one index, one part; a licence for each device."""
    phone, tablet = World().case(), replace(World(), device=w.TABLET, reader=w.TABLET).case()
    assert (phone["index"], phone["parts"]) == (tablet["index"], tablet["parts"])
    assert opened(phone)[1] == opened(tablet)[1]
    with refusal("licence-device"):
        opened({**phone, "device": tablet["device"]})


def test_nothing_in_the_index_names_a_plaintext() -> None:
    index = World().index()[0].decode()
    for data, _ in w.FILES:
        assert digest(data).removeprefix("sha256:") not in index
    assert "Birds" not in index


def test_signers_and_states_are_plain_values() -> None:
    state = opened(World().case())[0].state
    assert pickle.loads(pickle.dumps(state)) == state
    assert isinstance(state.trust, TrustState)
    assert inspect.signature(LocalSigner.sign).return_annotation == "bytes"
    assert DeviceIdentity.from_secret(PHONE.to_secret()).id == PHONE.id
