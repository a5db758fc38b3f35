"""What years cost: the time per bundle of an enrolment with 1,000 and with 1,000,000 older bundles in the tables."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from bench.course import build_small_course
from bench.crowd import history
from bench.enrolment import all_ready, enrol, register
from bench.results import Result, at_most
from bench.stack import new_tenant
from cluster.connections import Connections
from cluster.settings import Settings

FEW, MANY = 1000, int(os.environ.get("CONTENT_BENCH_HISTORY", "1000000"))
ENROLMENTS, ROUNDS = 300, 2


def measure(home: Path, settings: Settings) -> list[Result]:
    return asyncio.run(_measure(home, settings))


async def _measure(home: Path, settings: Settings) -> list[Result]:
    connections = await Connections.open(settings)
    try:
        tenant = await new_tenant(connections)
        first, _ = await build_small_course(connections, home, tenant)
        await register(connections, tenant, ENROLMENTS)
        await asyncio.to_thread(history, home, tenant, FEW)
        await _enrolment(connections, home, tenant, first)  # warm
        before = min([await _once(connections, home, tenant) for _ in range(ROUNDS)])
        await asyncio.to_thread(history, home, tenant, MANY)
        after = min([await _once(connections, home, tenant) for _ in range(ROUNDS)])
    finally:
        await connections.close()
    per = 1000 / ENROLMENTS
    return [at_most(f"history: a bundle beside {MANY} older ones", after * per, "ms", before * per, 1.1)]


async def _once(connections: Connections, home: Path, tenant: str) -> float:
    course, _ = await build_small_course(connections, home, tenant)
    return await _enrolment(connections, home, tenant, course)


async def _enrolment(connections: Connections, home: Path, tenant: str, course: str) -> float:
    """Seconds until everybody's bundle of this course is ready."""
    began = time.perf_counter()
    await enrol(home, tenant, course, ENROLMENTS)
    await all_ready(connections, tenant, ENROLMENTS, course)
    return time.perf_counter() - began
