"""Bytes changed, cut, doubled and spliced anywhere in what a device receives: a named error, or the original."""

import copy
import json
import re
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from content.errors import ContentError
from content.jwk import b64, unb64
from tests.vectors import world as w
from tests.vectors.world import Case, World, opened

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "bundle-format.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", DOCUMENT)) | {
    f"{kind}-{end}"
    for kind in ("licence", "index", "trust-list", "revocations", "manifest", "signature", "document")
    for end in ("malformed", "too-large")
}
HONEST = World().case()
OTHER = World(device=w.TABLET, reader=w.TABLET, content_key=w.OLD_KEY, licence={"issue": 3}).case()
ORIGINAL = opened(HONEST)[1]
PATH = next(iter(HONEST["parts"]))


def text_of(case: Case, place: str) -> bytes:
    if place == "part":
        return unb64(case["parts"][PATH])
    value = case[place]
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def put(case: Case, place: str, data: bytes) -> Case | None:
    """The case with these bytes in that place; None where they do not even get as far as the reader."""
    case = copy.copy(case)
    if place == "part":
        return {**case, "parts": {PATH: b64(data)}}
    try:
        text = data.decode("utf-8")
        return {**case, place: text if isinstance(case[place], str) else json.loads(text)}
    except ValueError:
        return None


PLACES = ["licence", "signature", "index", "chain", "revocations", "revocations_signature", "part"]


@st.composite
def tampered(draw: st.DrawFn) -> tuple[str, bytes]:
    place = draw(st.sampled_from(PLACES))
    data, other = text_of(HONEST, place), text_of(OTHER, place)
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 40)))
    there = draw(st.integers(0, len(other)))
    how = draw(st.sampled_from(["flip", "cut", "double", "splice", "insert", "end", "digit"]))
    if how == "flip" and start < len(data):
        return place, data[:start] + bytes([data[start] ^ (1 << draw(st.integers(0, 7)))]) + data[start + 1 :]
    if how == "digit" and start < len(data):
        return place, data[:start] + draw(st.sampled_from([b"0", b"9", b"a", b'"', b"-", b"true"])) + data[start + 1 :]
    if how == "cut":
        return place, data[:start] + data[end:]
    if how == "double":
        return place, data[:end] + data[start:]
    if how == "splice":
        return place, data[:start] + other[there:]
    if how == "insert":
        return place, data[:start] + draw(st.binary(max_size=8)) + data[start:]
    return place, data[:start]


@settings(max_examples=500)
@given(tampered())
@example(("signature", text_of(OTHER, "signature")))
@example(("licence", text_of(OTHER, "licence")))
@example(("index", text_of(OTHER, "index")))
@example(("part", text_of(OTHER, "part")))
def test_tampered_bytes_give_a_named_error_or_the_original(change: tuple[str, bytes]) -> None:
    case = put(HONEST, *change)
    if case is None:
        return
    try:
        plaintexts = opened(case)[1]
    except ContentError as refused:
        assert refused.code in NAMED, refused.code
    else:
        assert plaintexts == ORIGINAL


@settings(max_examples=120)
@given(st.sets(st.sampled_from([*PLACES, "device"]), min_size=1, max_size=7))
def test_mixed_bundles_are_refused(places: set[str]) -> None:
    """Documents of two devices' bundles mixed in all ways."""
    mixed: dict[str, Any] = {**HONEST}
    for place in places:
        if place == "part":
            mixed["parts"] = {**HONEST["parts"], PATH: OTHER["parts"][PATH]}
        else:
            mixed[place] = OTHER[place]
    try:
        plaintexts = opened(mixed)[1]
    except ContentError as refused:
        assert refused.code in NAMED
    else:
        # One tenant's lists serve all its devices; all else must be of one bundle and its device.
        own = places - {"chain", "revocations", "revocations_signature"}
        assert own in (set(), {"licence", "signature", "index", "part", "device"})
        assert plaintexts == ORIGINAL


VALUES = (
    st.none() | st.booleans() | st.integers(-2, 2**54) | st.text(max_size=3) | st.floats(allow_nan=False) | st.just([])
)


@st.composite
def edits(draw: st.DrawFn) -> Any:
    """A change to some member, at some depth, of a document before it is signed."""
    value, steps, drop = draw(VALUES), draw(st.lists(st.integers(0, 20), min_size=1, max_size=3)), draw(st.booleans())

    def edit(members: Any) -> None:
        for step in steps:
            names = sorted(members) if isinstance(members, dict) else list(range(len(members)))
            if not names:
                return
            name = names[step % len(names)]
            if step is steps[-1] or not isinstance(members[name], dict | list):
                break
            members = members[name]
        if drop:
            del members[name]
        else:
            members[name] = value

    return edit


@settings(max_examples=120)
@given(edits(), st.sampled_from(["edit_index", "edit_licence"]))
def test_signed_nonsense_is_refused_by_name(edit: Any, where: str) -> None:
    """Even what the tenant's key has signed is checked: a fault of ours must not become one of the device."""
    try:
        case = World(**{where: edit}).case()
    except ContentError as cannot_be_written:
        assert cannot_be_written.code == "not-canonical"
        return
    try:
        plaintexts = opened(case)[1]
    except ContentError as refused:
        assert refused.code in NAMED, refused.code
    else:
        assert plaintexts == ORIGINAL
