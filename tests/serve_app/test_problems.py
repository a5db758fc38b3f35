"""Problems: each code that can reach HTTP is in the catalogue, each row is raised somewhere, and each has its page."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from cluster.settings import Settings
from content.errors import ContentError, InvalidInput, Problem, WrongRegion
from content.rate import RateLimited
from serve_app.api import create_app
from serve_app.limits import Limits
from serve_app.problems.catalogue import CATALOGUE, HIDDEN

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("content", "cluster", "tasks", "actors", "serve_app")
ELSEWHERE = {
    "cluster.edge.cdn": "signed addresses are checked by the edge",
    "content.signatures": "signatures are verified by devices",
    "content.trust.keys": "as above",
    "content.trust.lists": "as above",
    "content.trust.revocations": "as above",
    "content.trust.revocation_delta": "as above",
    "content.bundles.stream": "bundles are opened by devices",
    "content.bundles.index": "as above",
    "content.devices.tamper": "the route makes tamper-report-refused of all of them",
    "cluster.eventlog.state": "workers wait, and commands of operators say it",
    "cluster.eventlog.store": "the log is read by a restore; the API only puts slips",
    "content.eventlog.chain": "as above",
    "content.eventlog.changes": "as above",
    "content.eventlog.segment": "as above",
    "tasks.rotation_job": "a job's problem",
    "tasks.resigning": "as above",
    "tasks.key_ends": "upkeep, and a command of operators",
    "content.devices.proof": "auth makes proof-invalid of all of them",
    "content.drafts.report": "what is wrong with a draft is the answer of its judgement, or a job's problem",
    "content.packages.report": "as above",
    "content.packages.blocks": "builds only",
    "content.packages.build": "builds only",
    "content.packages.embedded": "builds only",
    "content.packages.media_report": "builds only",
    "content.media.captions": "builds only",
    "content.media.plan": "builds only",
    "content.quality.refusal": "a job's problem",
    "content.events.envelope": "events are taken in by the relay",
    "tasks.intake": "as above",
    "tasks.elsewhere": "as above, and those of other regions; the API reads what was written of them",
    "cluster.events": "as above",
}
"""Modules of which the API uses the other half; their refusals do not come out of it."""
OF_JOBS = "content.exports.", "content.scorm."
"""Exports and imports are made by jobs; the API only judges what is asked for."""
READERS = ("Fields", "parse_json", "parse_document")


@cache
def tree(module: str) -> ast.Module | None:
    path = ROOT / module.replace(".", "/")
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return ast.parse(file.read_text())
    return None


def imported(body: ast.Module) -> Iterator[str]:
    for node in ast.walk(body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def reached() -> dict[str, ast.Module]:
    """Every module of ours that the API imports, however indirectly."""
    found: dict[str, ast.Module] = {}
    waiting = ["serve_app.api"]
    while waiting:
        module = waiting.pop()
        if module not in found and module.split(".")[0] in LAYERS and (body := tree(module)):
            found[module] = body
            waiting += imported(body)
    return found


def raised(body: ast.Module) -> Iterator[str]:
    """The codes of the errors that a module makes; `{what}-malformed` for each document that it reads."""
    for node in ast.walk(body):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if texts and (
            name in ("ContentError", "InvalidInput", "WrongRegion", "RateLimited") or name.endswith("Refused")
        ):
            yield texts[0]
        if name == "__init__" and len(texts) >= 2:  # an error class that fills in its own code
            yield texts[0]
        if name == "problem" and texts:
            yield texts[0]
        if name in READERS and texts:
            yield from (f"{texts[0]}-malformed", f"{texts[0]}-too-large")
    for node in ast.walk(body):
        match node:
            case ast.Return(value=ast.Tuple(elts=[ast.Constant(value=str(code)), *_])) if code in CATALOGUE:
                yield code
            case ast.Assign(targets=[ast.Name(id="HTTP_CODES")], value=ast.Dict(values=values)):
                yield from (value.value for value in values if isinstance(value, ast.Constant))


def elsewhere(name: str) -> bool:
    return name in ELSEWHERE or (name.startswith(OF_JOBS) and name != "content.exports.options")


def test_every_code_that_can_reach_http_is_in_the_catalogue() -> None:
    modules = reached()
    assert "tasks.tenants" in modules and "content.jose" in modules
    made = {(code, name) for name, body in modules.items() if not elsewhere(name) for code in raised(body)}
    unknown = sorted((code, name) for code, name in made if code not in CATALOGUE and code not in HIDDEN)
    assert not unknown, f"give these a row in serve_app/problems/catalogue.py: {unknown}"


def test_every_row_and_every_hidden_code_is_raised_somewhere() -> None:
    made = {code for body in reached().values() for code in raised(body)}
    assert (set(CATALOGUE) | HIDDEN) - made == set()
    assert not set(CATALOGUE) & HIDDEN


def test_rows_say_what_happened_and_what_to_do() -> None:
    for row in CATALOGUE.values():
        assert row.title and not row.title.endswith(".") and row.title[0].isupper(), row.code
        assert row.remedy.endswith("."), row.code
        assert 400 <= row.status < 600, row.code
    assert {row.code for row in CATALOGUE.values() if row.status in (429, 503)} <= {
        row.code for row in CATALOGUE.values() if row.retryable
    }


# -- answers ----------------------------------------------------------------------------------------------------------


def failing(error: BaseException) -> FastAPI:
    """The application with one route that fails."""
    app = create_app()
    settings = Settings()
    app.state.limits = Limits(settings, db=None)  # pyright: ignore[reportArgumentType]  # no tenant asks here
    app.state.connections = SimpleNamespace(settings=settings)

    @app.get("/fails")
    async def fails(n: int = 0) -> None:
        raise error

    return app


async def ask(app: FastAPI, path: str, **more: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        return await client.request(more.pop("method", "GET"), path, **more)


async def test_an_error_of_ours_is_a_problem_with_all_its_members() -> None:
    error = InvalidInput(
        "request-invalid", "Two mistakes.", "Mend them.", False, (Problem("/a", "x", "A."), Problem("/b", "y", "B."))
    )
    answer = await ask(failing(error), "/fails", headers={"X-Request-Id": "my-request-1"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "my-request-1"
    document = answer.json()
    assert document.pop("problems") == [entry.as_dict() for entry in error.problems]
    assert document == {
        "type": "/problems/request-invalid",
        "title": "The request is not valid",
        "status": 422,
        "code": "request-invalid",
        "detail": "Two mistakes.",
        "remedy": "Mend them.",
        "retryable": False,
        "instance": "my-request-1",
    }


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("secret inside"),
        ContentError("object-missing", "There is no object secret inside."),
        ContentError("internal", "secret inside"),
        ContentError("no-such-code", "secret inside"),
        RecursionError("secret inside"),
    ],
)
async def test_a_fault_of_the_inside_tells_its_id_and_nothing_else(error: Exception) -> None:
    answer = await ask(failing(error), "/fails")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert answer.json()["instance"] == answer.headers["x-request-id"]
    assert "secret inside" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_what_is_away_says_when_to_come_again_and_not_why() -> None:
    answer = await ask(failing(ContentError("storage-unavailable", "secret inside", "", True)), "/fails")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "secret inside" not in answer.text
    limited = await ask(failing(RateLimited("rate-limited", "Too many.", "Wait.", True, 6.2)), "/fails")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")


async def test_another_region_is_linked_and_never_redirected_to() -> None:
    error = WrongRegion("wrong-region", "This is eu.", "Ask us.", False, "us", "https://us.example/")
    answer = await ask(failing(error), "/fails")
    assert answer.status_code == 421
    assert answer.headers["link"] == '<https://us.example/fails>; rel="alternate"'
    assert answer.json()["home_region"] == {"region": "us", "url": "https://us.example/"}
    unknown = await ask(failing(WrongRegion("wrong-region", "This is eu.", "Ask us.", False, "us", "")), "/fails")
    assert "link" not in unknown.headers


async def test_what_the_framework_refuses_is_a_problem_too() -> None:
    app = failing(RuntimeError())
    wrong = await ask(app, "/fails?n=x")
    assert wrong.json()["problems"][0]["pointer"] == "/query/n"
    method = await ask(app, "/fails", method="DELETE")
    assert (method.status_code, method.headers["allow"]) == (405, "GET")
    assert (await ask(app, "/nowhere")).json()["code"] == "not-found"


# -- pages ------------------------------------------------------------------------------------------------------------


async def test_every_problem_has_its_page_for_people_and_for_programs() -> None:
    app = failing(RuntimeError())
    listed = (await ask(app, "/problems")).json()["items"]
    assert [row["code"] for row in listed] == list(CATALOGUE)
    for row in listed:
        one = await ask(app, row["type"])
        assert one.json()["example"]["type"] == row["type"]
        page = await ask(app, row["type"], headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert page.headers["content-type"].startswith("text/html")
        assert row["code"] in page.text and "<script" not in page.text and "style=" not in page.text
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert "Accept" in page.headers["vary"]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/json"),
        ("text/html", "text/html"),
        ("text/*;q=0.9, application/json;q=0.5", "text/html"),
        ("text/html;q=0.2, */*;q=0.1", "text/html"),
        ("text/html;q=0, */*", "application/json"),
        ("", "application/json"),
    ],
)
async def test_the_representation_is_the_one_that_is_preferred(accept: str, media_type: str) -> None:
    answer = await ask(failing(RuntimeError()), "/problems/not-found", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(media_type)


async def test_what_is_not_there_or_not_to_be_had_is_refused() -> None:
    app = failing(RuntimeError())
    assert (await ask(app, "/problems/no-such-thing")).status_code == 404
    refused = await ask(app, "/problems", headers={"Accept": "image/png, text/html;q=0, */*;q=zero"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not-acceptable")
