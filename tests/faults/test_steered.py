"""Faults while somebody steers: a worker killed while it cancels, one killed before it noted an answer, a long pause."""

from __future__ import annotations

import pytest

from tests.support.hooks import FINISHED, Hook
from tests.support.killing import BUILDER, BUNDLER, killed_at
from tests.support.receiver import receiving
from tests.support.running import Running
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


def test_a_worker_killed_while_it_cancels(tenant: Tenant) -> None:
    """Who takes its queue entry over ends the job, and makes nothing."""
    course = tenant.course().text().film("film", seconds=30, size="1280x720")
    tenant.publish(course)
    until("an encoder at work", tenant.running.encoders, 60)
    (job,) = tenant.api.items("/v1/jobs")
    with killed_at(tenant, BUILDER, "build.after_stop"):
        assert tenant.api.cancel_job(job["job_id"])["state"] == "cancelling"
    until("cancelled", lambda: tenant.api.get(f"/v1/jobs/{job['job_id']}")["state"] == "cancelled", 60)
    version = tenant.version(course)
    assert version is not None and version["state"] == "failed"
    assert_settled(tenant)


def test_a_worker_killed_between_sending_and_noting_it(whole: Running) -> None:
    """The receiver gets the message twice under one id, and the log says that one attempt has no recorded answer."""
    with receiving() as receiver:
        hook = Hook(whole, receiver.url, FINISHED)
        with killed_at(hook.tenant, BUNDLER, "webhook.after_send"):
            event_id = hook.test()
        # Its lease is the time limit and a minute; nobody need wait for it here.
        whole.rows(
            "update webhook_deliveries set next_attempt_at = now() where event_id = %s and state = 'pending' returning 1",
            event_id,
        )
        log = hook.ended(event_id, "delivered")["log"]
        assert [heard.headers["webhook-id"] for heard in receiver.heard] == [event_id, event_id]
    assert [(attempt["status"], attempt["error"]) for attempt in log] == [(None, "no answer was recorded"), (200, "")]


def test_a_pause_outlives_the_workers(tenant: Tenant) -> None:
    running = tenant.running
    running.rows("update queues set paused_at = now(), paused_by = 'test' where name = 'build' returning name")
    try:
        course = tenant.course().text()
        tenant.publish(course)
        until("a job", lambda: list(tenant.api.items("/v1/jobs")))
        for process in running.processes("ray"):
            if process.pid in running.replicas(BUILDER):
                process.kill()
        running.workers_ready()
        until("a live replica", lambda: running.replicas(BUILDER), 60)
        (job,) = tenant.api.items("/v1/jobs")
        assert (job["state"], job["attempt"]) == ("queued", 0)
    finally:
        running.rows("update queues set paused_at = null, paused_by = null where name = 'build' returning name")
    tenant.built(course)
    assert_settled(tenant)
