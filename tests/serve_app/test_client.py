"""The typed client: retries that are safe, errors with the request's id, pages, waiting, and nothing heavy imported."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from content.errors import ContentError, InvalidInput
from serve_app.client import ApiError, Client, problem_of
from tests.serve_app.device_world import API
from tests.vectors import world as w

Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer, **options: Any) -> Client:
    pauses: list[float] = options.pop("pauses", [])
    return Client(API, transport=httpx.MockTransport(answer), sleep=pauses.append, **{"token": "t", **options})


def problem(status: int, code: str, headers: dict[str, str] | None = None, **members: Any) -> httpx.Response:
    body = {"code": code, "title": "Its kind", "detail": "What happened.", "remedy": "Do this.", "status": status}
    return httpx.Response(status, text=json.dumps({**body, **members}), headers=headers)


def test_a_problem_keeps_its_code_sentence_remedy_and_request() -> None:
    found = problem_of(problem(403, "forbidden", {"X-Request-Id": "req-12345"}))
    assert isinstance(found, ApiError)
    assert (found.code, found.message, found.remedy) == ("forbidden", "What happened.", "Do this.")
    assert (found.status, found.request_id, found.retryable) == (403, "req-12345", False)
    entry = {"pointer": "/title", "code": "missing", "message": "No title."}
    listed = problem_of(problem(422, "request-invalid", problems=[entry]))
    assert isinstance(listed, InvalidInput)
    assert [each.pointer for each in listed.problems] == ["/title"]


@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_as_long_as_it_is_told_and_tries_again(status: int) -> None:
    answers = [problem(status, "busy", {"Retry-After": "3"}), httpx.Response(200, json={"ok": True})]
    pauses: list[float] = []
    with client(lambda _: answers.pop(0), pauses=pauses) as api:
        assert api.get("/x") == {"ok": True}
    assert pauses == [3.0]


def test_it_does_not_wait_longer_than_it_has_patience() -> None:
    asked: list[str] = []

    def busy(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return problem(503, "database-unavailable", {"Retry-After": "30"})

    with client(busy, patience_s=5) as api, pytest.raises(ContentError, match="What happened") as refused:
        api.get("/x")
    assert (refused.value.code, asked) == ("database-unavailable", ["/x"])


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 412, 422, 500])
def test_what_would_fail_again_is_not_tried_again(status: int) -> None:
    answers = [problem(status, "no")]
    with client(lambda _: answers.pop(0)) as api, pytest.raises(ContentError):
        api.get("/x")


def test_a_post_whose_answer_was_lost_is_sent_again_under_its_key() -> None:
    keys: list[str] = []

    def flaky(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 1:
            raise httpx.ReadError("gone")
        if len(keys) == 2:
            return problem(409, "idempotency-in-progress")
        return httpx.Response(201, json={})

    with client(flaky) as api:
        assert api.post("/x", {"a": 1}) == {}
        assert api.post("/x", {"a": 1}) == {}
    assert keys[0] == keys[1] == keys[2]
    assert keys[3] != keys[0], "another call is another request"


def test_a_change_whose_answer_was_lost_is_not_sent_again() -> None:
    asked: list[str] = []

    def lost(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        if request.method == "GET":
            return httpx.Response(200, json={}, headers={"ETag": '"1"'})
        assert request.headers["if-match"] == '"1"'
        raise httpx.ReadError("gone")

    with client(lost) as api, pytest.raises(ContentError) as refused:
        api.change_tenant("acme", limits={"devices_per_learner": 2})
    assert (refused.value.code, asked) == ("api-unreachable", ["GET", "PATCH"])


def test_each_attempt_of_a_device_has_a_proof_of_its_own() -> None:
    proofs: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        proofs.append(request.headers["dpop"])
        if len(proofs) == 1:
            raise httpx.RemoteProtocolError("Server disconnected")
        return httpx.Response(200, json={})

    with client(answer, token=None, device=w.PHONE) as api:
        assert api.get("/x") == {}
    assert len(set(proofs)) == 2


def test_nobody_there_and_no_problem_document() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/down":
            raise httpx.ConnectError("refused")
        return httpx.Response(502, text="<html>")

    with client(answer, patience_s=0) as api:
        for path, code in (("/down", "api-unreachable"), ("/odd", "http-502")):
            with pytest.raises(ContentError) as refused:
                api.get(path)
            assert refused.value.code == code


def test_lists_go_through_their_pages_with_their_filters() -> None:
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        last = "cursor" in request.url.params
        return httpx.Response(200, json={"items": [{"package_id": len(asked)}], "next": None if last else "c"})

    with client(answer) as api:
        assert [row["package_id"] for row in api.packages(course_id="x")] == [1, 2]
    assert asked == [{"course_id": "x"}, {"course_id": "x", "cursor": "c"}]


def job(state: str, progress: float, **more: Any) -> httpx.Response:
    return httpx.Response(
        200, json={"job_id": "j", "state": state, "progress": progress, "updated_at": f"{state}{progress}", **more}
    )


def test_waiting_tells_each_change_once_and_ends_with_the_job() -> None:
    answers = [job("queued", 0), job("running", 0.5), job("running", 0.5), job("succeeded", 1)]
    told: list[float] = []
    with client(lambda _: answers.pop(0)) as api:
        assert api.wait("j", lambda row: told.append(row["progress"]))["state"] == "succeeded"
    assert told == [0, 0.5, 1]


def test_waiting_raises_what_the_job_failed_with() -> None:
    with client(lambda _: job("failed", 0, problem={"code": "draft-invalid", "title": "2 mistakes."})) as api:
        with pytest.raises(ContentError, match="2 mistakes") as refused:
            api.wait("j")
    assert refused.value.code == "draft-invalid"
    with client(lambda _: job("running", 0)) as api, pytest.raises(ContentError) as late:
        api.wait("j", deadline_s=0)
    assert late.value.code == "job-deadline"


def test_no_secret_is_shown() -> None:
    with Client(API, token="very-secret") as api:
        assert "secret" not in repr(api)
        assert "a token" in repr(api)


def test_it_imports_neither_ray_nor_the_server() -> None:
    heavy = ("ray", "fastapi", "psycopg", "boto3", "nats", "uvicorn")
    code = f"import sys, serve_app.client; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
