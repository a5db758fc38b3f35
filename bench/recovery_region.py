"""The region that a drill loses: tenants, packages and bundles made by the real code, a part of their blobs taken away, and the
empty database that stands in for what comes after."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from bench.stack import new_tenant
from cluster import places
from cluster.connections import Connections
from cluster.database import fetch_all, fetch_one
from cluster.local import publishing
from cluster.local.home import read_json
from cluster.local.postgres import LOGINS, programs
from cluster.migrations import migrate
from cluster.neighbours import Listing
from cluster.queue import Work
from cluster.settings import Settings
from content.canonical import rfc3339
from content.devices.identity import DeviceIdentity
from tasks import build, bundle, intake, jobs
from tasks.planning import Group
from tasks.recovery.archive import Archiver
from tasks.recovery.restore_rows import summary
from tasks.recovery.restore_tables import logged

PACKAGES = int(os.environ.get("CONTENT_DRILL_PACKAGES", "1000"))
DEVICES = int(os.environ.get("CONTENT_DRILL_DEVICES", "8"))
TENANTS = 4
LOST = 4
"""Every so-many-th package loses its manifest and all that was encrypted of it."""


@dataclass
class Made:
    """What was populated, and how long the bundles took."""

    tenants: list[str]
    packages: int
    bundles: int
    bundling_s: float


async def populate(home: Path, connections: Connections) -> Made:
    """Drafts built and bundles encrypted by the code that does so in production, in this process."""
    tenants, bundling_s = [await new_tenant(connections) for _ in range(TENANTS)], 0.0
    for tenant in tenants:
        learners = await _devices(connections, tenant)
        for number in range(PACKAGES // TENANTS):
            course = f"course-{number}"
            _draft(home, tenant, course)
            await intake.receive(connections, _event("authoring.course_draft.published.v1", tenant, {
                "course_id": course, "draft_id": f"draft-{course}", "revision": 1, "published_at": rfc3339(datetime.now(UTC)),
            }))  # fmt: skip
            for learner in learners:
                await intake.receive(connections, _event("enrollment.created.v1", tenant, {
                    "enrollment_id": f"enr-{course}-{learner}", "learner_id": learner, "course_id": course,
                }))  # fmt: skip
        bundling_s += await _work(connections, tenant)
    counts = {"packages": 0, "bundles": 0}
    for tenant in tenants:
        async with connections.db.tenant(tenant) as tx:
            row = await fetch_one(
                tx,
                """select (select count(*) from package_versions where state = 'published') as packages,
                          (select count(*) from bundles where state = 'ready') as bundles""",
            )
            assert row is not None
            counts = {name: counts[name] + int(row[name]) for name in counts}
    assert counts["bundles"] == PACKAGES // TENANTS * TENANTS * DEVICES, counts
    return Made(tenants, counts["packages"], counts["bundles"], bundling_s)


async def _work(connections: Connections, tenant: str) -> float:
    """Build and encrypt what is due; returns the seconds of the latter."""
    async with connections.db.tenant(tenant) as tx:
        queued = await fetch_all(tx, "select job_id from jobs where state = 'queued' order by created_at")
    room = asyncio.Semaphore(4)

    async def one(job: str) -> None:
        async with room:
            async with connections.db.tenant(tenant) as tx:
                begun = await jobs.begin(tx, job)
            assert begun is not None
            await build.run(connections, begun)

    await asyncio.gather(*(one(row["job_id"]) for row in queued))
    async with connections.db.tenant(tenant) as tx:
        groups = await fetch_all(
            tx, "select distinct package_id, version, profile, lane, policy from bundles where state = 'planned'"
        )
    began = time.monotonic()
    for number, row in enumerate(groups):
        await bundle.drain(connections, Work(tenant, Group(**row).subject(0)), -1 - number)
    return time.monotonic() - began


async def _devices(connections: Connections, tenant: str) -> list[str]:
    learners = [f"learner-{number}" for number in range(DEVICES)]
    async with connections.db.tenant(tenant) as tx:
        for learner in learners:
            identity = DeviceIdentity.generate(tenant, os.urandom)
            await tx.execute(
                b"""insert into devices (tenant, device_id, learner_id, profile, signing_jwk, encryption_jwk)
                    values (%s, %s, %s, 'phone', %s, %s)""",
                [tenant, identity.id, learner, Jsonb(identity.signing_jwk), Jsonb(identity.encryption_jwk)],
            )
    return learners


def _draft(home: Path, tenant: str, course: str) -> None:
    words = f"{course}: " + "Birds of prey hunt by sight. " * 40
    draft = {
        "shape": 1, "course_id": course, "draft_id": f"draft-{course}", "revision": 1, "language": "en",
        "title": {"en": course}, "description": {"en": "Made for a drill."}, "license": "CC0-1.0",
        "units": [{"id": "u", "title": {"en": "Unit"}, "blocks": [{"type": "text", "id": "t", "text": {"en": words}}]}],
    }  # fmt: skip
    publishing.put_draft(home, tenant, draft, draft_id=str(draft["draft_id"]), revision=1)
    publishing.put_listing(home, tenant, Listing(course_id=course, title={"en": course}))


def _event(kind: str, tenant: str, data: dict[str, Any]) -> bytes:
    return json.dumps({
        "specversion": "1.0", "id": str(uuid.uuid4()), "source": "/drill", "type": kind, "subject": "x",
        "time": rfc3339(datetime.now(UTC)), "datacontenttype": "application/json", "data": {"tenant_id": tenant, **data},
    }).encode()  # fmt: skip


async def archive(settings: Settings, connections: Connections) -> tuple[int, float]:
    archiver, began = Archiver(settings, connections.objects), time.monotonic()
    try:
        done = 0
        while more := await archiver.carry():
            done += more
        return done, time.monotonic() - began
    finally:
        await archiver.close()


async def take_away(connections: Connections, tenant: str) -> dict[str, bytes]:
    """What is deleted, and a part of it to compare with."""
    async with connections.db.tenant(tenant) as tx:
        packages = await fetch_all(tx, "select package_id from packages order by package_id")
        lost = [row["package_id"] for row in packages[::LOST]]
        seals = await fetch_all(tx, "select index_path from seals where package_id = any(%s)", [lost])
    keys = [key for package in lost for key, _ in connections.objects.keys(f"packages/{tenant}/{package}/")]
    for row in seals:
        index = places.bundles(tenant) + row["index_path"]
        keys += [index, index.replace("index.json", "0.part")]
    kept = {key: connections.objects.get(key) for key in keys[:: max(1, len(keys) // 100)]}
    connections.objects.delete(keys)
    return kept


def base_backup(home: Path) -> tuple[float, float]:
    """Megabytes and seconds of a copy of the whole server, as the fast path begins with one."""
    state, secrets = read_json(home / "stack.json"), read_json(home / "keys" / "secrets.json")
    argv = [
        str(programs() / "pg_basebackup"), "-h", "127.0.0.1", "-p", str(state["ports"]["postgres"]), "-U", "postgres",
        "-D", "-", "-F", "t", "-X", "none", "-c", "fast",
    ]  # fmt: skip
    began = time.monotonic()
    with subprocess.Popen(
        argv, env={**os.environ, "PGPASSWORD": secrets["postgres"]}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as copy:
        assert copy.stdout is not None
        size = 0
        while piece := copy.stdout.read(1 << 20):
            size += len(piece)
    assert copy.returncode == 0
    return size / 1e6, time.monotonic() - began


async def summaries(connections: Connections, tenant: str) -> dict[str, tuple[int, str]]:
    async with connections.db.tenant(tenant) as tx:
        return {each.name: await summary(tx, each) for each in await logged(tx)}


@contextmanager
def empty_database(home: Path, settings: Settings) -> Iterator[Settings]:
    """Another database on the same server, migrated: the region as it begins after it was lost."""
    state, secrets = read_json(home / "stack.json"), read_json(home / "keys" / "secrets.json")
    name = "drill"
    with psycopg.connect(
        host="127.0.0.1", port=state["ports"]["postgres"], user="postgres", password=secrets["postgres"],
        dbname="postgres", autocommit=True,
    ) as connection:  # fmt: skip
        connection.execute(f"create database {name} owner content_owner".encode())
        for login in LOGINS:
            connection.execute(f"grant connect, temporary on database {name} to {login}".encode())
    roles = ("owner", "api", "worker", "relay", "ops")
    dsns = {
        f"postgres_{role}": SecretStr(
            urlunsplit(urlsplit(getattr(settings, f"postgres_{role}").get_secret_value())._replace(path=f"/{name}"))
        )
        for role in roles
    }
    empty = settings.model_copy(update=dsns)
    migrate(empty)
    yield empty
