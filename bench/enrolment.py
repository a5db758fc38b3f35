"""1,000 devices enrolled at once on one small package, through the running pools: bundles a second, reads, signatures."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from psycopg.types.json import Jsonb

from bench.course import build_small_course
from bench.results import Result, fact, limit
from bench.stack import new_tenant
from cluster.connections import Connections
from cluster.database import fetch_all, fetch_one
from cluster.local import publishing
from cluster.local.home import read_json
from cluster.settings import Settings
from content.devices.identity import DeviceIdentity

DEVICES, BATCH = 1000, 64
DEADLINE_S = 600.0


def measure(home: Path, settings: Settings) -> list[Result]:
    return asyncio.run(_measure(home, settings))


async def _measure(home: Path, settings: Settings) -> list[Result]:
    connections = await Connections.open(settings)
    try:
        tenant = await new_tenant(connections)
        course, package_id = await build_small_course(connections, home, tenant)
        files = await _sources(connections, tenant, package_id)
        await register(connections, tenant, DEVICES)
        gets = _gets(home)
        began = time.perf_counter()
        await enrol(home, tenant, course, DEVICES)
        await all_ready(connections, tenant, DEVICES)
        elapsed = time.perf_counter() - began
        signatures = await signature_calls(connections, tenant)
        reads = _gets(home) - gets
    finally:
        await connections.close()
    return [
        fact(f"enrolment: {DEVICES} devices at once", DEVICES / elapsed, "bundles/s"),
        limit(f"enrolment: signature calls for {DEVICES} bundles", signatures, "calls", -(-DEVICES // BATCH)),
        # Each worker reads the manifest once more, to know what to seal; that is left out.
        limit("enrolment: GETs at the store per batch and file", (reads - 2) / signatures / files, "", 1.0),
    ]


async def register(connections: Connections, tenant: str, count: int) -> None:
    """Devices as rows: what is measured begins with the enrolment."""
    rows: list[tuple[Any, ...]] = []
    for number in range(count):
        device = DeviceIdentity.generate(tenant, os.urandom)
        jwks = Jsonb(device.signing_jwk), Jsonb(device.encryption_jwk)
        rows.append((tenant, device.id, f"learner-{number}", "phone", *jwks))
    async with connections.db.tenant(tenant) as tx, tx.cursor() as cursor:
        await cursor.executemany(
            b"""insert into devices (tenant, device_id, learner_id, profile, signing_jwk, encryption_jwk)
                values (%s, %s, %s, %s, %s, %s)""",
            rows,
        )


async def enrol(home: Path, tenant: str, course: str, count: int) -> None:
    """Publish an enrolment for each of the learners, as fast as the stream takes them."""
    events: list[tuple[str, str, Mapping[str, Any]]] = [_enrolment(tenant, course, n) for n in range(count)]
    await asyncio.to_thread(publishing.publish_many, home, events)


def _enrolment(tenant: str, course: str, number: int) -> tuple[str, str, dict[str, str]]:
    enrolment = f"enr-{number}-{uuid.uuid4().hex[:6]}"
    data = {
        "tenant_id": tenant,
        "enrollment_id": enrolment,
        "learner_id": f"learner-{number}",
        "course_id": course,
    }
    return "enrollment.created.v1", enrolment, data


async def all_ready(connections: Connections, tenant: str, count: int, course: str | None = None) -> None:
    """Wait until so many bundles of the tenant, or of one of its courses, are ready.

    Asking must not cost what is measured, however many bundles there are: a course's package is looked up first, since a plan
    that does not know which package it is reads them all.
    """
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        async with connections.db.tenant(tenant) as tx:
            if course is None:
                row = await fetch_one(tx, "select count(*) as n from bundles where state = 'ready'")
            else:
                (package,) = await fetch_all(tx, "select package_id from packages where course_id = %s", [course])
                row = await fetch_one(
                    tx,
                    "select count(*) as n from bundles where package_id = %s and state = 'ready'",
                    [package["package_id"]],
                )
        if row and row["n"] >= count:
            return
        await asyncio.sleep(0.02 if count == 1 else 0.1)
    raise TimeoutError(f"not all bundles were ready after {DEADLINE_S:.0f} s")


async def signature_calls(connections: Connections, tenant: str) -> int:
    """Signature calls: every call is one tree head."""
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(tx, "select count(distinct signature->>'tree_head') as n from licences")
    assert row is not None
    return int(row["n"])


async def _sources(connections: Connections, tenant: str, package_id: str) -> int:
    """How many files a phone's bundle holds, the manifest among them."""
    from tasks.contents import read_contents
    from tasks.planning import Group

    contents = await read_contents(connections, tenant, Group(package_id, 1, "phone", "interactive"))
    return len(contents.sources)


def _gets(home: Path) -> int:
    """GETs of objects that the S3 server counted itself."""
    port = read_json(home / "stack.json")["ports"]["s3_metrics"]
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    lines = [
        line for line in text.splitlines() if line.startswith("SeaweedFS_s3_request_total") and 'type="GET"' in line
    ]
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines))
