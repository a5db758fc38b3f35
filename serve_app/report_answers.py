"""A report as an answer: JSON for programs, or the same as a page for an author; not sent again to who has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from serve_app.conditions import etag_of, not_modified
from serve_app.static import PAGE_POLICY

PAGE: dict[str, Any] = {"text/html": {"schema": {"type": "string"}}}
"""For `content` of a route that answers with a page, too."""


def report_answer(request: Request, found: BaseModel, page: Callable[[Any], str], *, html: bool) -> Response:
    """`page` makes the page of the report's JSON."""
    told = found.model_dump(mode="json")
    headers = {"ETag": etag_of([told, html]), "Cache-Control": "private, no-cache", "Vary": "Accept"}
    if (same := not_modified(request, headers)) is not None:
        return same
    if html:
        headers["Content-Security-Policy"] = PAGE_POLICY
        return HTMLResponse(page(told), headers=headers)
    return Response(found.model_dump_json(), media_type="application/json", headers=headers)
