"""Somebody waits for one bundle while 100,000 of a new version are made: its time, against an empty queue."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path

from psycopg.types.json import Jsonb

from bench.course import build_small_course
from bench.crowd import superuser
from bench.enrolment import all_ready, enrol, register
from bench.results import Result, limit
from bench.stack import new_tenant
from cluster.connections import Connections
from cluster.database import fetch_one
from cluster.settings import Settings
from content.devices.identity import DeviceIdentity
from tasks import planning
from tasks.planning import Group

BULK = int(os.environ.get("CONTENT_BENCH_BULK", "100000"))
ROUNDS = 7


def measure(home: Path, settings: Settings) -> list[Result]:
    return asyncio.run(_measure(home, settings))


async def _measure(home: Path, settings: Settings) -> list[Result]:
    connections = await Connections.open(settings)
    try:
        crowd, one = await new_tenant(connections), await new_tenant(connections)
        _, package = await build_small_course(connections, home, crowd)
        courses = [(await build_small_course(connections, home, one))[0] for _ in range(2 * ROUNDS + 1)]
        await register(connections, one, 1)
        await _one(connections, home, one, courses.pop())  # warm
        alone = statistics.median([await _one(connections, home, one, courses.pop()) for _ in range(ROUNDS)])
        await asyncio.to_thread(_plan, home, crowd, package)
        group = Group(package, 1, "phone", "bulk")
        async with connections.db.tenant(crowd) as tx:
            await planning.call(tx, crowd, group, range(planning.slots(BULK)))
        await asyncio.sleep(2.0)
        beside = statistics.median([await _one(connections, home, one, courses.pop()) for _ in range(ROUNDS)])
        async with connections.db.tenant(crowd) as tx:
            row = await fetch_one(tx, "select count(*) as n from bundles where state in ('planned', 'claimed')")
            assert row is not None and row["n"] > BULK / 2, "the bulk was over too soon to be beside it"
            await tx.execute(b"update bundles set state = 'cancelled' where state = 'planned'")
    finally:
        await connections.close()
    return [limit(f"lanes: one bundle beside {BULK} bulk ones", beside, "s", 2 * alone + 1)]


def _plan(home: Path, tenant: str, package: str) -> None:
    """Devices, enrolments and planned rows of the lane bulk."""
    identity = DeviceIdentity.generate(tenant, os.urandom)
    with superuser(home) as connection:
        connection.execute(
            """insert into devices (tenant, device_id, learner_id, profile, signing_jwk, encryption_jwk)
               select %s, 'dev-' || n, 'learner-' || n, 'phone', %s, %s from generate_series(1, %s) as n""",
            [tenant, Jsonb(identity.signing_jwk), Jsonb(identity.encryption_jwk), BULK],
        )
        connection.execute(
            """insert into enrolments (tenant, enrollment_id, learner_id, course_id)
               select %s, 'enr-' || n, 'learner-' || n, 'crowd' from generate_series(1, %s) as n""",
            [tenant, BULK],
        )
        connection.execute(
            """insert into bundles (tenant, bundle_id, enrollment_id, learner_id, device_id, package_id, version, profile, lane)
               select %s, 'bnd_' || lpad(n::text, 26, '0'), 'enr-' || n, 'learner-' || n, 'dev-' || n, %s, 1, 'phone', 'bulk'
               from generate_series(1, %s) as n""",
            [tenant, package, BULK],
        )
        connection.execute("analyze")


async def _one(connections: Connections, home: Path, tenant: str, course: str) -> float:
    """Seconds from an enrolment to its bundle."""
    began = time.perf_counter()
    await enrol(home, tenant, course, 1)
    await all_ready(connections, tenant, 1, course)
    return time.perf_counter() - began
