"""Holds, erasures, restores, deletions and what is cold, over HTTP: the whole application on a database and an S3 of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import Request

from cluster.connections import Connections
from cluster.eventlog.store import LogStore
from cluster.objects import Objects
from content.errors import ContentError
from serve_app import auth
from serve_app.api import attach, create_app
from serve_app.requests import Caller, authenticated
from tasks.keeping import cold_job, retention
from tests.support.kept import ADA, PACKAGE, World, made, served
from tests.support.plain_postgres import PlainPostgres

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
Client = httpx.AsyncClient


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainPostgres]:
    with served(tmp_path_factory) as found:
        yield found


@pytest.fixture
def world(postgres: PlainPostgres) -> Iterator[World]:
    with made(postgres) as found:
        found.settings = found.settings.model_copy(update={"cold_storage": "prefix", "cold_min_bytes": 0})
        yield found


def asked(world: World, work: Callable[[Client], Coroutine[Any, Any, Any]], *scopes: str) -> Any:
    """What comes of asking the application, as somebody of the tenant with these scopes (an operator, if none)."""

    @asynccontextmanager
    async def client(connections: Connections) -> AsyncIterator[Client]:
        app = create_app()
        attach(app, connections)
        app.state.invalidations = SimpleNamespace(trusted=False)

        async def caller(request: Request) -> Caller:
            found = Caller(world.tenant, "somebody", frozenset(scopes or ("operator",)))
            authenticated(request.scope, found)
            await request.app.state.limits.spend(request, world.tenant)
            return found

        app.dependency_overrides[auth.caller] = caller
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as found:
            yield found

    async def inside(connections: Connections) -> Any:
        async with client(connections) as found:
            return await work(found)

    return world.run(inside)


def send(world: World, method: str, path: str, body: Any = None, *scopes: str) -> httpx.Response:
    async def one(client: Client) -> httpx.Response:
        return await client.request(method, path, json=body)

    return asked(world, one, *scopes)


def test_what_is_cold_is_answered_202_with_one_job_and_200_when_it_is_back(world: World) -> None:
    world.do(
        ("update package_versions set published_at = %s, created_at = %s", [LONG_AGO, LONG_AGO]),
        ("update seals set ready_at = %s, created_at = %s", [LONG_AGO, LONG_AGO]),
        ("update exports set ready_at = %s, last_used = %s", [LONG_AGO, LONG_AGO]),
        ("update assets set created_at = %s", [LONG_AGO]),
    )
    world.objects = Objects(world.settings)
    world.run(lambda c: retention.cool(c, world.tenant))
    version = f"/v1/packages/{PACKAGE}/versions/1"
    paths = (
        f"{version}/manifest",
        f"{version}/manifest/url",
        f"{version}/assets",
        "/v1/bundles/bnd_a",
        "/v1/exports/exp_1",
    )
    first = {path: send(world, "GET", path) for path in paths}
    assert {path: answer.status_code for path, answer in first.items()} == dict.fromkeys(paths, 202)
    assert {answer.headers["retry-after"] for answer in first.values()} == {"5"}
    jobs = {path: answer.json()["job_id"] for path, answer in first.items()}
    assert len(set(jobs.values())) == 3
    assert first[paths[0]].headers["location"] == f"/v1/jobs/{jobs[paths[0]]}"
    again = send(world, "GET", f"{version}/manifest?tier=bulk")
    assert again.json()["job_id"] == jobs[paths[0]]
    assert send(world, "POST", f"{version}/restore", {}).json()["job_id"] == jobs[paths[0]]
    assert send(world, "GET", f"{version}/manifest?tier=now").status_code == 422
    for job in set(jobs.values()):
        assert world.job(cold_job, job)["state"] == "succeeded"
    assert send(world, "GET", f"{version}/manifest").content == b"manifest"
    assert send(world, "POST", f"{version}/restore", {}).json() == {"hot": True}


def test_whoever_may_only_read_orders_no_restore_that_costs_extra(world: World) -> None:
    world.do(
        ("update package_versions set published_at = %s, created_at = %s", [LONG_AGO, LONG_AGO]),
        ("update exports set ready_at = %s, last_used = %s", [LONG_AGO, LONG_AGO]),
        ("update assets set created_at = %s", [LONG_AGO]),
    )
    world.objects = Objects(world.settings)
    world.run(lambda c: retention.cool(c, world.tenant))
    version = f"/v1/packages/{PACKAGE}/versions/1"
    for path in (f"{version}/manifest", f"{version}/assets"):
        refused = send(world, "GET", f"{path}?tier=expedited", None, "content:read")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    # A route that meets what is cold and does not know the parameter.
    other = f"{version}...1"
    assert send(world, "GET", f"{other}?tier=now", None, "content:read").status_code == 422
    assert not world.rows("select 1 as x from jobs where kind = 'thaw'")
    asked_for = send(world, "GET", f"{version}/manifest?tier=expedited", None, "content:read", "content:write")
    assert asked_for.status_code == 202
    assert world.rows("select subject ->> 'tier' as tier from jobs where kind = 'thaw'") == [{"tier": "Expedited"}]


def test_a_hold_is_placed_listed_refuses_and_is_released(world: World) -> None:
    placed = send(world, "POST", "/v1/holds", {"package_id": PACKAGE, "reason": "Case 1"}, "tenant:admin")
    assert (placed.status_code, placed.json()["by_operator"]) == (201, False)
    hold = placed.json()["hold_id"]
    assert [row["hold_id"] for row in send(world, "GET", "/v1/holds").json()["items"]] == [hold]
    refused = send(world, "DELETE", "/v1/exports/exp_1")
    assert (refused.status_code, refused.json()["code"]) == (409, "held")
    assert send(world, "GET", "/v1/holds", None, "content:read").status_code == 403
    released = send(world, "POST", f"/v1/holds/{hold}/release", {"reason": "Closed"}, "tenant:admin")
    assert released.json()["release_reason"] == "Closed"
    entries = send(world, "GET", "/v1/audit").json()["items"]
    assert [row["action"] for row in entries] == ["hold.released", "hold.placed"]
    assert entries[0]["actor"] == "somebody" and entries[0]["recorded_actor"].startswith("lrn_")
    assert send(world, "GET", "/v1/audit/verify").json()["valid"]


def test_an_erasure_says_nothing_of_whose_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None:
        """The list is signed by keys, which are not here."""

    monkeypatch.setattr("serve_app.routes.erasures.list_now", nothing)
    answer = send(world, "POST", "/v1/erasures", {"learner_id": ADA}, "tenant:admin")
    assert answer.status_code == 202 and ADA not in answer.text
    found = answer.json()
    assert (found["state"], found["counts"]["devices"]) == ("erasing", 1)
    assert send(world, "GET", f"/v1/erasures/{found['erasure_id']}").json() == found
    again = send(world, "POST", "/v1/erasures", {"learner_id": ADA}, "tenant:admin").json()
    assert again["erasure_id"] == found["erasure_id"]
    entries = send(world, "GET", "/v1/audit").json()["items"]
    assert [row["action"] for row in entries] == ["learner.erasure"] and ADA not in str(entries)
    assert send(world, "POST", "/v1/erasures", {"learner_id": found["pseudonym"]}).status_code == 422
    assert send(world, "POST", "/v1/erasures", {"learner_id": ADA}, "content:write").status_code == 403


@pytest.mark.parametrize("key", ["one-and-the-same", None])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/erasures", {"learner_id": ADA}),
        ("POST", "/v1/holds", {"package_id": PACKAGE, "reason": "Case 1"}),
        ("DELETE", "/v1/devices/device-a", None),
        ("POST", "/v1/bundles/bnd_a/licence/returns", None),
    ],
)
def test_who_asks_again_since_the_archive_was_away_is_answered_when_it_is_there(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: Any, key: str | None
) -> None:
    """The change was committed the first time, and the answer with it."""

    async def nothing(*_: Any) -> None:
        """The list is signed by keys, which are not here."""

    monkeypatch.setattr("tasks.revocations.publish", nothing)
    store = LogStore(world.objects, world.settings.region)

    async def one(client: Client) -> httpx.Response:
        return await client.request(method, path, json=body, headers={"Idempotency-Key": key} if key else {})

    with monkeypatch.context() as away:
        away.setattr(LogStore, "put_slip", _away)
        assert asked(world, one).json()["code"] == "not-archived"
        assert asked(world, one).json()["code"] == "not-archived"
    assert not list(store.slips())
    assert asked(world, one).status_code < 300
    assert list(store.slips())


def _away(*_: Any) -> None:
    raise ContentError("storage-unavailable", "The object store is away.", "Try again.", True)


def test_a_closed_tenant_answers_410_to_all_but_operators(world: World) -> None:
    path = f"/v1/tenants/{world.tenant}/deletion"
    assert send(world, "GET", path).status_code == 404
    assert send(world, "POST", path, {"confirm": "other", "reason": "x"}).json()["code"] == "confirmation"
    assert send(world, "POST", path, {"confirm": world.tenant, "reason": "x"}, "tenant:admin").status_code == 403
    asked_for = send(world, "POST", path, {"confirm": world.tenant, "reason": "Over"})
    assert (asked_for.status_code, asked_for.headers["location"]) == (202, path)
    assert send(world, "GET", path).json()["job_id"] == asked_for.json()["job_id"]
    refused = send(world, "GET", "/v1/packages", None, "content:read")
    assert (refused.status_code, refused.json()["code"]) == (410, "tenant-closed")
