"""A database that is set back under its archive: what it has forgotten is found before anything is archived, and comes back.

On a Postgres of the test's own and an S3 in this process; NATS has nothing to tell here (tests/faults/test_recovery.py has one).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cluster import places
from cluster.database import Transaction, fetch_all
from cluster.eventlog import slips
from cluster.eventlog.store import LogStore
from cluster.local.postgres import DATABASE
from cluster.telemetry.metrics import DATABASE_BEHIND, Metric
from content.canonical import canonical
from content.errors import ContentError
from content.eventlog import make_segment
from tasks import audit, revocations
from tasks.keeping import holds
from tasks.recovery import archive, reconcile, restore_log
from tasks.recovery.archive import Archiver
from tasks.recovery.reconcile import Reconciled
from tasks.recovery.restore_log import ReadLog
from tests.support.kept import World, carried, copied, made, served, set_back
from tests.support.plain_postgres import PlainPostgres

pytestmark = pytest.mark.xdist_group("servers")

UNTIL = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainPostgres]:
    with served(tmp_path_factory) as found:
        copied(found, DATABASE, "clean")
        yield found


@pytest.fixture
def world(postgres: PlainPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A region of its own: database and bucket begin together."""
    postgres.execute(f"drop database {DATABASE}", database="postgres")
    copied(postgres, "clean", DATABASE)

    async def nothing(*_: Any) -> Any:
        return []

    async def none(*_: Any) -> int:
        return 0

    monkeypatch.setattr(reconcile, "_unknown", nothing)
    monkeypatch.setattr(reconcile, "_taken_in", none)
    with made(postgres) as found:
        yield found


def reconciled(world: World, **how: bool) -> Reconciled:
    return world.run(lambda connections: reconcile.reconcile(connections, **how))


def revoked(world: World, device: str = "device-a") -> None:
    """A device is revoked, and that is acknowledged."""
    world.tx(lambda tx: revocations.add(tx, world.tenant, "device", [(device, UNTIL)], cause="operator"))
    assert world.run(lambda connections: slips.keep(connections, world.tenant)) > 0


def is_revoked(world: World, device: str = "device-a") -> bool:
    return bool(world.rows("select 1 from revocations where kind = 'device' and subject = %s", device))


def put(world: World, place: str, **change: Any) -> None:
    """A slip with one line, as somebody makes it who may write there."""
    store = LogStore(world.objects, world.settings.region)
    line = {"n": 10**6, "transaction": "1", "at": "2026-11-27T03:00:00+00:00", "tenant": world.tenant, **change}
    body = make_segment(
        region=store.region, epoch=1, sequence=0, previous="", base=None, final=True, closed_at=datetime.now(UTC),
        lines=[canonical(line)],
    )  # fmt: skip
    world.objects.put(places.slips(store.region, 1) + place, body)


def slip_keys(world: World) -> list[str]:
    return [key for key, _ in LogStore(world.objects, world.settings.region).slips()]


# -- slips ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("archiver_first", [True, False])
def test_what_was_acknowledged_and_not_archived_comes_back(
    world: World, postgres: PlainPostgres, archiver_first: bool
) -> None:
    """The archive has nothing of it: it was set back by less than the archiver was behind."""
    carried(world)
    with set_back(postgres):
        revoked(world)
    assert not is_revoked(world)
    if archiver_first:
        with pytest.raises(ContentError, match="acknowledged"):
            carried(world)
    assert reconciled(world, dry_run=True).slips == 1
    done = reconciled(world)
    assert "acknowledged" in done.behind and done.slips == 1 and done.applied > 0
    assert is_revoked(world)
    assert carried(world) > 0
    assert reconciled(world).behind == ""


def test_a_row_that_was_changed_here_since_stays_as_it_is(world: World, postgres: PlainPostgres) -> None:
    carried(world)
    with set_back(postgres):
        world.do(("update devices set profile = 'tablet' where device_id = 'device-a'", []))
        revoked(world)
    world.do(("update devices set profile = 'desktop' where device_id = 'device-a'", []))
    reconciled(world)
    assert world.rows("select profile from devices where device_id = 'device-a'") == [{"profile": "desktop"}]
    assert is_revoked(world)


def test_a_slip_stays_until_its_changes_are_in_a_segment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SLIP_KEPT_S", -3600.0)
    carried(world)
    revoked(world)
    keys = slip_keys(world)
    assert len(keys) == 1
    with monkeypatch.context() as busy:  # it looks, and archives nothing
        busy.setattr(Archiver, "_archive", _idle)
        carried(world)
    assert slip_keys(world) == keys
    carried(world)
    carried(world)  # another connection, which looks again
    assert slip_keys(world) == []


async def _idle(*_: Any) -> archive.Step:
    return archive.IDLE


def test_a_slip_is_not_written_over_by_one_that_counts_as_far(world: World, postgres: PlainPostgres) -> None:
    carried(world)
    with set_back(postgres):
        revoked(world)
    revoked(world, "device-b")
    first, second = slip_keys(world)
    assert first[:-17] == second[:-17], "the same tenant and number"
    reconciled(world)
    assert is_revoked(world) and is_revoked(world, "device-b")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "audit_log", "key": {"n": 1}, "value": {"n": 1, "action": "nothing"}},
        {"name": "packages", "key": {"tenant": "{}", "package_id": "pkg_x"}, "value": {"package_id": "pkg_y"}},
        {"name": "packages", "key": {"package_id": "pkg_x"}, "value": {"package_id": "pkg_x"}, "tenant": "others"},
        {"name": "packages", "key": {"package_id": "pkg_x"}, "value": {"package_id": "pkg_x"}, "at": "soon"},
        {"name": "packages", "key": {"package_id": "pkg_1"}, "value": None},
    ],
)
def test_what_no_slip_may_say_is_left_out(world: World, change: dict[str, Any]) -> None:
    carried(world)
    put(world, f"{world.tenant}/{10**6:020d}-x", **change)
    assert reconciled(world).behind == ""
    carried(world)

    async def staged(connections: Any) -> list[dict[str, Any]]:
        store = LogStore(world.objects, world.settings.region)
        await restore_log.read_slips(connections, store, ReadLog())
        async with connections.db.tenant(world.tenant) as tx:
            return await fetch_all(tx, "select name from restore_rows")

    assert world.run(staged) == []


# -- epochs -----------------------------------------------------------------------------------------------------------

COURSE = "insert into packages (tenant, package_id, course_id) values (%s, %s, %s)"


def epoch(world: World) -> int:
    return world.rows("select sequence_epoch from tenants")[0]["sequence_epoch"]


def packages(world: World) -> set[str]:
    return {row["package_id"] for row in world.rows("select package_id from packages")}


def test_a_database_that_is_set_back_over_an_epoch_does_not_archive_on_a_dead_branch(
    world: World, postgres: PlainPostgres
) -> None:
    carried(world)
    with set_back(postgres):
        reconciled(world, anyway=True)
        world.do((COURSE, [world.tenant, "pkg_lost", "pkg_lost"]))
        carried(world)
    world.do((COURSE, [world.tenant, "pkg_new", "pkg_new"]))
    with pytest.raises(ContentError, match="goes on in epoch 2"):
        carried(world)
    store = LogStore(world.objects, world.settings.region)
    assert store.epochs() == {1: 1, 2: 1}, "nothing was put beside it"
    done = reconciled(world)
    assert done.segments == 1
    assert packages(world) >= {"pkg_lost", "pkg_new"}
    assert epoch(world) == 3, "above what the lost epoch had numbered"
    carried(world)
    assert [each for each, _ in store.path()] == [1, 3]
    archived = {c.key.get("package_id") for e, last in store.path() for _, s in store.read(e, last) for c in s.parsed()}
    assert archived >= {"pkg_lost", "pkg_new"}


def test_one_that_has_archived_beside_a_later_epoch_is_brought_together_with_it(
    world: World, postgres: PlainPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an archiver did that looked at its own epoch alone. What was changed here since stays."""
    carried(world)
    with set_back(postgres):
        reconciled(world, anyway=True)
        world.do((COURSE, [world.tenant, "pkg_lost", "pkg_lost"]))
        world.do(("update devices set profile = 'tablet' where device_id = 'device-a'", []))
        carried(world)
    with monkeypatch.context() as blind:
        blind.setattr(Archiver, "_look_beyond", _idle)
        world.do(("update devices set profile = 'desktop' where device_id = 'device-a'", []))
        carried(world)
    reconciled(world)
    assert "pkg_lost" in packages(world)
    assert world.rows("select profile from devices where device_id = 'device-a'") == [{"profile": "desktop"}]
    carried(world)
    assert LogStore(world.objects, world.settings.region).path() == [(1, 2), (3, 1)]


def test_an_archiver_at_work_makes_way_for_who_knows_better(world: World) -> None:
    """Nobody has to stop the pool first."""

    async def both(connections: Any) -> tuple[bool, int]:
        archiver = Archiver(world.settings, world.objects)
        try:
            await archiver.carry()
            work = asyncio.create_task(reconcile.reconcile(connections, anyway=True))
            refused, since = False, 0
            while not work.done():
                try:
                    since += (await archiver.step()).changes
                except ContentError as error:
                    refused |= error.code == "database-behind"
                await asyncio.sleep(0.01)
            await work
            return refused, since
        finally:
            await archiver.close()

    refused, since = world.run(both)
    assert refused
    assert since + carried(world) > 0 and epoch(world) == 2


# -- killed -----------------------------------------------------------------------------------------------------------


def test_a_segment_that_an_archiver_was_killed_at_is_no_set_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even with rows of persons in it, which a segment says otherwise than the database."""
    with monkeypatch.context() as killed:

        async def die(*_: Any) -> bool:
            raise KeyboardInterrupt

        killed.setattr(archive.state, "advance", die)
        with pytest.raises(KeyboardInterrupt):
            carried(world)
    store = LogStore(world.objects, world.settings.region)
    assert any(change.name == "learners" for _, s in store.read(1, 1) for change in s.parsed())
    assert reconciled(world).behind == ""
    assert carried(world) > 0


def test_rows_that_a_killed_restore_left_are_not_written_over_living_ones(world: World) -> None:
    carried(world)
    world.do(
        ("""insert into restore_rows (tenant, name, key, epoch, n, value) select tenant, 'devices',
            jsonb_build_object('tenant', tenant, 'device_id', device_id), 1, 1, without_learner(tenant, to_jsonb(d)) from devices d""", []),
        ("update devices set profile = 'desktop' where device_id = 'device-a'", []),
    )  # fmt: skip
    carried(world)
    reconciled(world, anyway=True)
    assert world.rows("select profile from devices where device_id = 'device-a'") == [{"profile": "desktop"}]
    assert world.rows("select 1 from restore_rows") == []


def test_a_reconcile_that_is_called_twice_tells_lost_entries_once(world: World, postgres: PlainPostgres) -> None:
    async def entry(tx: Transaction, action: str) -> None:
        await audit.append(tx, world.tenant, "somebody", action, {}, datetime.now(UTC))

    world.tx(lambda tx: entry(tx, "first"))
    carried(world)
    with set_back(postgres):
        world.tx(lambda tx: entry(tx, "lost"))
        carried(world)
    world.tx(lambda tx: entry(tx, "since"))

    async def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as at_its_end:
        at_its_end.setattr(reconcile.state, "begin_next", killed)
        with pytest.raises(KeyboardInterrupt):
            reconciled(world)
    reconciled(world)
    told = [row["action"] for row in world.rows("select action from audit_log order by n")]
    assert told.count("audit.recovered") == 1
    assert world.tx(lambda tx: audit.verify(tx, world.tenant)).broken_at is None


def test_a_hold_that_was_acknowledged_comes_back_and_one_that_was_released_stays_so(
    world: World, postgres: PlainPostgres
) -> None:
    old = world.tx(lambda tx: holds.place(tx, world.tenant, None, "Case 1", by_operator=False)).hold_id
    carried(world)
    with set_back(postgres):
        world.tx(lambda tx: holds.release(tx, world.tenant, old, "Closed", by_operator=False))
        new = world.tx(lambda tx: holds.place(tx, world.tenant, None, "Case 2", by_operator=False)).hold_id
        assert world.run(lambda connections: slips.keep(connections, world.tenant)) == 2
    assert [row["hold_id"] for row in world.rows("select hold_id from holds where released_at is null")] == [old]
    reconciled(world)
    found = {row["hold_id"]: row["release_reason"] for row in world.rows("select hold_id, release_reason from holds")}
    assert found == {old: "Closed", new: None}
    jobs = [row["subject"] for row in world.rows("select subject from jobs where kind = 'hold' order by created_at")]
    assert [(each["hold_id"], each["on"]) for each in jobs[:1]] == [(old, True)]
    assert {(each["hold_id"], each["on"]) for each in jobs[1:]} == {(old, False), (new, True)}, "a slip has no jobs"


def test_prometheus_is_told_for_as_long_as_it_is_behind(
    world: World, postgres: PlainPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []

    def tell(metric: Metric, value: float, **_: str) -> None:
        if metric is DATABASE_BEHIND:
            told.append(value)

    monkeypatch.setattr(Metric, "set", tell)
    carried(world)
    assert set(told) == {0.0}
    with set_back(postgres):
        revoked(world)
    for _ in range(2):
        with pytest.raises(ContentError, match="acknowledged"):
            carried(world)
    assert told[-1] == 1.0
    reconciled(world)
    carried(world)
    assert told[-1] == 0.0
