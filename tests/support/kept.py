"""A tenant with a package, two learners and their bundles, on a Postgres of the test's own and an S3 in this process (moto):
what tests of storage need, without a stack.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from moto import mock_aws
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from cluster import places
from cluster.connections import Connections
from cluster.database import Database, Transaction, fetch_all
from cluster.local.postgres import DATABASE
from cluster.objects import Objects
from cluster.settings import Settings
from content.canonical import digest
from content.errors import NotYet
from tasks import jobs
from tasks.keeping import gc
from tasks.recovery.archive import Archiver
from tests.support.plain_postgres import PlainPostgres, owned

T = TypeVar("T")
ADA, BOB, PACKAGE, COURSE = "ada@school", "bob@school", "pkg_1", "course-1"
BIG = b"p" * 200_000


class Keys:
    """All that a deletion asks of the key service."""

    def __init__(self) -> None:
        self.disabled: list[str] = []

    def disable(self, name: str, kid: str) -> None:
        self.disabled.append(name)


@dataclass
class World:
    """One tenant in one database and one bucket."""

    settings: Settings
    objects: Objects
    tenant: str
    keys: Keys

    def run(self, work: Callable[[Connections], Awaitable[T]]) -> T:
        async def inside() -> T:
            db = await Database(self.settings.postgres_worker.get_secret_value(), size=4).open()
            ops = await Database(self.settings.postgres_ops.get_secret_value(), size=2).open()
            try:
                return await work(Connections(self.settings, db, ops, self.objects, cast("Any", self.keys)))
            finally:
                await db.close()
                await ops.close()

        return asyncio.run(inside())

    def tx(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async def inside(connections: Connections) -> T:
            async with connections.db.tenant(self.tenant) as tx:
                return await work(tx)

        return self.run(inside)

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        return self.tx(lambda tx: fetch_all(tx, sql, list(values)))

    def do(self, *statements: tuple[str, list[Any]]) -> None:
        async def all_of(tx: Transaction) -> None:
            for sql, values in statements:
                await tx.execute(sql.encode(), values)

        self.tx(all_of)

    def job(self, kind: Any, job: str) -> dict[str, Any]:
        """One attempt at a job; its row afterwards."""

        async def attempt(connections: Connections) -> None:
            async with connections.db.tenant(self.tenant) as tx:
                begun = await jobs.begin(tx, job)
            assert begun is not None
            try:
                await kind.run(connections, begun)
            except NotYet as error:
                async with connections.db.tenant(self.tenant) as tx:
                    await jobs.put_back(tx, job, begun["attempt"], str(error), tried=False, keep=True)

        self.run(attempt)
        return self.rows("select state, attempt, progress, result from jobs where job_id = %s", job)[0]

    def hot(self, key: str) -> bool:
        found = self.objects.head(key)
        assert found is not None, key
        return found.get("StorageClass", "STANDARD") == "STANDARD"

    def keys_there(self) -> set[str]:
        return {key for kind in gc.KINDS for key, _ in self.objects.keys(f"{kind}{self.tenant}/")}


@contextmanager
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainPostgres]:
    """A migrated server, for as long as the block lasts."""
    folder = tmp_path_factory.mktemp("kept")
    owned(folder)
    folder.chmod(0o755)
    for parent in folder.parents[:2]:
        parent.chmod(0o755)
    server = (
        PlainPostgres(Path(folder) / "server", Path(folder) / "wal")
        .made()
        .start(archive_mode="off", fsync="off")
        .migrated()
    )
    yield server
    server.stop()


NUMBER = iter(range(1000))


@contextmanager
def made(postgres: PlainPostgres) -> Iterator[World]:
    """A world with a tenant and a bucket of its own."""
    with mock_aws():
        settings = postgres.settings.model_copy(
            update={
                "s3_bucket": "content", "s3_access_key": SecretStr("x"), "s3_secret_key": SecretStr("x"),
                "cold_storage": "glacier", "archive_lock_days": 0, "lease_s": 0.0,
            }
        )  # fmt: skip
        objects = Objects(settings)
        objects.client.create_bucket(Bucket="content", ObjectLockEnabledForBucket=True)
        found = World(settings, objects, f"t-{next(NUMBER)}", Keys())
        _fill(found)
        yield found


def _fill(world: World) -> None:
    """A package with a version of one asset, a bundle of it for each of two learners, an export."""
    tenant, put = world.tenant, world.objects.put
    asset, manifest = digest(BIG + tenant.encode()), digest(b"manifest")
    put(places.asset(tenant, asset), BIG)
    put(places.manifest(tenant, PACKAGE, 1, manifest), b"manifest")
    key = f"exports/{tenant}/{PACKAGE}/1/exp_1/a/course.zip"
    put(key, BIG)
    statements: list[tuple[str, list[Any]]] = [
        ("insert into tenants (tenant, region) values (%s, 'eu')", [tenant]),
        ("insert into signing_keys (tenant, kid, purpose, key_name, jwk, not_before, not_after) values (%s, 'k', 'signing', 'n', '{}', now(), now())", [tenant]),
        ("insert into packages (tenant, package_id, course_id) values (%s, %s, %s)", [tenant, PACKAGE, COURSE]),
        ("""insert into package_versions (tenant, package_id, version, draft_id, revision, drafted_at, state, manifest_digest,
            manifest_bytes, published_at) values (%s, %s, 1, 'd', 1, now(), 'published', %s, 8, now())""", [tenant, PACKAGE, manifest]),
        ("insert into assets (tenant, digest, media_type, size_bytes) values (%s, %s, 'image/webp', %s)", [tenant, asset, len(BIG)]),
        ("insert into version_assets (tenant, package_id, version, digest) values (%s, %s, 1, %s)", [tenant, PACKAGE, asset]),
        ("""insert into exports (tenant, export_id, package_id, version, format, options, exporter_version, player_version, state,
            job_id, key, file_name, size_bytes, digest, passport, ready_at, last_used)
            values (%s, 'exp_1', %s, 1, 'html', '{}', 1, 'x', 'ready', 'j', %s, 'course.zip', %s, 'd', '{}', now(), now())""",
         [tenant, PACKAGE, key, len(BIG)]),
        ("insert into jobs (tenant, job_id, kind, subject, state) values (%s, 'j', 'export', '{}', 'succeeded')", [tenant]),
    ]  # fmt: skip
    for name, learner in (("a", ADA), ("b", BOB)):
        device, bundle = f"device-{name}", f"bnd_{name}"
        for path in ("index", "part-0"):
            put(f"bundles/{tenant}/{bundle}/{path}", BIG if path != "index" else b"index")
        statements += [
            ("""insert into idempotency_keys (tenant, subject, key, request, body_digest, status, headers, body, expires_at)
                values (%s, %s, 'k', 'r', 'd', 200, '{}', %s, now() + interval '1 day')""",
             [tenant, f"token:{learner}", json.dumps({"learner_id": learner})]),
            ("insert into enrolments (tenant, enrollment_id, learner_id, course_id) values (%s, %s, %s, %s)", [tenant, f"enr-{name}", learner, COURSE]),
            ("insert into devices (tenant, device_id, learner_id, profile, signing_jwk, encryption_jwk) values (%s, %s, %s, 'phone', %s, %s)",
             [tenant, device, learner, Jsonb({"x": 1}), Jsonb({"x": 2})]),
            ("insert into content_keys (tenant, package_id, scope, epoch, kid, wrapped) values (%s, %s, %s, 1, %s, 'w')", [tenant, PACKAGE, device, f"key-{name}"]),
            ("""insert into seals (tenant, seal_id, package_id, version, profile, scope, epoch, state, attempt, index_path, index_size,
                index_digest, kids, total_bytes, new_bytes, ready_at)
                values (%s, %s, %s, 1, 'phone', %s, 1, 'ready', 'a', %s, 5, 'd', '{}', 1, 1, now())""",
             [tenant, bundle, PACKAGE, device, f"{bundle}/index"]),
            ("insert into parts (tenant, path, size_bytes, digest) values (%s, %s, %s, 'd')", [tenant, f"{bundle}/part-0", len(BIG)]),
            ("insert into seal_parts (tenant, seal_id, number, path) values (%s, %s, 0, %s)", [tenant, bundle, f"{bundle}/part-0"]),
            ("""insert into bundles (tenant, bundle_id, enrollment_id, learner_id, device_id, package_id, version, profile, state, seal_id,
                ready_at) values (%s, %s, %s, %s, %s, %s, 1, 'phone', 'ready', %s, now())""",
             [tenant, bundle, f"enr-{name}", learner, device, PACKAGE, bundle]),
            ("""insert into licences (tenant, bundle_id, issue, document, signature, not_after, issued_at, kid)
                values (%s, %s, 1, '{}', '{}', now() + interval '1 day', now(), 'k')""", [tenant, bundle]),
            ("insert into device_sequences (tenant, device_id, package_id) values (%s, %s, %s)", [tenant, device, PACKAGE]),
            ("insert into device_proofs (tenant, device_id, jti, expires_at) values (%s, %s, 'x', now())", [tenant, device]),
            ("""insert into outbox (tenant, id, partition, key, sequence, type, data, published_at)
                values (%s, gen_random_uuid(), 0, %s, 1, 't', %s, now())""", [tenant, device, Jsonb({"learner_id": learner})]),
        ]  # fmt: skip
    world.do(*statements)


def carried(world: World) -> int:
    """How many changes went into the archive now."""

    async def carry() -> int:
        archiver = Archiver(world.settings, world.objects)
        try:
            return await archiver.carry()
        finally:
            await archiver.close()

    return asyncio.run(carry())


def copied(postgres: PlainPostgres, source: str, name: str) -> None:
    postgres.execute(f"create database {name} template {source} owner content_owner", database="postgres")


@contextmanager
def set_back(postgres: PlainPostgres) -> Iterator[None]:
    """Behind this block the database is as it was before it; the bucket and NATS are not."""
    postgres.execute("drop database if exists before", database="postgres")
    copied(postgres, DATABASE, "before")
    yield
    postgres.execute(f"drop database {DATABASE}", database="postgres")
    postgres.execute(f"alter database before rename to {DATABASE}", database="postgres")
