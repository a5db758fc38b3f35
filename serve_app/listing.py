"""Lists by key, never by offset: one statement per list, made of its order and of the filters that are given.

A cursor is the sort key of the last row, bound to the list and its filters, opaque to the caller. Rows inserted meanwhile
never make a page repeat or skip what was there. A filter that is not given does not stand in the statement at all, so
that Postgres takes the filter's index; tests ask `EXPLAIN` of every list of `LISTINGS` with each of its filters.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Query, Request, Response

from cluster.database import Transaction, fetch_all
from content.errors import ContentError

Limit = Annotated[int, Query(ge=1, le=200, description="Rows per page.", examples=[50])]
Cursor = Annotated[
    str | None, Query(max_length=600, description="`next` of the page before; it goes with its filters.")
]
Key = str | int | datetime
LISTINGS: list[Listing] = []


@dataclass(frozen=True)
class Asked:
    """What a caller asked of a list, and where the answer's headers go."""

    request: Request
    response: Response
    limit: int
    cursor: str | None


async def asked(request: Request, response: Response, limit: Limit = 50, cursor: Cursor = None) -> Asked:
    return Asked(request, response, limit, cursor)


Paging = Annotated[Asked, Depends(asked)]


class Order(NamedTuple):
    """A column that a list is sorted by; `name` is its name in a row."""

    column: str
    name: str
    kind: type[str] | type[int] | type[datetime]


class Listing:
    """A list of the API: its rows, its filters (parameter → condition), its order, whose last column is unique."""

    def __init__(
        self,
        name: str,
        select: str,
        *,
        order: tuple[Order, ...],
        filters: Mapping[str, str] | None = None,
        descending: bool = True,
    ) -> None:
        self.name, self.select, self.order = name, select, order
        self.filters, self.descending = dict(filters or {}), descending
        LISTINGS.append(self)

    def statement(self, given: Collection[str], *, after: bool) -> str:
        """The SQL of a page with these filters; `after` when a cursor is given."""
        columns = [order.column for order in self.order]
        conditions = [self.filters[name] for name in self.filters if name in given]
        if after:
            keys = ", ".join(f"%(after_{number})s" for number in range(len(columns)))
            conditions.append(f"({', '.join(columns)}) {'<' if self.descending else '>'} ({keys})")
        where = f" where {' and '.join(conditions)}" if conditions else ""
        direction = " desc" if self.descending else ""
        by = ", ".join(column + direction for column in columns)
        return f"{self.select}{where} order by {by} limit %(limit)s"

    async def page(self, tx: Transaction, asked: Asked, **filters: Any) -> dict[str, Any]:
        """`{"items", "next"}`, with the header `Link`. Filters that are None are not given.

        Raises ContentError `cursor-invalid` for a cursor of another list or of other filters.
        """
        given = {name: value for name, value in filters.items() if value is not None}
        after = self._decode(asked.cursor, given)
        keys = {f"after_{number}": value for number, value in enumerate(after or ())}
        rows = await fetch_all(
            tx, self.statement(given, after=after is not None), {**given, **keys, "limit": asked.limit + 1}
        )
        return self.cut(asked, rows, given)

    def cut(self, asked: Asked, rows: list[dict[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
        """The page of rows of which there is one more than asked for where another page follows."""
        items, following = rows[: asked.limit], None
        url = asked.request.url.remove_query_params("cursor").include_query_params(limit=asked.limit)
        links = [f'<{url.path}?{url.query}>; rel="first"']
        if len(rows) > asked.limit:
            following = self._encode([items[-1][order.name] for order in self.order], given)
            url = url.include_query_params(cursor=following)
            links.append(f'<{url.path}?{url.query}>; rel="next"')
        asked.response.headers["Link"] = ", ".join(links)
        return {"items": items, "next": following}

    def after(self, asked: Asked, **filters: Any) -> tuple[Key, ...] | None:
        """The key that a cursor stands for, for a list that is not a statement."""
        return self._decode(asked.cursor, {name: value for name, value in filters.items() if value is not None})

    def _encode(self, key: list[Key], given: Mapping[str, Any]) -> str:
        text = json.dumps([self._bound(given), *(_text(value) for value in key)])
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    def _decode(self, cursor: str | None, given: Mapping[str, Any]) -> tuple[Key, ...] | None:
        if cursor is None:
            return None
        try:
            bound, *key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            if bound == self._bound(given):
                return tuple(_value(order.kind, text) for order, text in zip(self.order, key, strict=True))
        except (ValueError, TypeError, OverflowError):
            pass
        raise ContentError(
            "cursor-invalid", "This cursor is not one of this list with these filters.", "Begin again without a cursor."
        )

    def _bound(self, given: Mapping[str, Any]) -> str:
        named = json.dumps([self.name, sorted((name, _text(value)) for name, value in given.items())])
        return hashlib.sha256(named.encode()).hexdigest()[:12]


def _text(value: Any) -> str:
    """A key in a cursor: times in UTC with all their microseconds."""
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _value(kind: type[Any], text: Any) -> Key:
    if not isinstance(text, str) or "\0" in text:
        raise ValueError
    if kind is datetime:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)
    if kind is int:
        number = int(text)
        if not 0 <= number < 2**31:
            raise ValueError
        return number
    return text
