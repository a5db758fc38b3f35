"""The event log as bytes: what is written is read again, what is wrong is refused, and the last change of a row wins."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.canonical import canonical, digest
from content.documents import DocumentRefused
from content.eventlog import (
    Base,
    LogRefused,
    Position,
    Segment,
    beyond,
    follow,
    latest,
    make_segment,
    parse_segment,
    whole,
)
from content.eventlog.changes import parse_line

AT = datetime(2026, 11, 27, 3, tzinfo=UTC)


def line(n: int, key: int = 1, value: Any = "x", **more: Any) -> bytes:
    row = None if value is None else {"tenant": "acme", "id": key, "what": value}
    change = {
        "n": n, "transaction": "700", "at": "2026-11-27T03:00:00+00:00", "tenant": "acme", "name": "bundles",
        "key": {"tenant": "acme", "id": key}, "value": row,
    }  # fmt: skip
    return json.dumps({**change, **more}).encode()


def segment(sequence: int = 1, previous: str = "", lines: tuple[bytes, ...] = (line(1),), **more: Any) -> bytes:
    told: dict[str, Any] = {"region": "eu", "epoch": 1, "base": None, "final": True, "closed_at": AT, **more}
    return make_segment(sequence=sequence, previous=previous, lines=lines, **told)


@given(st.lists(st.tuples(st.integers(0, 1 << 50), st.text(st.characters(exclude_categories=["Cs"]))), max_size=20))
def test_what_is_written_is_read_again(rows: list[tuple[int, str]]) -> None:
    lines = tuple(line(n, value=text) for n, text in rows)
    found = parse_segment(segment(lines=lines))
    assert tuple(found.lines()) == lines
    assert [(change.n, change.value and change.value["what"]) for change in found.parsed()] == rows


def test_the_same_changes_are_the_same_bytes() -> None:
    assert segment() == segment()


def _header(data: bytes, **changed: Any) -> bytes:
    end = data.index(b"\n")
    return canonical({**json.loads(data[:end]), **changed}) + data[end:]


WRONG: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no header": (lambda data: data.replace(b"\n", b" "), "event-log-header"),
    "a header without end": (lambda data: b"{" * 10_000, "event-log-header"),
    "not canonical": (lambda data: b" " + data, "document-not-canonical"),
    "another type": (lambda data: _header(data, type="licence"), "document-type"),
    "another shape": (lambda data: _header(data, shape=2), "document-shape"),
    "a member too many": (lambda data: _header(data, more=1), "event-log-malformed"),
    "no true or false": (lambda data: _header(data, final=1), "event-log-malformed"),
    "no digest": (lambda data: _header(data, previous="x"), "event-log-malformed"),
    "cut": (lambda data: data[:-1], "event-log-size"),
    "longer": (lambda data: data + b"x", "event-log-size"),
    "packed otherwise": (lambda data: data[:-4] + b"xxxx", "event-log-digest"),
    "changes of another": (lambda data: _header(data, digest=digest(b"")), "event-log-digest"),
    "another count": (lambda data: _header(data, changes=7), "event-log-digest"),
    "more than it says": (lambda data: _header(data, size=3), "event-log-size"),
    "beyond the limit": (lambda data: _header(data, size=1 << 40), "event-log-malformed"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused(name: str) -> None:
    spoil, code = WRONG[name]
    with pytest.raises(DocumentRefused) as refused:
        parse_segment(spoil(segment()))
    assert refused.value.code == code


def test_no_more_is_unpacked_than_is_announced() -> None:
    bomb = zlib.compress(b"0" * (200 << 20), 9)
    data = segment()
    packed = _header(data, packed=len(bomb), size=100)
    with pytest.raises(LogRefused, match="not as many bytes"):
        parse_segment(packed[: packed.index(b"\n") + 1] + bomb)


@pytest.mark.parametrize(
    "wrong",
    [
        b"[]",
        b"{}",
        b"{",
        line(1).replace(b'"n": 1', b'"n": true'),
        line(-1),
        line(1, key=1, tenant=""),
        line(1, more=1),
        line(1, name=3),
    ],
)
def test_a_line_that_is_no_change_is_refused(wrong: bytes) -> None:
    with pytest.raises(LogRefused) as refused:
        parse_line(wrong)
    assert refused.value.code == "event-log-line"


# -- the chain ------------------------------------------------------------------------------------------------------------


def _followed(*segments: bytes, at: Position | None = None) -> Position:
    place = at or Position(1)
    for data in segments:
        place = follow(place, parse_segment(data), digest(data), region="eu")
    return place


def test_a_chain_is_followed_to_its_end() -> None:
    first = segment()
    second = segment(2, digest(first), (line(2),))
    assert _followed(first, second) == Position(1, 2, digest(second))


def test_what_does_not_follow_is_refused() -> None:
    first, other = segment(), segment(lines=(line(9),))
    for wrong, code in (
        ((first, segment(3, digest(first))), "event-log-gap"),
        ((first, segment(2, digest(other))), "event-log-fork"),
        ((first, segment(2, digest(first), base=Base(1, 1, digest(other)))), "event-log-fork"),
        ((segment(region="us"),), "event-log-region"),
        ((first, segment(2, digest(first), epoch=2)), "event-log-gap"),
    ):
        with pytest.raises(LogRefused) as refused:
            _followed(*wrong)
        assert refused.value.code == code


def test_an_epoch_goes_on_where_the_one_before_was_left() -> None:
    first = segment()
    base = Base(1, 1, digest(first))
    after = segment(1, digest(first), epoch=2, base=base)
    assert _followed(after, at=Position(2)) == Position(2, 1, digest(after))
    with pytest.raises(LogRefused, match="does not follow"):
        _followed(segment(1, "", epoch=2, base=base), at=Position(2))


def test_which_segments_make_up_the_state() -> None:
    middle = Base(1, 5, digest(b""))
    assert whole({}, {}) == ()
    assert whole({1: None}, {1: 9}) == ((1, 9),)
    assert whole({1: None, 2: middle}, {1: 9, 2: 3}) == ((1, 5), (2, 3)), "what is behind the place is a dead branch"
    assert whole({1: None, 2: middle, 3: None}, {1: 9, 2: 3, 3: 1}) == ((3, 1),), "that one begins with everything"
    for ends in ({1: 4, 2: 3}, {2: 3}):
        with pytest.raises(LogRefused):
            whole({1: None, 2: middle}, ends)


def test_what_the_newest_epoch_makes_of_a_place() -> None:
    left, later = Base(1, 5, digest(b"")), Base(2, 3, digest(b""))
    bases = {2: left, 3: later}
    assert beyond(Position(1, 5), {}, {}) == (5, ())
    assert beyond(Position(1, 5), {}, {1: 7}) == (7, ())
    assert beyond(Position(1, 5), bases, {2: 4}) == (5, ((2, 4),))
    assert beyond(Position(1, 4), bases, {1: 9, 2: 4, 3: 1}) == (5, ((2, 3), (3, 1)))
    assert beyond(Position(1, 9), bases, {2: 4}) == (5, ((2, 4),)), "it has gone on beside"
    for at, ends in ((Position(1, 9), {4: 1}), (Position(2, 1), {4: 1}), (Position(1, 5), {2: 2, 3: 1})):
        with pytest.raises(LogRefused):
            beyond(at, {**bases, 4: None}, ends)


# -- which change counts ----------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 99), st.integers(1, 3), st.booleans()), unique_by=lambda c: c[:2]
    )
)
def test_the_last_change_of_a_row_wins_in_any_order(changes: list[tuple[int, int, int, bool]]) -> None:
    parsed = [
        (epoch, parse_line(line(n, key=key, value=None if gone else f"{epoch}.{n}"))) for epoch, n, key, gone in changes
    ]
    wanted: dict[int, str] = {}
    for epoch, n, key, gone in sorted(changes):
        wanted.pop(key, None)
        if not gone:
            wanted[key] = f"{epoch}.{n}"
    mixed = random.Random(len(parsed)).sample(parsed, len(parsed))
    for order in (parsed, parsed[::-1], mixed):
        found = latest(order)
        assert {change.key["id"]: change.value and change.value["what"] for change in found.values()} == wanted


def test_a_segment_says_whether_more_belongs_to_it() -> None:
    found: Segment = parse_segment(segment(final=False))
    assert not found.final
