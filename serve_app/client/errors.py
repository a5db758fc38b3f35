"""What an answer of the API or the edge says went wrong, as an error of this side, with the request's id."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from content.errors import ContentError, InvalidInput, Problem


@dataclass(eq=False)
class ApiError(ContentError):
    """A problem that the API answered with; `request_id` finds it in the service's logs."""

    status: int = 0
    request_id: str = ""


@dataclass(eq=False)
class ApiInvalidInput(InvalidInput):
    """The same with findings in what was sent."""

    status: int = 0
    request_id: str = ""


def problem_of(response: httpx.Response) -> ContentError:
    """The error in an answer; its code is `http-<status>` for what is no problem document."""
    status, request_id = response.status_code, response.headers.get("x-request-id", "")
    try:
        document = response.json()
        code, message = str(document["code"]), str(document.get("detail") or document["title"])
        remedy = str(document.get("remedy", ""))
        findings = tuple(
            Problem(str(entry["pointer"]), str(entry["code"]), str(entry["message"]))
            for entry in document.get("problems", ())
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        message = f"{response.url.host} answered {status}."
        return ApiError(f"http-{status}", message, "", status >= 500, status, request_id)
    retryable = status in (429, 503) or code == "idempotency-in-progress"
    if findings:
        return ApiInvalidInput(code, message, remedy, retryable, findings, status, request_id)
    return ApiError(code, message, remedy, retryable, status, request_id)


def being_restored(response: httpx.Response) -> ContentError:
    """What was asked for lies in cold storage, and a job brings it back."""
    job = response.headers.get("location", "").rpartition("/")[2]
    told = "It lies in cold storage and is being brought back, which may take hours."
    remedy = f"Ask again later; `content-service jobs watch {job}` shows how far it is."
    return ApiError("being-restored", told, remedy, True, 202, response.headers.get("x-request-id", ""))
