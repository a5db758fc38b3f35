"""Lists by key, never by offset: a cursor is the last row's sort key, opaque to the caller; `Link` names the next page."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

from fastapi import Query, Response
from starlette.requests import Request

from content.errors import ContentError

Limit = Annotated[int, Query(ge=1, le=200, description="rows per page")]
Cursor = Annotated[str | None, Query(max_length=400, description="from the Link header of the page before")]


def decode(cursor: str | None, count: int) -> list[str] | None:
    """The sort key in a cursor. Raises ContentError `cursor-invalid`."""
    if cursor is None:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if isinstance(key, list) and len(key) == count and all(isinstance(entry, str) for entry in key):
            return key
    except ValueError:
        pass
    raise ContentError("cursor-invalid", "This cursor is not one of ours.", "Begin again without a cursor.")


def page(request: Request, response: Response, rows: list[dict[str, Any]], limit: int, *key: str) -> dict[str, Any]:
    """`{"items", "next"}` of a query that asked for `limit` + 1 rows sorted by `key`."""
    items, more = rows[:limit], len(rows) > limit
    following = None
    if more:
        text = json.dumps([str(items[-1][name]) for name in key]).encode()
        following = base64.urlsafe_b64encode(text).rstrip(b"=").decode()
        url = request.url.include_query_params(cursor=following, limit=limit)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return {"items": items, "next": following}
