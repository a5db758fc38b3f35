"""Cursors: bound to their list and filters, exact to the microsecond, and never an error of ours."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from fastapi import Response
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from content.errors import ContentError
from serve_app.listing import LISTINGS, Asked, Listing, Order


def listing(name: str = "things") -> Listing:
    made = Listing(
        name,
        "select at, id from things",
        filters={"state": "state = %(state)s", "owner": "owner = %(owner)s"},
        order=(Order("at", "at", datetime), Order("id", "id", str)),
    )
    LISTINGS.remove(made)
    return made


THINGS = listing()
MOMENT = datetime(2026, 11, 24, 6, 0, 0, 123456, tzinfo=UTC)


def asked(limit: int = 2, cursor: str | None = None, query: str = "") -> Asked:
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": "/v1/things", "query_string": query.encode(), "headers": [],
        "server": ("api", 80), "scheme": "http",
    }  # fmt: skip
    return Asked(Request(scope), Response(), limit, cursor)


def rows(count: int) -> list[dict[str, Any]]:
    return [{"at": MOMENT - timedelta(microseconds=number), "id": f"id-{number}"} for number in range(count)]


def test_only_what_is_asked_for_stands_in_the_statement() -> None:
    assert THINGS.statement((), after=False) == "select at, id from things order by at desc, id desc limit %(limit)s"
    assert THINGS.statement({"owner"}, after=True) == (
        "select at, id from things where owner = %(owner)s and (at, id) < (%(after_0)s, %(after_1)s)"
        " order by at desc, id desc limit %(limit)s"
    )


def test_links_lead_to_the_first_page_and_to_the_next() -> None:
    first = asked(query="limit=2&state=new&cursor=old")
    page = THINGS.cut(first, rows(3), {"state": "new"})
    assert [row["id"] for row in page["items"]] == ["id-0", "id-1"]
    link = first.response.headers["link"]
    assert link.startswith('</v1/things?state=new&limit=2>; rel="first", <')
    assert f'cursor={page["next"]}>; rel="next"' in link
    last = asked()
    assert THINGS.cut(last, rows(2), {})["next"] is None
    assert "next" not in last.response.headers["link"]


@given(
    st.datetimes(
        # A day from either end: not every moment there has one in UTC.
        datetime.fromisoformat("0001-01-02"),
        datetime.fromisoformat("9999-12-30"),
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=9))]),
    ),
    st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=60),
)
def test_a_cursor_gives_the_very_key_it_was_made_of(moment: datetime, name: str) -> None:
    last = [{"at": moment, "id": name}, {"at": moment, "id": "more"}]
    cursor = THINGS.cut(asked(limit=1), last, {})["next"]
    assert THINGS.after(asked(cursor=cursor)) == (moment, name)


def test_a_cursor_of_another_list_or_filter_is_refused() -> None:
    cursor = THINGS.cut(asked(), rows(3), {"state": "new"})["next"]
    assert THINGS.after(asked(cursor=cursor), state="new", owner=None) is not None
    for other, given_ in ((THINGS, {}), (THINGS, {"state": "old"}), (listing("others"), {"state": "new"})):
        with pytest.raises(ContentError) as refused:
            other.after(asked(cursor=cursor), **given_)
        assert refused.value.code == "cursor-invalid"


def forged(*key: Any) -> str:
    good = THINGS.cut(asked(), rows(3), {})["next"]
    bound = json.loads(base64.urlsafe_b64decode(good + "=="))[0]
    return base64.urlsafe_b64encode(json.dumps([bound, *key]).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "", "zzz", "ä", "=" * 30, "W10", "bnVsbA", forged(), forged("2026-01-01T00:00:00", "x"), forged("never", "x"),
        forged("2026-01-01T00:00:00+00:00", "x\0"), forged("2026-01-01T00:00:00+00:00", 7),
        forged("9999-12-31T23:59:59-12:00", "x"), forged("2026-01-01T00:00:00+00:00", "x", "y"),
    ],
)  # fmt: skip
def test_a_cursor_that_was_made_up_is_refused(cursor: str) -> None:
    with pytest.raises(ContentError) as refused:
        THINGS.after(asked(cursor=cursor))
    assert refused.value.code == "cursor-invalid"


@given(st.text(max_size=200))
def test_no_cursor_breaks_anything(cursor: str) -> None:
    with pytest.raises(ContentError):
        THINGS.after(asked(cursor=cursor))
