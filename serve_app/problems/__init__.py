"""Every error of the API as RFC 9457 problem details, and the one place where errors get their HTTP status.

`ContentError`s travel up to here unchanged. `type`, `code`, `title` and `status` come from the catalogue and are the same
each time; `detail` says what happened this time, `remedy` what to do, `instance` is the request's id. An error of the
inside (a status of 500 or more) tells no detail: it is logged, and answered with what the catalogue says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from content.errors import ContentError, InvalidInput, WrongRegion
from content.rate import RateLimited
from serve_app.problems.catalogue import CATALOGUE, ProblemType
from serve_app.requests import request_id

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
HTTP_CODES = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large", 400: "json-malformed"}
log = structlog.get_logger()


def problem(
    code: str,
    detail: str = "",
    remedy: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    instance: str = "",
    **members: Any,
) -> JSONResponse:
    """The answer for a code of the catalogue; `headers` are added to those that its status asks for."""
    row = CATALOGUE[code]
    body: dict[str, Any] = {
        "type": row.type,
        "title": row.title,
        "status": row.status,
        "code": code,
        "detail": (detail if row.status < 500 else "") or f"{row.title}.",
        "remedy": (remedy if row.status < 500 else "") or row.remedy,
        "retryable": row.retryable,
        **({"instance": instance} if instance else {}),
        **members,
    }
    sent = dict(headers or {})
    if row.status in (429, 503) or row.retryable:
        sent.setdefault("Retry-After", str(RETRY_AFTER_S))
    if row.status == 401:
        sent.setdefault("WWW-Authenticate", "Bearer, DPoP")
    return JSONResponse(body, row.status, sent, media_type=MEDIA_TYPE)


def not_found(what: str) -> ContentError:
    """The one answer for what is not there and for what is another tenant's."""
    return ContentError("not-found", f"There is no such {what}.", "Check the id, and that the token is of its tenant.")


def raises(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The value for a route's `responses=`: the problems of its own, by status. What all routes share is added later."""
    found: dict[int | str, dict[str, Any]] = {}
    for row in sorted((CATALOGUE[code] for code in codes), key=lambda row: (row.status, row.code)):
        found[row.status] = documented([*found.get(row.status, {}).get("x-problems", []), row.code])
    return found


def documented(codes: list[str]) -> dict[str, Any]:
    """One response of the OpenAPI document for problems of the same status, with an example of each."""
    rows = [CATALOGUE[code] for code in codes]
    return {
        "description": HTTPStatus(rows[0].status).phrase + ": " + ", ".join(f"`{row.code}`" for row in rows),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {row.code: {"summary": row.title, "value": example(row)} for row in rows},
            }
        },
        "x-problems": codes,
    }


def example(row: ProblemType) -> dict[str, Any]:
    """What such a problem looks like."""
    return {
        "type": row.type,
        "title": row.title,
        "status": row.status,
        "code": row.code,
        "detail": f"{row.title}.",
        "remedy": row.remedy,
        "retryable": row.retryable,
        "instance": "0198c0de5a1b7c3d9e2f4a6b8c0d1e2f",
    }


def answer(error: Exception, scope: Mapping[str, Any]) -> JSONResponse:
    """The problem that an error becomes."""
    here = request_id(scope)
    match error:
        case WrongRegion():
            url = error.url and f"{error.url.rstrip('/')}{scope['path']}"
            link = {"Link": f'<{url}>; rel="alternate"'} if url else {}
            home = {"region": error.region, "url": error.url or None}
            return problem(error.code, error.message, error.remedy, headers=link, instance=here, home_region=home)
        case RateLimited():
            wait = {"Retry-After": str(max(1, math.ceil(error.wait_s)))}
            return problem(error.code, error.message, error.remedy, headers=wait, instance=here)
        case ContentError() if error.code in CATALOGUE and error.code != "internal":
            listed = [entry.as_dict() for entry in error.problems] if isinstance(error, InvalidInput) else None
            extra: dict[str, Any] = {"problems": listed} if listed is not None else {}
            return problem(error.code, error.message, error.remedy, instance=here, **extra)
        case RequestValidationError():
            return _invalid(error, scope, here)
        case HTTPException(status_code=status) if status in HTTP_CODES:
            sent: Any = error.headers or {}  # `Allow`, of a 405
            said = str(error.detail) if status == 413 else ""
            return problem(HTTP_CODES[status], said, headers=dict(sent), instance=here)
        case _:
            kind = getattr(error, "code", type(error).__name__)
            log.error("request failed", code=kind, exc_info=error)
            return problem("internal", instance=here)


def _invalid(error: RequestValidationError, scope: Mapping[str, Any], here: str) -> JSONResponse:
    entries = error.errors()
    sent = dict(scope["headers"])
    if any(entry["type"] == "json_invalid" for entry in entries):
        return problem("json-malformed", instance=here)
    kind = sent.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if any(tuple(entry["loc"]) == ("body",) for entry in entries) and kind not in (b"application/json", b""):
        return problem("media-type-not-supported", instance=here)
    problems = [
        {"pointer": _pointer(entry["loc"]), "code": entry["type"], "message": entry["msg"], "severity": "error"}
        for entry in entries
    ]
    return problem(
        "request-invalid", "The request is not valid; `problems` says where.", instance=here, problems=problems
    )


def _pointer(steps: Any) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def install(app: FastAPI) -> None:
    """Make every error of this application a problem. What is not caught here becomes one in `envelope.py`."""

    async def handled(request: Request, error: Exception) -> JSONResponse:
        return answer(error, request.scope)

    for kind in (ContentError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, handled)
