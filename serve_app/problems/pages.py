"""A page for each problem: what `type` leads to, for people as HTML and for programs as JSON.

The HTML holds no script and no style of its own, so that its policy can forbid both.
"""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from content.errors import ContentError
from serve_app.auth import Public
from serve_app.problems import example, not_found, raises
from serve_app.problems.catalogue import CATALOGUE, ProblemType
from serve_app.static import PAGE_POLICY

router = APIRouter(prefix="/problems", tags=["problems"], dependencies=[Public])
FRESH = "public, max-age=3600"
OFFERS = ("application/json", "text/html")
_ROW = {
    "type": "object",
    "required": ["code", "type", "status", "title", "remedy", "retryable"],
    "properties": {
        "code": {"type": "string"},
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "remedy": {"type": "string"},
        "retryable": {"type": "boolean"},
        "example": {"$ref": "#/components/schemas/Problem"},
    },
}
_LIST = {"type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": _ROW}}}


def _shown(schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    page = {"application/json": {"schema": schema}, "text/html": {"schema": {"type": "string"}}}
    return {200: {"description": "as JSON or as a page, by `Accept`", "content": page}}


@router.get(
    "", summary="Every problem that the API answers with", responses={**_shown(_LIST), **raises("not-acceptable")}
)
async def list_problems(request: Request) -> Response:
    if preferred(request) == "application/json":
        return _json({"items": [_row(row) for row in CATALOGUE.values()]})
    rows = "".join(
        f'<tr><td>{row.status}</td><td><a href="{row.type}">{row.code}</a></td><td>{escape(row.title)}</td></tr>'
        for row in sorted(CATALOGUE.values(), key=lambda row: (row.status, row.code))
    )
    head = "<tr><th>status</th><th>code</th><th>what happened</th></tr>"
    intro = "<p>Errors are problem details (RFC 9457). A problem’s <code>type</code> leads to its row here.</p>"
    return _page("Problems", f"{intro}<table><thead>{head}</thead><tbody>{rows}</tbody></table>")


@router.get(
    "/{code}",
    summary="One problem: what it means and what to do",
    responses={**_shown(_ROW), **raises("not-found", "not-acceptable")},
)
async def show_problem(code: str, request: Request) -> Response:
    row = CATALOGUE.get(code)
    if row is None:
        raise not_found("problem")
    if preferred(request) == "application/json":
        return _json({**_row(row), "example": example(row)})
    again = (
        "The same request can succeed later." if row.retryable else "The same request will get the same answer again."
    )
    facts = (
        ("What to do", _marked(row.remedy)),
        ("HTTP status", str(row.status)),
        ("Trying again", again),
        ("Type", f"<code>{row.type}</code>"),
    )
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    back = '<p><a href="/problems">All problems</a></p>'
    return _page(row.title, f"<p><code>{row.code}</code></p><dl>{listed}</dl>{back}")


def preferred(request: Request) -> str:
    """The offer that `Accept` ranks highest; JSON among equals. Raises `not-acceptable`."""
    ranges = [_range(part) for part in request.headers.get("accept", "*/*").split(",") if part.strip()] or [
        ("*/*", 1.0)
    ]

    def quality(offer: str) -> float:
        fitting = dict(ranges)
        return fitting.get(offer, fitting.get(f"{offer.partition('/')[0]}/*", fitting.get("*/*", 0.0)))

    best = max(OFFERS, key=quality)
    if quality(best) <= 0:
        raise ContentError("not-acceptable", f"This is there as {' and '.join(OFFERS)}.", "Ask for one of them.")
    return best


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0


def _row(row: ProblemType) -> dict[str, Any]:
    return {
        "code": row.code, "type": row.type, "status": row.status, "title": row.title, "remedy": row.remedy,
        "retryable": row.retryable,
    }  # fmt: skip


def _json(value: dict[str, Any]) -> JSONResponse:
    return JSONResponse(value, headers={"Cache-Control": FRESH, "Vary": "Accept"})


def _page(title: str, body: str) -> HTMLResponse:
    document = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · content-service</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="/static/page.css"></head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>'
    )
    return HTMLResponse(
        document, headers={"Cache-Control": FRESH, "Vary": "Accept", "Content-Security-Policy": PAGE_POLICY}
    )


def _marked(text: str) -> str:
    """Escaped, with `code` spans."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if n % 2 else piece for n, piece in enumerate(pieces))
