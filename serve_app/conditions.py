"""Conditional requests (RFC 9110, 13): what a caller has already is not sent again, what it has not seen is not changed."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from content.canonical import canonical, digest
from content.errors import ContentError

UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "The caller has it already."}}
"""For `responses=` of a route that answers `If-None-Match`."""


def etag_of(value: Any) -> str:
    """A strong ETag of a JSON value."""
    return f'"{digest(canonical(value)).removeprefix("sha256:")[:32]}"'


def not_modified(request: Request, headers: dict[str, str]) -> Response | None:
    """The 304 for who has just this representation, else None. `headers` hold its `ETag`."""
    if _tags(request, "if-none-match") & {headers["ETag"], "*"}:
        return Response(status_code=304, headers=headers)
    return None


def require_match(request: Request, etag: str) -> None:
    """Raises `precondition-required` without `If-Match`, `precondition-failed` where it names another state."""
    if "if-match" not in request.headers:
        raise ContentError(
            "precondition-required", "A change must say what it changes.", "Send the ETag of your copy in If-Match."
        )
    # A weak tag never matches here (RFC 9110, 13.1.1).
    if not set(_raw(request, "if-match")) & {etag, "*"}:
        raise ContentError("precondition-failed", "This was changed meanwhile.", "Read it again, then change it.")


def _tags(request: Request, header: str) -> set[str]:
    return {tag.removeprefix("W/") for tag in _raw(request, header)}


def _raw(request: Request, header: str) -> list[str]:
    return [tag.strip() for line in request.headers.getlist(header) for tag in line.split(",")]
