"""A region restored into an empty database on a Postgres of the test's own and an S3 in this process: how it ends, and what it leaves
to the builders. NATS has nothing to tell here (tests/tasks/test_heard_after_loss.py has one); what needs keys, devices and real builds is
in tests/faults/test_recovery.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from cluster.eventlog import state
from cluster.local.postgres import DATABASE
from content.errors import ContentError
from tasks import jobs
from tasks.recovery import restore, restore_blobs, restore_packages, restore_rows
from tasks.recovery.restore import Restore, Restored
from tasks.recovery.restore_blobs import Outcome
from tests.support.kept import PACKAGE, World, carried, made, served
from tests.support.plain_postgres import PlainPostgres

pytestmark = pytest.mark.xdist_group("servers")
NAME = "s3://content"
VERSION = f"{PACKAGE}/1"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainPostgres]:
    with served(tmp_path_factory) as found:
        found.execute(f"create database clean template {DATABASE} owner content_owner", database="postgres")
        yield found


@pytest.fixture
def lost(postgres: PlainPostgres) -> Iterator[World]:
    """A region with a tenant, all of it archived."""
    postgres.execute(f"drop database {DATABASE}", database="postgres")
    postgres.execute(f"create database {DATABASE} template clean owner content_owner", database="postgres")
    with made(postgres) as world:
        world.do(("update signing_keys set status = 'retired'", []))
        carried(world)
        yield world


@pytest.fixture
def world(lost: World, postgres: PlainPostgres, monkeypatch: pytest.MonkeyPatch) -> World:
    """The region's bucket with an empty database."""

    async def none(*_: Any) -> int:
        return 0

    monkeypatch.setattr(restore.hearing, "again", none)
    postgres.execute("drop database if exists restored", database="postgres")
    postgres.execute("create database restored template clean owner content_owner", database="postgres")
    names = [f"postgres_{role}" for role in ("owner", "api", "worker", "relay", "ops")]
    dsns = {name: _at(getattr(lost.settings, name), "restored") for name in names}
    return replace(lost, settings=lost.settings.model_copy(update={**dsns, "lease_s": 10.0}))


def _at(dsn: SecretStr, name: str) -> SecretStr:
    return SecretStr(urlunsplit(urlsplit(dsn.get_secret_value())._replace(path=f"/{name}")))


def restored(world: World, *, builds: bool = False) -> Restored:
    return world.run(lambda connections: Restore(connections, world.objects, NAME, builds=builds).run())


def items(world: World) -> dict[str, str]:
    return {row["subject"]: row["state"] for row in world.rows("select subject, state from restore_items")}


def whole(world: World) -> bool:
    async def asked(connections: Any) -> bool:
        async with connections.db.connection() as connection:
            try:
                await state.require_whole(connection)
            except ContentError:
                return False
        return True

    return world.run(asked)


# -- its end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["restore_rows.clear", "state.begin_next", "Restore._end"])
def test_killed_at_its_end_it_leaves_no_rows_and_may_be_called_again(
    world: World, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """In the last loop, before the end is noted, and while it is."""

    async def killed(*arguments: Any) -> None:
        if where != "Restore._end" or "restore" in arguments:
            raise KeyboardInterrupt

    place, _, name = where.partition(".")
    with monkeypatch.context() as death:
        if where == "Restore._end":
            end = Restore._end

            async def dies(self: Restore, tx: Any, step: str, *rest: Any) -> None:
                await end(self, tx, step, *rest)
                if step == "restore":
                    raise KeyboardInterrupt

            death.setattr(Restore, "_end", dies)
        else:
            death.setattr({"restore_rows": restore_rows, "state": restore.state}[place], name, killed)
        with pytest.raises(KeyboardInterrupt):
            restored(world)
    assert not whole(world)
    found = restored(world)
    assert whole(world) and found.differing == []
    assert world.rows("select 1 from restore_rows") == []


@pytest.mark.parametrize("ended", ["closed_at = now()", "closed_at = now(), deleted_at = now()"])
def test_a_tenant_that_ends_or_has_ended_needs_no_key(lost: World, world: World, ended: str) -> None:
    """Its keys are out of use by then; a region with one such tenant came back never."""
    lost.do(("update signing_keys set status = 'active'", []), (f"update tenants set {ended}", []))
    carried(lost)
    found = restored(world)
    assert found.tenants == 1
    assert [row["sequence_epoch"] for row in world.rows("select sequence_epoch from tenants")] == [2]


def test_one_that_has_ended_says_again_what_it_came_to(world: World) -> None:
    first = restored(world)
    world.do(("update devices set profile = 'desktop'", []))
    again = restored(world)
    assert (again.tenants, again.rows, again.segments) == (first.tenants, first.rows, first.segments)
    assert {row["profile"] for row in world.rows("select profile from devices")} == {"desktop"}
    with pytest.raises(ContentError, match="has rows"):
        world.run(lambda connections: Restore(connections, world.objects, "s3://another").run())


# -- what it cannot make ----------------------------------------------------------------------------------------------


def lose(world: World, *kinds: str) -> None:
    world.objects.delete([key for kind in kinds for key, _ in world.objects.keys(f"{kind}/{world.tenant}/")])


def test_versions_are_left_to_the_builders_and_their_seals_with_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The region is up without; a builder makes the version whole, and the bundles of its seals are made anew."""

    async def refused(*_: Any) -> None:
        raise AssertionError("a restore does not build")

    monkeypatch.setattr(restore_packages, "_build", refused)
    manifest = [key for key, _ in world.objects.keys(f"packages/{world.tenant}/")]
    lose(world, "packages", "bundles")
    found = restored(world)
    assert whole(world) and found.missing[world.tenant] > 0
    assert set(items(world).values()) == {"left"}
    (job,) = world.rows("select job_id, kind, subject from jobs where kind = 'build'")
    assert job["subject"] == {"package_id": PACKAGE, "version": 1, "again": True}
    assert world.rows("select 1 from pgqueuer where entrypoint = 'build'")

    async def built(*_: Any) -> None:
        world.objects.put(manifest[0], b"manifest")

    monkeypatch.setattr(restore_packages, "_build", built)
    assert world.job(restore_packages, job["job_id"])["state"] == "succeeded"
    assert items(world)[VERSION] == "same"
    assert {state for subject, state in items(world).items() if subject != VERSION} == {"anew"}
    assert world.rows("select 1 from jobs where kind = 'rebundle'"), "what was lost with it is made anew"


def test_what_cannot_be_built_even_there_is_lost_and_said(world: World) -> None:
    lose(world, "packages", "bundles")
    restored(world)
    (job,) = world.rows("select job_id from jobs where kind = 'build'")

    async def given_up(tx: Any) -> None:
        begun = await jobs.begin(tx, job["job_id"])
        assert begun is not None
        await restore_packages.give_up(tx, begun, {"title": "The draft is gone.", "code": "x"})

    world.tx(given_up)
    assert set(items(world).values()) == {"lost"}
    assert world.rows("select state from jobs where job_id = %s", job["job_id"]) == [{"state": "failed"}]


@pytest.mark.parametrize("error", [ContentError("neighbour-unavailable", "Away.", "", True), ValueError("a bug")])
def test_one_version_does_not_hold_the_region(world: World, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    tries: list[str] = []

    async def fails(*_: Any, **__: Any) -> Outcome:
        tries.append("x")
        raise error

    monkeypatch.setattr(restore_packages, "again", fails)
    monkeypatch.setattr(restore_blobs, "LATER_S", 0.001)
    lose(world, "packages")
    restored(world, builds=True)
    assert whole(world) and items(world) == {VERSION: "left"}
    assert len(tries) == restore_blobs.MOST_TRIES


def test_a_store_that_is_away_ends_it_and_it_goes_on_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any, **__: Any) -> Outcome:
        raise ContentError("storage-unavailable", "Away.", "Try again.", True)

    lose(world, "packages")
    with monkeypatch.context() as outage:
        outage.setattr(restore_packages, "again", away)
        with pytest.raises(ContentError, match="Away"):
            restored(world)
    assert not whole(world)
    assert items(world) == {VERSION: "waiting"}


# -- who writes the log -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["api", "worker"])
def test_nobody_adds_a_line_to_the_log_but_what_changes_a_row(lost: World, role: str) -> None:
    dsn = getattr(lost.settings, f"postgres_{role}").get_secret_value()
    forged = "insert into change_log (tenant, name, key, value) values (%s, 'audit_log', '{}', '{}')"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select set_config('app.tenant', %s, false)", [lost.tenant])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(forged, [lost.tenant])
        connection.execute("create temporary table audit_log (tenant text, n bigint)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                "create trigger log_changes after insert on audit_log for each row execute function log_change('{}', '{n}')"
            )
        data = Jsonb({"learner_id": "nobody-knows-her"})
        connection.execute(
            """insert into outbox (tenant, id, partition, key, sequence, type, data)
               values (%s, gen_random_uuid(), 0, 'k', 99, 't', %s)""",
            [lost.tenant, data],
        )
        found = connection.execute("select name, value #>> '{data,learner_id}' from change_log order by n").fetchall()
    told = dict(found)
    assert set(told) == {"learners", "outbox"}
    assert str(told["outbox"]).startswith("lrn_"), "she has a pseudonym from here on"


def test_an_event_is_logged_of_the_tenant_of_the_transaction_alone(lost: World) -> None:
    with psycopg.connect(lost.settings.postgres_worker.get_secret_value(), autocommit=True) as connection:
        connection.execute("select set_config('app.tenant', %s, false)", [lost.tenant])
        for tenant in (lost.tenant, "others"):
            connection.execute("select log_event(%s, 'e', '{}')", [tenant])
    with psycopg.connect(lost.settings.postgres_relay.get_secret_value()) as relay:
        assert relay.execute("select tenant, name from change_log").fetchall() == [(lost.tenant, "received")]


def test_a_row_that_an_administrator_writes_is_logged_as_well(lost: World, postgres: PlainPostgres) -> None:
    """Without the tenant of a transaction: by a superuser, whom no policy binds."""
    postgres.execute(f"update devices set profile = 'desktop' where tenant = '{lost.tenant}'")
    with psycopg.connect(lost.settings.postgres_relay.get_secret_value()) as relay:
        assert relay.execute("select distinct name from change_log").fetchall() == [("devices",)]


def test_only_a_restore_writes_what_a_restore_reads(lost: World) -> None:
    with psycopg.connect(lost.settings.postgres_api.get_secret_value(), autocommit=True) as connection:
        connection.execute("select set_config('app.tenant', %s, false)", [lost.tenant])
        for table in ("restore_rows", "restore_items"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select 1 from {table}".encode())


def test_what_is_there_is_not_made_again(world: World) -> None:
    assert restored(world, builds=True).missing == {}
    assert items(world) == {}
