"""How an operation is taken out of use: it says so in every answer, for at least a year (docs/api-policy.md).

`@router.get("/old", dependencies=[deprecated(since, sunset, "/docs#new")])` adds `Deprecation` (RFC 9745), `Sunset`
(RFC 8594) and a `Link`, and marks the operation in the OpenAPI document.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from fastapi import Depends, Request

from serve_app.requests import add_header

MARK = "deprecated_operation"
LEAST = timedelta(days=365)


def deprecated(since: datetime, sunset: datetime, instead: str) -> Any:
    """The dependency of a deprecated route. Raises ValueError where callers have less than a year; times are in UTC."""
    if sunset - since < LEAST:
        raise ValueError("an operation goes on working for at least 365 days after it was deprecated")
    fields = {
        "Deprecation": f"@{int(since.timestamp())}",
        "Sunset": format_datetime(sunset, usegmt=True),
        "Link": f'<{instead}>; rel="deprecation"',
    }

    async def tell(request: Request) -> None:
        for name, value in fields.items():
            add_header(request.scope, name, value)

    setattr(tell, MARK, True)
    return Depends(tell)
