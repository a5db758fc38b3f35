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
    """Each worker's successor is there before it is told to leave, as a rolling update with a surge of one does it."""
    tenant = Tenant(bare)
    tenant.device(LEARNER)
    workers = {f"{kind}-{n}": bare.worker(kind) for kind in ("relay", "builder", "bundler") for n in range(each)}
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
        left = {name: replace(bare, tenant, name, worker) for name, worker in workers.items()}
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


def replace(bare: Light, tenant: Tenant, name: str, worker: Worker) -> int:
    """Start a successor, then have the worker leave; its exit code."""
    bare.worker(name.partition("-")[0]).at_work()
    code = worker.at_work().leave()
    done = count(bare, tenant)
    # The stream goes on meanwhile: the next one leaves only when work was done after this one.
    until("work goes on", lambda: count(bare, tenant) > done, 90)
    return code
