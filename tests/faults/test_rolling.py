"""Workers are replaced one after the other under a stream of jobs: nothing is lost, nothing is done twice, nobody is blamed."""

from __future__ import annotations

import threading

import pytest

from tests.support.courses import Course
from tests.support.light import Light, Worker
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)

WAITING = 8
LEARNER = "learner-1"


@pytest.mark.parametrize(("each", "least"), [(1, 10), pytest.param(2, 40, marks=pytest.mark.slow)])
def test_rolling_workers_under_load_loses_nothing(bare: Light, each: int, least: int) -> None:
    """Successors are there before a worker is told to leave, as in a rolling update with a surge."""
    tenant = Tenant(bare)
    tenant.device(LEARNER)
    names = [f"{kind}-{n}" for kind in ("relay", "builder", "bundler") for n in range(each)]
    workers = {name: bare.worker(name.partition("-")[0]) for name in names}
    successors = [bare.worker(name.partition("-")[0]) for name in names]
    for worker in (*workers.values(), *successors):
        worker.at_work()
    courses: list[Course] = []
    rolled = threading.Event()

    def stream() -> None:
        """Enrolments and drafts for as long as workers are replaced, no fewer than `least`, a few of them always waiting."""
        while len(courses) < least or not rolled.is_set():
            if len(courses) - count(bare, tenant) >= WAITING:
                rolled.wait(0.1)
                continue
            course = tenant.course().text(f"Course {len(courses)}.")
            tenant.enrol(course, LEARNER)
            tenant.publish(course)
            courses.append(course)

    streaming = threading.Thread(target=stream)
    streaming.start()
    try:
        left = {name: leave(bare, tenant, worker) for name, worker in workers.items()}
    finally:
        rolled.set()
        streaming.join()
    assert set(left.values()) == {0}, left
    until("every course bundled", lambda: count(bare, tenant) == len(courses), 120, tenant.jobs)
    assert_settled(tenant, deadline_s=120)  # one version, one bundle and one event for each, and no leftovers
    versions = bare.rows(
        "select count(*) as n from package_versions where tenant = %s and state = 'published'", tenant.name
    )
    assert versions[0]["n"] == len(courses) >= least
    attempts = bare.rows("select attempt, count(*) as n from jobs where tenant = %s group by attempt", tenant.name)
    assert attempts == [{"attempt": 1, "n": len(courses)}], "what a leaving worker gave back is no failed attempt"
    suspects = bare.rows("select job_id from jobs where tenant = %s and starts > 0", tenant.name)
    assert suspects == []


def count(bare: Light, tenant: Tenant) -> int:
    return bare.rows("select count(*) as n from bundles where tenant = %s and state = 'ready'", tenant.name)[0]["n"]


def leave(bare: Light, tenant: Tenant, worker: Worker) -> int:
    """Have a worker leave in the middle of the stream; its exit code, once work was done after it."""
    code, done = worker.leave(), count(bare, tenant)
    until("work goes on", lambda: count(bare, tenant) > done, 90)
    return code
