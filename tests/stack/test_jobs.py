"""Jobs through the API: cancelled while they wait and while they run, tried again, listed by what they are for."""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from cluster.local import publishing
from cluster.local.identity import mint_token
from tasks.job_states import TRANSITIONS, State
from tests.support import media
from tests.support.courses import Course
from tests.support.running import Running
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import promised, until

pytestmark = pytest.mark.timeout(300)


def asking(tenant: Tenant, *scopes: str) -> httpx.Client:
    token = mint_token(tenant.home, tenant.name, list(scopes or ("operator",)), "tester")
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=tenant.running.settings.api_url, headers=headers, timeout=30, trust_env=False)


def job_of(tenant: Tenant, course: Course) -> dict[str, Any]:
    found = until("a job", lambda: list(tenant.api.items("/v1/jobs", package_id=tenant.package(course))))
    (job,) = found
    return job


def state_of(tenant: Tenant, job_id: str) -> str:
    return tenant.api.get(f"/v1/jobs/{job_id}")["state"]


def test_the_table_knows_the_same_transitions_as_the_code(running: Running) -> None:
    tenant = Tenant(running)
    allowed = set()
    with psycopg.connect(running.settings.postgres_worker.get_secret_value(), autocommit=True) as connection:
        for before, after in itertools.permutations(State, 2):
            with connection.transaction(force_rollback=True):
                connection.execute("select set_config('app.tenant', %s, true)", [tenant.name])
                connection.execute(
                    "insert into jobs (tenant, job_id, kind, subject, state) values (%s, 'job_x', 'build', '{}', %s)",
                    [tenant.name, before],
                )
                try:
                    with connection.transaction():
                        connection.execute("update jobs set state = %s where job_id = 'job_x'", [after])
                    allowed.add((before, after))
                except psycopg.errors.CheckViolation:
                    pass
        (text,) = connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where conname = 'jobs_state_check'"
        ).fetchone() or ("",)
    assert allowed == {(before, after) for before, ends in TRANSITIONS.items() for after in ends}
    assert all(f"'{state}'" in text for state in State)
    assert text.count("::text") == len(State)


def test_cancelling_a_film_ends_its_encoder_within_seconds_and_leaves_nothing(running: Running) -> None:
    tenant = Tenant(running)
    course = tenant.course().text().film("film", seconds=60, size="1280x720")
    tenant.publish(course)
    job = job_of(tenant, course)["job_id"]
    until("an encoder at work", running.encoders, 60)
    with asking(tenant, "content:write") as api, asking(tenant, "content:read") as reader:
        assert reader.delete(f"/v1/jobs/{job}").status_code == 403
        answer = api.delete(f"/v1/jobs/{job}")
        assert (answer.status_code, answer.json()["state"]) == (202, "cancelling")
        assert api.delete(f"/v1/jobs/{job}").json()["state"] in ("cancelling", "cancelled")
        promised("no encoder", lambda: not running.encoders(), 15)
        until("the job cancelled", lambda: state_of(tenant, job) == "cancelled", 10)
        again = api.delete(f"/v1/jobs/{job}")
        assert (again.status_code, again.json()["problem"]["code"]) == (200, "job-cancelled")
    version = tenant.version(course)
    assert version is not None and version["state"] == "failed"
    assert_settled(tenant)  # no folder, no key without its row, no queue entry

    # The same revision may be published once more; a short film stands in the long one's place, so it ends soon.
    course.originals["film"] = media.film(running.media, 1), "video/mp4"
    tenant.publish(course)
    until("the job done", lambda: state_of(tenant, job) == "succeeded", 90)
    with asking(tenant, "content:write") as api:
        refused = api.delete(f"/v1/jobs/{job}")
        assert (refused.status_code, refused.json()["code"]) == (409, "job-ended")
        refused = api.post(f"/v1/jobs/{job}/retry")
        assert (refused.status_code, refused.json()["code"]) == (409, "job-not-retryable")
    assert_settled(tenant)


def test_a_failed_job_is_tried_again(running: Running) -> None:
    tenant = Tenant(running)
    course = tenant.course().text().picture("square", seed=7)
    good = dict(course.originals)
    course.originals["square"] = _not_a_picture(running), "image/png"
    tenant.publish(course)
    job = job_of(tenant, course)["job_id"]
    until("the job failed", lambda: state_of(tenant, job) == "failed", 60)
    publishing.put_media(tenant.home, tenant.name, good)
    with asking(tenant) as api:
        answer = api.post(f"/v1/jobs/{job}/retry")
        assert answer.status_code == 202
        assert answer.headers["Location"] == f"/v1/jobs/{job}"
        assert answer.json()["problem"] is None
        assert api.post("/v1/jobs/job_none/retry").status_code == 404
    tenant.built(course)
    done = tenant.api.get(f"/v1/jobs/{job}")
    assert (done["state"], done["attempt"]) == ("succeeded", 1)
    assert {stage["progress"] for stage in done["stages"]} == {1.0}
    assert [stage["name"] for stage in done["stages"]] == ["draft", "media", "publish"]
    assert httpx.get(
        running.settings.api_url + done["links"]["manifest"],
        headers={"Authorization": f"Bearer {mint_token(tenant.home, tenant.name, ['content:read'], 'x')}"},
    ).is_success
    assert_settled(tenant)


def _not_a_picture(running: Running) -> Path:
    path = running.media / f"{secrets.token_hex(4)}.png"
    path.write_bytes(b"not a picture")
    return path


def test_jobs_are_listed_by_what_they_are_for(running: Running) -> None:
    tenant = Tenant(running)
    first, second = tenant.course().text(), tenant.course().text()
    for course in (first, second):
        tenant.publish(course)
        tenant.built(course)
    with asking(tenant, "content:read") as api:
        every = api.get("/v1/jobs").json()["items"]
        assert len(every) == 2
        (one,) = api.get("/v1/jobs", params={"package_id": tenant.package(first), "kind": "build"}).json()["items"]
        assert one["subject"]["package_id"] == tenant.package(first)
        assert api.get("/v1/jobs", params={"state": "failed"}).json()["items"] == []
        newest = every[0]["created_at"]
        assert [job["job_id"] for job in api.get("/v1/jobs", params={"created_from": newest}).json()["items"]] == [
            every[0]["job_id"]
        ]
        assert [job["job_id"] for job in api.get("/v1/jobs", params={"created_before": newest}).json()["items"]] == [
            every[1]["job_id"]
        ]
        assert api.get("/v1/jobs", params={"state": "asleep"}).status_code == 422


@pytest.fixture
def builds_paused(running: Running) -> Iterator[httpx.Client]:
    """Nothing is taken from the queue of builds; the client may resume it."""
    with asking(Tenant(running)) as operator:
        assert operator.post("/v1/queues/build/pause").json()["paused_by"] == "tester"
        yield operator
        operator.post("/v1/queues/build/resume").raise_for_status()


def followed(api: httpx.Client, job: str, last: int = 0) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """The events of one stream: id, name, data."""
    with api.stream("GET", f"/v1/jobs/{job}/events", headers={"Last-Event-ID": str(last)}) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif not line and "data" in fields:
                yield int(fields["id"]), fields["event"], json.loads(fields["data"])
                fields = {}


def test_a_paused_queue_keeps_what_comes_and_a_waiting_job_is_cancelled_at_once(
    running: Running, builds_paused: httpx.Client
) -> None:
    tenant = Tenant(running)
    course, other = tenant.course().text(), tenant.course().text()
    for each in (course, other):
        tenant.publish(each)
    job, unwanted = job_of(tenant, course)["job_id"], job_of(tenant, other)["job_id"]
    row = next(row for row in builds_paused.get("/v1/queues").json()["items"] if row["name"] == "build")
    assert row["waiting"] >= 2
    assert row["paused_at"] and row["oldest"]
    assert builds_paused.post("/v1/queues/nothing/pause").status_code == 404
    with asking(tenant, "content:write", "content:read") as api:
        assert api.get("/v1/queues").status_code == 403
        answer = api.delete(f"/v1/jobs/{unwanted}")
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
        assert api.post(f"/v1/jobs/{unwanted}/retry").json()["state"] == "queued"
        assert api.delete(f"/v1/jobs/{unwanted}").json()["state"] == "cancelled"
        assert list(followed(api, unwanted))[-1][1] == "end"
        stream = followed(api, job)
        assert next(stream)[2]["state"] == "queued"
        builds_paused.post("/v1/queues/build/resume").raise_for_status()
        *_, (last, name, data) = stream
        end = time.monotonic() + 90
        while name != "end":  # a stream ends by itself after a while, and is followed again
            assert time.monotonic() < end, data
            for event in followed(api, job, last):
                last, name, data = event
    assert (name, data["state"], data["progress"]) == ("end", "succeeded", 1.0)
    with asking(tenant, "content:read") as api:
        assert api.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": str(last)}).status_code == 204
    assert state_of(tenant, unwanted) == "cancelled"
    assert_settled(tenant)


def test_streams_are_limited_and_a_client_that_leaves_gives_its_place_back(
    running: Running, builds_paused: httpx.Client
) -> None:
    tenant, other = Tenant(running), Tenant(running)
    course = tenant.course().text()
    tenant.publish(course)
    path = f"/v1/jobs/{job_of(tenant, course)['job_id']}/events"
    most = running.settings.sse_max_streams_per_tenant
    with asking(other, "content:read") as stranger, asking(other, "content:read") as same:
        theirs, nobodys = stranger.get(path), same.get("/v1/jobs/job_none/events")
        assert theirs.status_code == nobodys.status_code == 404
        for name in ("type", "title", "detail", "remedy"):
            assert theirs.json()[name] == nobodys.json()[name]
    with asking(tenant, "content:read") as api:
        with ExitStack() as open_ones:
            for _ in range(most):
                answer = open_ones.enter_context(api.stream("GET", path))
                assert answer.status_code == 200
            refused = api.get(path)
            assert (refused.status_code, refused.json()["code"]) == (429, "too-many-streams")
            assert "Retry-After" in refused.headers

        def again() -> tuple[list[str], float] | None:
            """What a stream said to its end, and for how long; None where there was no place."""
            began = time.monotonic()
            with api.stream("GET", path) as answer:
                if answer.status_code == 429:
                    return None
                said = [line[7:] for line in answer.iter_lines() if line.startswith("event: ")]
            return said, time.monotonic() - began

        said, took_s = until("a place is free again", again, 10)
        assert said == ["progress"]
        assert running.settings.sse_max_s - 1 < took_s < running.settings.sse_max_s + 30
