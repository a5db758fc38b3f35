"""The OpenAPI document: complete, true, with examples that its own schemas accept, and written down as it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from fastapi import FastAPI

from serve_app.api import create_app
from serve_app.deprecation import deprecated
from serve_app.envelope import Envelope
from serve_app.openapi import METHODS, document
from serve_app.openapi.__main__ import text
from serve_app.problems.catalogue import CATALOGUE

FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
WITHOUT_KEY = {
    "/v1/drafts/validate": "changes nothing",
    "/v1/imports/{import_id}/parts": "makes its addresses anew each time, and they are not kept",
    "/v1/packages/{package_id}/versions/{version}/withdraw": "answers the same again by itself, and goes on outside",
    "/v1/queues/{name}/pause": "again changes nothing",
    "/v1/queues/{name}/resume": "again changes nothing",
    "/v1/webhooks": "its answer holds a secret that is shown once and must not be kept",
    "/v1/webhooks/{webhook_id}/secret/rotate": "as above",
}
"""POSTs that take no Idempotency-Key, and why."""
OPEN = ("/livez", "/readyz", "/version")


@cache
def made() -> dict[str, Any]:
    return create_app().openapi()


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, m, item[m]) for path, item in made()["paths"].items() for m in METHODS if m in item]


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    found: Any = made()
    for step in value["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def names(operation: dict[str, Any]) -> set[str]:
    return {resolved(parameter)["name"] for parameter in operation.get("parameters", ())}


def test_the_written_document_is_the_one_that_is_served() -> None:
    assert FILE.read_text() == text(made()), "run: python -m serve_app.openapi docs/openapi.json"


def test_it_is_openapi_3_1_and_says_who_may_use_it() -> None:
    assert made()["openapi"].startswith("3.1")
    assert made()["info"]["license"]["identifier"] == "Apache-2.0"
    assert made()["servers"]
    assert not {"HTTPValidationError", "ValidationError"} & made()["components"]["schemas"].keys()


def test_every_operation_says_what_it_is() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids)) > 30
    described = {tag["name"] for tag in made()["tags"] if tag["description"]}
    for path, method, operation in operations():
        assert operation["summary"], path
        assert set(operation["tags"]) <= described, f"{method} {path}: describe its tag in serve_app/openapi/shared.py"
        assert operation["security"] in ([], [{"bearer": []}, {"device": []}]), path


def test_every_operation_says_what_may_come() -> None:
    for path, method, operation in operations():
        answers = {status: resolved(answer) for status, answer in operation["responses"].items()}
        assert {"500", "503"} <= answers.keys(), path
        if operation["security"]:
            assert {"401", "403", "421", "429"} <= answers.keys(), path
            assert "Content-Tenant" in names(operation)
        elif path not in OPEN:
            assert "429" in answers, f"{path} is public: give it dependencies=[Public]"
        if "{" in path:
            assert "404" in answers, path
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= answers.keys(), path
        if method == "post" and path not in WITHOUT_KEY:
            assert "Idempotency-Key" in names(operation), f"{path}: take Idempotent"
            assert "409" in answers
        if "304" in answers:
            assert "If-None-Match" in names(operation) and "ETag" in answers["200"]["headers"]
        for status, answer in answers.items():
            assert answer["description"] and "X-Request-Id" in answer["headers"], (path, status)
            if status in ("429", "503"):
                assert "Retry-After" in answer["headers"]
    assert WITHOUT_KEY.keys() <= made()["paths"].keys()


def test_every_documented_problem_is_one_of_the_catalogue() -> None:
    seen: set[str] = set()
    for path, _, operation in operations():
        for status, answer in operation["responses"].items():
            content = resolved(answer).get("content", {}).get("application/problem+json", {})
            for code, shown in content.get("examples", {}).items():
                assert str(CATALOGUE[code].status) == status, (path, code)
                jsonschema.validate(shown["value"], made()["components"]["schemas"]["Problem"])
                seen.add(code)
    everywhere = {"method-not-allowed", "mesh-required"}  # of paths, and of who asks past the door; not of operations
    assert set(CATALOGUE) - seen == everywhere


def test_examples_are_what_their_schemas_accept() -> None:
    tried = 0
    for path, method, operation in operations():
        bodies = [operation.get("requestBody", {}), *map(resolved, operation["responses"].values())]
        for body in bodies:
            content = body.get("content", {}).get("application/json", {})
            if "example" in content:
                schema = {**content["schema"], "components": made()["components"]}
                jsonschema.Draft202012Validator(schema).validate(content["example"])
                json.dumps(content["example"])
                tried += 1
            elif content:
                assert "examples" in content, (path, method)
    assert tried > 20


# -- deprecation ------------------------------------------------------------------------------------------------------


async def test_a_deprecated_operation_says_so_in_the_document_and_in_each_answer() -> None:
    app = FastAPI()
    app.add_middleware(Envelope)
    since = datetime(2027, 1, 1, tzinfo=UTC)

    @app.get("/old", tags=["me"], dependencies=[deprecated(since, since + timedelta(days=365), "/docs#new")])
    async def old() -> dict[str, str]:
        return {}

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        answer = await client.get("/old")
    assert answer.headers["deprecation"] == "@1798761600"
    assert answer.headers["sunset"] == "Sat, 01 Jan 2028 00:00:00 GMT"
    assert answer.headers["link"] == '</docs#new>; rel="deprecation"'
    operation = document(app, [app.router])["paths"]["/old"]["get"]
    assert operation["deprecated"] and "Sunset" in operation["responses"]["200"]["headers"]


def test_nobody_is_given_less_than_a_year() -> None:
    since = datetime(2027, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="365 days"):
        deprecated(since, since + timedelta(days=364), "/docs")
