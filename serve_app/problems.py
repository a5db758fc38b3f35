"""Every error of the API as RFC 9457 problem details: a stable `type` and `code`, what happened, and what to do.

`ContentError`s travel up to here unchanged; this module alone knows HTTP statuses. What is not ours says nothing of the
inside: it is logged and answered with 500 and the request's id.
"""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from content.errors import ContentError, InvalidInput

STATUS = {
    "not-found": 404,
    "unauthenticated": 401,
    "token-invalid": 401,
    "proof-invalid": 401,
    "proof-replayed": 401,
    "forbidden": 403,
    "wrong-region": 421,
    "tenant-exists": 409,
    "policy-not-available": 422,
    "bundle-not-ready": 409,
    "bundle-failed": 409,
    "bundle-superseded": 410,
    "enrolment-cancelled": 410,
    "nonce-unknown": 409,
    "device-taken": 409,
    "device-limit": 409,
    "device-revoked": 410,
    "version-withdrawn": 410,
    "version-not-published": 409,
    "revision-outdated": 409,
    "bundle-not-failed": 409,
    "precondition-failed": 412,
    "precondition-required": 428,
    "database-unavailable": 503,
    "storage-unavailable": 503,
    "keys-unavailable": 503,
    "events-unavailable": 503,
    "object-missing": 404,
}
RETRY_AFTER_S = "2"
log = structlog.get_logger()


def problem(status: int, code: str, title: str, detail: str = "", **members: Any) -> JSONResponse:
    """A problem response; its `type` is stable and names the code."""
    body: dict[str, Any] = {"type": f"/problems/{code}", "title": title, "status": status, "code": code, **members}
    if detail:
        body["detail"] = detail
    headers = {"Retry-After": RETRY_AFTER_S} if status in (429, 503) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer, DPoP"
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def not_found(what: str) -> ContentError:
    """The one answer for what is not there and for what is another tenant's."""
    return ContentError("not-found", f"There is no such {what}.", "Check the id, and that the token is of its tenant.")


def install(app: FastAPI) -> None:
    """Make every error of this application a problem."""

    async def content_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ContentError)
        members: dict[str, Any] = {}
        if isinstance(error, InvalidInput):
            members["problems"] = [entry.as_dict() for entry in error.problems]
        status = STATUS.get(error.code, 503 if error.retryable else 422 if members else 400)
        return problem(status, error.code, error.message, error.remedy, **members)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        problems = [
            {
                "pointer": "/" + "/".join(str(step) for step in entry["loc"]),
                "code": entry["type"],
                "message": entry["msg"],
            }
            for entry in error.errors()
        ]
        return problem(422, "request-invalid", "The request is not valid.", "See problems.", problems=problems)

    async def http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        codes = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large"}
        return problem(error.status_code, codes.get(error.status_code, "http-error"), str(error.detail))

    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("request failed", exc_info=error)
        return problem(500, "internal", "Something in the service failed.", "Try again; tell us if it stays.")

    app.add_exception_handler(ContentError, content_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Exception, unexpected)
