"""One operation, completed by what its route takes: the problems and header fields that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from serve_app import auth, deprecation, idempotency, listing
from serve_app.problems import documented
from serve_app.problems.catalogue import CATALOGUE

AUTHENTICATED = (
    "unauthenticated", "token-invalid", "proof-invalid", "proof-replayed", "forbidden", "wrong-region", "rate-limited",
)  # fmt: skip
ALWAYS = ("internal", "database-unavailable", "uri-too-long", "headers-too-large")
WITH_BODY = ("json-malformed", "value-not-storable", "body-too-large", "media-type-not-supported", "request-invalid")
WITH_KEY = ("idempotency-key-invalid", "idempotency-in-progress", "idempotency-key-reused")
BY_STATUS = {"401": ("WWW-Authenticate",), "429": ("Retry-After",), "503": ("Retry-After",)}


def complete(operation: dict[str, Any], route: APIRoute, components: dict[str, Any]) -> None:
    """Add to an operation what all routes of its kind share. Problems of one status become one shared response."""
    calls = set(_calls(route.dependant))
    asks, public = auth.caller in calls, auth.public in calls
    limited = asks or public
    operation["security"] = [{"bearer": []}, {"device": []}] if asks else []
    names = [parameter["name"] for parameter in operation.get("parameters", ())]
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        if parameter["name"] == "idempotency-key":
            parameter["name"] = "Idempotency-Key"

    codes = {*ALWAYS} | ({*AUTHENTICATED} if asks else {"rate-limited"} if public else set())
    if "requestBody" in operation:
        codes |= {*WITH_BODY}
    if names:
        codes |= {"value-not-storable", "request-invalid"}
    if any(parameter["in"] == "path" for parameter in parameters):
        codes.add("not-found")
    if listing.asked in calls:
        codes.add("cursor-invalid")
    if idempotency.once in calls:
        codes |= {*WITH_KEY}
    if "304" in operation["responses"]:
        parameters.append(_parameter("If-None-Match"))
    if "412" in operation["responses"]:
        parameters.append(_parameter("If-Match"))
    if asks:
        parameters.append(_parameter("Content-Tenant"))
    if not parameters:
        del operation["parameters"]
    if any(getattr(call, deprecation.MARK, None) for call in calls):
        operation["deprecated"] = True

    responses = operation["responses"]
    if "x-problems" not in responses.get("422", {}):
        responses.pop("422", None)  # FastAPI's own
    for status, response in responses.items():
        codes |= set(response.pop("x-problems", ()))
        if status.startswith(("2", "3")):
            _headers(response, _fields(status, operation, calls, limited))
    for status in sorted({str(CATALOGUE[code].status) for code in codes}):
        of_status = sorted(code for code in codes if str(CATALOGUE[code].status) == status)
        shared = documented(of_status)
        del shared["x-problems"]
        _headers(shared, ["X-Request-Id", *BY_STATUS.get(status, ())])
        if "application/problem+json" not in responses.get(status, {}).get("content", {}) and status in responses:
            shared["content"] |= responses[status].get("content", {})  # readiness says what is not ready
            responses[status] = shared
        else:
            responses[status] = {
                "$ref": f"#/components/responses/{_shared_as(shared, status, components['responses'])}"
            }
    operation["responses"] = dict(sorted(responses.items()))


def _shared_as(response: dict[str, Any], status: str, known: dict[str, Any]) -> str:
    """The name of this response among those that operations share: `404`, and `409-2` for another set of problems."""
    alike = [name for name in known if name.partition("-")[0] == status]
    for name in alike:
        if known[name] == response:
            return name
    name = status if not alike else f"{status}-{len(alike) + 1}"
    known[name] = response
    return name


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for inner in dependant.dependencies:
        if inner.call is not None:
            yield inner.call
        yield from _calls(inner)


def _fields(status: str, operation: dict[str, Any], calls: set[Callable[..., Any]], limited: bool) -> list[str]:
    names = ["X-Request-Id"]
    if limited:
        names += ["RateLimit", "RateLimit-Policy"]
    if status in ("201", "202"):
        names.append("Location")
    if listing.asked in calls:
        names.append("Link")
    if idempotency.once in calls:
        names.append("Idempotent-Replayed")
    if "304" in operation["responses"] or "412" in operation["responses"]:
        names.append("ETag")
    if operation.get("deprecated"):
        names += ["Deprecation", "Sunset", "Link"]
    return names


def _headers(response: dict[str, Any], names: list[str]) -> None:
    headers = response.setdefault("headers", {})
    for name in names:
        headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})


def _parameter(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{name}"}
