"""Keys through their years, on both key services: the calendar, an emergency, the drill and its record, and the end.

Postgres and the key service are the real ones (AWS KMS as moto plays it); no worker runs, each step is done here.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import boto3.session
import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr

from cluster.connections import Connections
from cluster.database import fetch_all, fetch_one
from cluster.keys import KeyService, connect
from cluster.local.keys import Keys
from cluster.local.part import Site
from cluster.local.postgres import LOGINS, Postgres, conninfo
from cluster.migrations import migrate
from cluster.queue import Work
from cluster.settings import Settings
from content.errors import ContentError
from content.jwk import thumbprint, unb64
from content.trust.lists import TrustList
from tasks import audit, drill, key_ends, lists, rotation, rotation_job, tenants
from tests.support.faulty_keys import FaultyKeys
from tests.support.key_services import alone, kms_settings, moto, of_openbao, operator_token, two_regions
from tests.support.second_database import written

pytestmark = pytest.mark.timeout(180)
T = TypeVar("T")
DAY = timedelta(days=1)
NAMES = count(1)
AWAY = "http://127.0.0.1:9"
KMS_SLOWLY = pytest.mark.parametrize("world", ["openbao", pytest.param("kms", marks=pytest.mark.slow)], indirect=True)
"""What hardly differs between the two is tried on KMS in `make test-all`."""


@dataclass
class World:
    """A database with a key service; work is done with the connections of a worker."""

    kind: str
    settings: Settings
    operators: Settings
    site: Site
    regions: tuple[FaultyKeys, ...] = ()

    def do(self, work: Callable[[Connections], Awaitable[T]], keys: KeyService | None = None) -> T:
        async def run() -> T:
            connections = await Connections.open(self.settings, size=2)
            try:
                return await work(replace(connections, keys=keys) if keys else connections)
            finally:
                await connections.close()

        return asyncio.run(run())

    def tenant(self, *, drills: bool = False) -> str:
        name, now = f"keys-{self.kind}-{next(NAMES)}", datetime.now(UTC)

        async def make(connections: Connections) -> None:
            async with connections.db.tenant(name) as tx:
                await tenants.create(connections, tx, name, region="eu", policy=None, actor="test", now=now)
            if drills:
                self.sql("update tenants set settings = '{\"drill\": true}' where tenant = %s", name)

        self.do(make)
        return name

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """As the superuser."""
        dsn = conninfo(self.site, "postgres")
        with psycopg.Connection[dict[str, Any]].connect(dsn, row_factory=dict_row, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def licence(self, tenant: str, kid: str, ends: datetime) -> None:
        """A licence in force, without its bundle."""
        with psycopg.connect(conninfo(self.site, "postgres"), autocommit=True) as connection:
            connection.execute(b"set session_replication_role = replica")  # foreign keys aside
            connection.execute(
                b"""insert into licences (tenant, bundle_id, issue, document, signature, issued_at, not_after, kid)
                    values (%s, 'bnd_x', 1, '', '{}', now(), %s, %s)""",
                [tenant, ends, kid],
            )

    def keys(self, tenant: str, purpose: str = "signing") -> list[dict[str, Any]]:
        return self.sql(
            "select * from signing_keys where tenant = %s and purpose = %s order by not_before, kid", tenant, purpose
        )

    def signs(self, row: dict[str, Any], settings: Settings | None = None) -> bool:
        try:
            return len(connect(settings or self.settings).sign(row["key_name"], b"x", row["kid"])) == 64
        except ContentError as error:
            assert error.code == "key-refused", error
            return False

    def upkeep(self, tenant: str, now: datetime) -> None:
        """What the bundler pool does every hour, at this time."""

        async def tend(connections: Connections) -> None:
            await lists.renew(connections, tenant, now)
            await key_ends.tend(connections, tenant, now)
            await drill.turn(connections, tenant, now)

        self.do(tend)

    def work_off(self, tenant: str, keys: KeyService | None = None) -> dict[str, Any]:
        """The job that signs again; its row afterwards."""
        (job,) = self.sql(
            "select job_id from jobs where tenant = %s and kind = 'rotation' and state in ('queued', 'running')", tenant
        )
        self.do(lambda connections: rotation_job.run(connections, Work(tenant, job["job_id"])), keys)
        return self.sql("select * from jobs where tenant = %s and job_id = %s", tenant, job["job_id"])[0]

    def audit(self, tenant: str) -> list[tuple[str, dict[str, Any]]]:
        rows = self.sql("select action, details from audit_log where tenant = %s order by n", tenant)
        return [(row["action"], row["details"]) for row in rows]


@pytest.fixture(scope="module", params=["openbao", "kms"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("keys") / "home"
    parts = (Postgres(), Keys()) if request.param == "openbao" else (Postgres(),)
    with alone(folder, *parts) as site:
        dsns = {f"postgres_{each.removeprefix('content_')}": SecretStr(conninfo(site, each)) for each in LOGINS}
        if request.param == "openbao":
            settings = Settings(**dsns, **of_openbao(site))  # pyright: ignore[reportArgumentType]
            operators = settings.model_copy(update={"openbao_token": SecretStr(operator_token(site))})
            migrate(settings)
            yield World("openbao", settings, operators, site)
            return
        with moto() as url, two_regions(url) as regions:
            settings = kms_settings(regions[0].url, regions[1].url, **dsns)
            migrate(settings)
            yield World("kms", settings, settings, site, regions)


def test_keys_go_their_yearly_round_in_the_key_service_too(world: World) -> None:
    """Nothing rotates an asymmetric key but we: another key, another alias, another kid; and the old one is disabled."""
    tenant, now = world.tenant(), datetime.now(UTC)
    period, lead = (timedelta(seconds=getattr(world.settings, f"key_{name}_s")) for name in ("period", "lead"))
    world.upkeep(tenant, now)
    (first,) = world.keys(tenant)
    assert first["replicated_at"] is not None
    announced = now + period - lead + DAY
    world.upkeep(tenant, announced)
    first, second = world.keys(tenant)
    assert (first["status"], second["status"]) == ("active", "active")
    assert second["key_name"] == f"{tenant}.signing.2"
    assert thumbprint(connect(world.settings).public_jwk(second["key_name"])) == second["kid"]
    assert world.signs(second) and world.signs(first)

    begun = second["not_before"] + DAY / 24
    world.upkeep(tenant, begun)
    assert world.keys(tenant)[0]["status"] == "retired"
    assert world.signs(first), "a batch in flight is let through"
    world.upkeep(tenant, begun + 2 * DAY)
    first, second = world.keys(tenant)
    assert first["disabled_at"] is not None and second["disabled_at"] is None
    assert not world.signs(first) and world.signs(second)
    assert ("keys.disabled", {"kid": first["kid"], "status": "retired"}) in world.audit(tenant)


@KMS_SLOWLY
def test_roots_take_turns_and_the_old_one_signs_no_more(world: World) -> None:
    tenant, now = world.tenant(), datetime.now(UTC)

    async def rotate(connections: Connections) -> None:
        async with connections.db.tenant(tenant) as tx:
            await rotation.roots(tx, connections, tenant, now)

    world.do(rotate)
    world.upkeep(tenant, now + 2 * DAY)
    by_status = {row["status"]: row for row in world.keys(tenant, "root")}
    assert not world.signs(by_status["retired"]) and world.signs(by_status["active"])
    world.upkeep(tenant, now + 380 * DAY)  # and the list is renewed by the one that is left


@KMS_SLOWLY
def test_a_revoked_key_is_disabled_by_the_job_that_signs_again(world: World) -> None:
    tenant, now = world.tenant(), datetime.now(UTC)

    async def emergency(connections: Connections) -> None:
        async with connections.db.tenant(tenant) as tx:
            done = await rotation.emergency(tx, connections, tenant, now, kid=None, reason="stolen")
            subject = {"kind": "emergency", "kid": str(done.replaced), "new_kid": done.kid}
            await rotation_job.plan(tx, tenant, subject)

    world.do(emergency)
    old, new = sorted(world.keys(tenant), key=lambda row: row["status"], reverse=True)
    assert (old["status"], new["status"]) == ("revoked", "active")
    assert world.work_off(tenant)["state"] == "succeeded"
    assert not world.signs(old) and world.signs(new)


def test_the_drill_comes_by_the_calendar_and_leaves_a_record(world: World) -> None:
    tenant, other, now = world.tenant(drills=True), world.tenant(), datetime.now(UTC)
    world.upkeep(other, now)
    assert not world.sql("select 1 as x from drills where tenant = %s", other), "nobody is drilled who is not marked"
    world.upkeep(tenant, now)
    (begun,) = world.sql("select * from drills where tenant = %s", tenant)
    assert (begun["cause"], begun["passed"]) == ("calendar", None)
    assert world.work_off(tenant)["state"] == "succeeded"
    (done,) = world.sql("select * from drills where tenant = %s", tenant)
    assert done["passed"] is True
    assert len(done["record"]["checks"]) == 6 and all(done["record"]["checks"].values())
    assert done["record"]["seconds"] >= 0
    actions = [action for action, _ in world.audit(tenant)]
    assert actions[-4:] == ["keys.drill", "keys.disabled", "keys.drill-passed", "keys.signed-again"]
    assert world.audit(tenant)[-2][1] == done["record"]

    async def intact(connections: Connections) -> bool:
        async with connections.db.tenant(tenant) as tx:
            return (await audit.verify(tx, tenant)).broken_at is None

    assert world.do(intact)
    world.upkeep(tenant, now + DAY)
    assert len(world.sql("select 1 as x from drills where tenant = %s", tenant)) == 1, "not before its time"
    world.upkeep(tenant, now + timedelta(seconds=world.settings.drill_period_s) + DAY)
    assert len(world.sql("select 1 as x from drills where tenant = %s", tenant)) == 2


@KMS_SLOWLY
def test_a_drill_after_which_the_stolen_key_still_signs_has_failed(world: World) -> None:
    """Somebody's key service that says yes and does nothing."""
    tenant, now = world.tenant(drills=True), datetime.now(UTC)
    world.upkeep(tenant, now)
    lazy = connect(world.settings)
    lazy.disable = lambda name, kid: None  # type: ignore[method-assign]
    world.work_off(tenant, lazy)
    (done,) = world.sql("select * from drills where tenant = %s", tenant)
    assert done["passed"] is False
    assert [name for name, held in done["record"]["checks"].items() if not held] == ["the old key signs no more"]
    assert "keys.drill-failed" in [action for action, _ in world.audit(tenant)]


@KMS_SLOWLY
def test_how_long_ago_the_last_drill_passed_is_known_to_operations(world: World) -> None:
    tenant, now = world.tenant(drills=True), datetime.now(UTC)
    world.upkeep(tenant, now)
    world.work_off(tenant)

    async def age(connections: Connections, later: timedelta) -> dict[str, Any]:
        async with connections.ops.connection() as ops:
            return await drill.age(ops, now + later)

    fresh = world.do(lambda connections: age(connections, timedelta()))
    assert fresh["age_s"] < 600 and fresh["drills"] >= 1
    old = world.do(lambda connections: age(connections, 100 * DAY))
    assert old["age_s"] == pytest.approx(100 * 86_400, abs=600)


def test_a_key_is_deleted_by_an_operator_when_its_last_licence_has_ended_and_not_before(
    world: World, tmp_path: Path
) -> None:
    tenant, now = world.tenant(), datetime.now(UTC)
    period = timedelta(seconds=world.settings.key_period_s)
    (first,) = world.keys(tenant)
    operator = connect(world.operators)

    def delete(at: datetime) -> datetime:
        return world.do(
            lambda connections: key_ends.schedule_deletion(connections, tenant, first["kid"], "operator ada", at),
            operator,
        )

    with pytest.raises(ContentError, match="not disabled yet"):
        delete(now)
    command = [
        Path(sys.executable).parent / "content-service",
        "keys",
        "delete",
        tenant,
        first["kid"],
        "--actor",
        "ada",
    ]
    environment = {**os.environ, "CONTENT_SETTINGS": str(written(world.operators, tmp_path / "settings.json"))}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode != 0 and "not disabled yet" in " ".join((told.stdout + told.stderr).split())
    world.upkeep(tenant, now + period - 20 * DAY)
    end = world.keys(tenant)[1]["not_before"] + DAY
    world.upkeep(tenant, end)
    world.upkeep(tenant, end + 2 * DAY)
    world.licence(tenant, first["kid"], end + 30 * DAY)
    with pytest.raises(ContentError, match="the last licence it signed ends"):
        delete(end + 3 * DAY)
    world.sql("update licences set not_after = %s where tenant = %s", end + 2 * DAY, tenant)
    world.upkeep(tenant, end + 3 * DAY)
    gone = delete(end + 3 * DAY)
    assert gone - (end + 3 * DAY) >= 29 * DAY
    assert delete(end + 4 * DAY) == gone, "once"
    assert not world.signs(first)
    assert "keys.deletion-scheduled" in [action for action, _ in world.audit(tenant)]
    if world.kind == "kms":
        for region, proxy in zip(("eu-central-1", "eu-west-1"), world.regions, strict=True):
            client: Any = boto3.session.Session().client(
                "kms", region_name=region, endpoint_url=proxy.url, aws_access_key_id="t", aws_secret_access_key="t"
            )
            assert client.describe_key(KeyId=f"alias/content/kid/{first['kid']}")["KeyMetadata"]["KeyState"] == (
                "PendingDeletion"
            )
            windows = {call.parameters["PendingWindowInDays"] for call in proxy.of("ScheduleKeyDeletion")}
            assert windows == {30}


@pytest.mark.parametrize("world", ["kms"], indirect=True)
def test_an_emergency_does_not_wait_for_a_region_that_is_away(world: World) -> None:
    """The new key is made in the other region, and copied when the first one is back."""
    tenant, now = world.tenant(), datetime.now(UTC)
    halved = connect(world.settings.model_copy(update={"kms_endpoint": AWAY}))

    async def emergency(connections: Connections) -> None:
        async with connections.db.tenant(tenant) as tx:
            done = await rotation.emergency(tx, connections, tenant, now, kid=None, reason="stolen")
            subject = {"kind": "emergency", "kid": str(done.replaced), "new_kid": done.kid}
            await rotation_job.plan(tx, tenant, subject)

    world.do(emergency, halved)
    assert world.work_off(tenant, halved)["state"] == "succeeded"
    old, new = sorted(world.keys(tenant), key=lambda row: row["status"], reverse=True)
    assert old["disabled_at"] is None, "it could still sign where nobody answers"
    assert (new["status"], new["replicated_at"]) == ("active", None)

    async def listed(connections: Connections) -> TrustList:
        async with connections.db.tenant(tenant) as tx:
            row = await fetch_one(tx, "select document from trust_lists order by version desc limit 1")
            assert row is not None
            return TrustList.parse(unb64(row["document"]["payload"]))

    assert {key.kid: str(key.status) for key in world.do(listed).keys} == {old["kid"]: "revoked", new["kid"]: "active"}
    world.upkeep(tenant, now)
    old, new = sorted(world.keys(tenant), key=lambda row: row["status"], reverse=True)
    assert old["disabled_at"] is not None and new["replicated_at"] is not None
    for away in ("kms_endpoint", "kms_replica_endpoint"):
        assert world.signs(new, world.settings.model_copy(update={away: AWAY}))


@KMS_SLOWLY
def test_what_ought_to_have_been_done_is_counted(world: World) -> None:
    tenant, now = world.tenant(), datetime.now(UTC)

    async def overdue(connections: Connections, later: timedelta) -> dict[str, int]:
        async with connections.ops.connection() as ops:
            await fetch_all(ops, "select 1 as x")
            return await key_ends.overdue(ops, now + later)

    before = world.do(lambda connections: overdue(connections, timedelta()))
    world.sql("update signing_keys set status = 'revoked' where tenant = %s and purpose = 'signing'", tenant)
    assert world.do(lambda connections: overdue(connections, timedelta())) == before, "not at once"
    late = world.do(lambda connections: overdue(connections, 4 * timedelta(hours=1)))
    assert late["enabled"] >= before["enabled"] + 1
    assert late["alone"] >= before["alone"] + 1  # its root was not copied either
