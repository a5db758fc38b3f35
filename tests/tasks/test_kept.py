"""What is kept and under whose name, on a Postgres of the test's own and an S3 that has storage classes and locks (moto).

What needs processes that die, NATS and the API is in tests/faults (erasure, storage_life).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cluster import failpoints, places
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.objects import Objects
from cluster.settings import Settings
from content.canonical import digest
from content.errors import ContentError
from tasks import audit
from tasks.keeping import (
    audit_archive,
    cold,
    cold_job,
    erasure,
    erasure_job,
    gc,
    holds,
    holds_job,
    retention,
    tenant_deletion,
    tenant_deletion_job,
    uses,
)
from tasks.keeping.cold import Unit, UnitCold
from tasks.keeping.uses import Uses
from tests.support.kept import ADA, BIG, BOB, PACKAGE, Keys, World, made, served
from tests.support.plain_postgres import PlainPostgres

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainPostgres]:
    with served(tmp_path_factory) as found:
        yield found


@pytest.fixture
def world(postgres: PlainPostgres) -> Iterator[World]:
    with made(postgres) as found:
        yield found


def old(world: World) -> None:
    """Nobody has used anything for years."""
    world.do(
        ("update package_versions set published_at = %s, created_at = %s", [LONG_AGO, LONG_AGO]),
        ("update seals set ready_at = %s, created_at = %s", [LONG_AGO, LONG_AGO]),
        ("update exports set ready_at = %s, last_used = %s", [LONG_AGO, LONG_AGO]),
        ("update assets set created_at = %s", [LONG_AGO]),
    )


def test_statements_say_the_same_keys_as_the_code(world: World) -> None:
    sha = "sha256:" + "ab" * 32
    (found,) = world.rows(
        f"""select {places.asset_sql("a")} as asset, {places.bundle_sql("a")} as part, {places.bundle_sql("a", "index_path")} as index,
               {places.manifest_sql("v")} as manifest, {places.manifest_sql("w")} as withdrawn, {places.manifest_sql("n")} as none
            from (values ('t', %s, 's/p', 's/i')) as a (tenant, digest, path, index_path),
                 (values ('t', 'pkg', 7, 'published', %s)) as v (tenant, package_id, version, state, manifest_digest),
                 (values ('t', 'pkg', 7, 'withdrawn', %s)) as w (tenant, package_id, version, state, manifest_digest),
                 (values ('t', 'pkg', 7, 'building', null)) as n (tenant, package_id, version, state, manifest_digest)""",
        sha, sha, sha,
    )  # fmt: skip
    assert found == {
        "asset": places.asset("t", sha), "part": places.bundles("t") + "s/p", "index": places.bundles("t") + "s/i",
        "manifest": places.manifest("t", "pkg", 7, sha), "withdrawn": places.withdrawn("t", "pkg", 7, sha), "none": None,
    }  # fmt: skip


def named(world: World, word: str) -> list[str]:
    """Columns of the tenant's tables in which a word stands. (What waits for the archive of the event log is carried away within
    seconds; here nobody carries it.)"""
    columns = world.rows(
        """select table_name as t, column_name as c from information_schema.columns join information_schema.tables
           using (table_schema, table_name) where table_schema = 'public' and table_type = 'BASE TABLE'
           and table_name <> 'change_log' and table_name in (select table_name from information_schema.columns where column_name = 'tenant') order by 1, 2"""
    )
    assert len(columns) > 200
    looks = [
        f"""select '{row["t"]}.{row["c"]}' as found where exists (
            select 1 from {row["t"]} where position(%(word)s in cast("{row["c"]}" as text)) > 0)"""
        for row in columns
    ]
    return [row["found"] for row in world.tx(lambda tx: fetch_all(tx, " union all ".join(looks), {"word": word}))]


# -- hot and cold -----------------------------------------------------------------------------------------------------


def test_what_was_used_lately_stays_hot_and_small_blobs_do_whatever_happens(world: World) -> None:
    assert world.run(lambda c: retention.cool(c, world.tenant)) == (0, 0)
    old(world)
    world.tx(lambda tx: uses.write(tx, world.tenant, [("seal", "bnd_a"), ("version", f"{PACKAGE}/1")]))
    cooled, gone = world.run(lambda c: retention.cool(c, world.tenant))
    rows = [
        row["key"].split("/")[-1]
        for row in world.rows("select key from cold_objects where state = 'cold' order by key")
    ]
    assert (cooled, gone, rows) == (2, 0, ["part-0", "course.zip"])
    assert not world.hot(f"bundles/{world.tenant}/bnd_b/part-0") and world.hot(f"bundles/{world.tenant}/bnd_a/part-0")
    assert world.hot(f"bundles/{world.tenant}/bnd_b/index"), "Glacier would cost more than it saves"
    assert world.run(lambda c: retention.cool(c, world.tenant)) == (0, 0)


def test_an_asset_of_two_versions_stays_for_the_newer_one(world: World) -> None:
    old(world)
    world.do(
        ("""insert into package_versions (tenant, package_id, version, draft_id, revision, drafted_at, state, manifest_digest,
            manifest_bytes, published_at) values (%s, %s, 2, 'd', 2, now(), 'published', 'sha256:0', 8, now())""", [world.tenant, PACKAGE]),
        ("insert into version_assets (tenant, package_id, version, digest) select tenant, package_id, 2, digest from version_assets", []),
    )  # fmt: skip
    world.run(lambda c: retention.cool(c, world.tenant))
    assert not [row for row in world.rows("select key from cold_objects") if row["key"].startswith("assets/")]


def test_a_unit_comes_back_by_one_job_for_all_who_ask_and_counts_as_used(world: World) -> None:
    old(world)
    world.run(lambda c: retention.cool(c, world.tenant))
    unit = Unit("seal", "bnd_a")
    with pytest.raises(UnitCold):
        world.tx(lambda tx: cold.require_hot(tx, unit))
    job = world.tx(lambda tx: cold.ask(tx, world.tenant, unit, "Bulk"))
    assert job is not None and world.tx(lambda tx: cold.ask(tx, world.tenant, unit, "Standard")) == job
    assert world.tx(lambda tx: cold.ask(tx, world.tenant, Unit("seal", "bnd_b"), "Bulk")) != job
    ended = world.job(cold_job, job)
    assert (ended["state"], ended["attempt"]) == ("succeeded", 1)
    assert world.hot(f"bundles/{world.tenant}/bnd_a/part-0")
    world.tx(lambda tx: cold.require_hot(tx, unit))
    assert world.tx(lambda tx: cold.ask(tx, world.tenant, unit, "Bulk")) is None
    assert world.run(lambda c: retention.cool(c, world.tenant)) == (0, 0)


def test_a_restore_that_takes_hours_waits_without_being_tried(world: World) -> None:
    old(world)
    world.settings = world.settings.model_copy(update={"cold_storage": "prefix", "cold_delay_s": 3600.0})
    world.objects = Objects(world.settings)
    world.run(lambda c: retention.cool(c, world.tenant))
    job = world.tx(lambda tx: cold.ask(tx, world.tenant, Unit.version(PACKAGE, 1), "Bulk"))
    assert job is not None
    for _ in range(3):
        assert world.job(cold_job, job)["state"] == "queued"
    world.settings = world.settings.model_copy(update={"cold_delay_s": 0.0})
    assert world.job(cold_job, job) == {
        "state": "succeeded", "attempt": 1, "progress": 1.0,
        "result": {"unit": "version", "of": f"{PACKAGE}/1", "blobs": 1},
    }  # fmt: skip


def test_who_asks_while_a_blob_moves_gets_it_back_from_where_it_then_is(world: World) -> None:
    old(world)
    unit = Unit("export", "exp_1")
    (key,) = (row["key"] for row in world.rows("select key from exports"))
    world.do(
        (
            "insert into cold_objects (tenant, key, size_bytes, storage_class) values (%s, %s, 1, 'GLACIER')",
            [world.tenant, key],
        )
    )
    job = world.tx(lambda tx: cold.ask(tx, world.tenant, unit, "Bulk"))
    assert job is not None
    assert world.rows("select state from cold_objects where key = %s", key) == [{"state": "thawing"}]
    assert world.job(cold_job, job)["state"] == "succeeded" and world.hot(key)


def test_uses_are_written_once_a_day_and_the_first_after_a_long_time_at_once(world: World) -> None:
    async def use(connections: Connections) -> tuple[bool, bool, int, int]:
        now = [0.0]
        noted = Uses(connections, lambda: now[0])
        first = await noted.touch(world.tenant, "seal", "bnd_a")
        second = await noted.touch(world.tenant, "seal", "bnd_a")
        for _ in range(100):
            noted.note(world.tenant, "version", "pkg_1/1")
        written = await noted.flush()
        noted.note(world.tenant, "version", "pkg_1/1")
        return first, second, written, await noted.flush()

    assert world.run(use) == (True, False, 1, 0)
    assert len(world.rows("select 1 as x from uses")) == 2


def test_garbage_collection_takes_nothing_cold_for_lost(world: World) -> None:
    old(world)
    world.settings = world.settings.model_copy(update={"cold_storage": "prefix"})
    world.objects = Objects(world.settings)
    world.run(lambda c: retention.cool(c, world.tenant))
    report = world.run(lambda c: gc.collect(c, grace_s=0))
    assert not [key for key in report.missing if f"/{world.tenant}/" in key]
    assert len([key for key, _ in world.objects.keys("cold/")]) == 4


# -- held -------------------------------------------------------------------------------------------------------------


def test_a_hold_covers_its_package_or_everything_and_what_two_hold_stays_with_one(world: World) -> None:
    assert not world.tx(lambda tx: holds.held(tx, world.tenant, PACKAGE))
    first = world.tx(lambda tx: holds.place(tx, world.tenant, PACKAGE, "Case", by_operator=False))
    whole = world.tx(lambda tx: holds.place(tx, world.tenant, None, "Case", by_operator=True))
    assert world.tx(lambda tx: holds.held(tx, world.tenant, "pkg_other"))
    with pytest.raises(ContentError, match="operator"):
        world.tx(lambda tx: holds.release(tx, world.tenant, whole.hold_id, "no", by_operator=False))
    assert world.tx(lambda tx: holds.release(tx, world.tenant, whole.hold_id, "ok", by_operator=True))
    assert not world.tx(lambda tx: holds.release(tx, world.tenant, whole.hold_id, "ok", by_operator=True))
    assert not world.tx(lambda tx: holds.held(tx, world.tenant, "pkg_other"))
    assert world.tx(lambda tx: holds.held(tx, world.tenant, PACKAGE)) and world.tx(
        lambda tx: holds.held(tx, world.tenant)
    )
    assert not world.tx(lambda tx: holds.held_whole(tx, world.tenant))
    world.tx(lambda tx: holds.release(tx, world.tenant, first.hold_id, "ok", by_operator=True))
    assert not world.tx(lambda tx: holds.held(tx, world.tenant))


def test_locks_are_set_go_cold_along_and_are_taken_away(world: World) -> None:
    placed = world.tx(lambda tx: holds.place(tx, world.tenant, PACKAGE, "Case", by_operator=False))
    assert world.job(holds_job, placed.job_id)["result"]["locked"] == 7
    old(world)
    world.run(lambda c: retention.cool(c, world.tenant))
    locked = {key: (world.objects.head(key) or {})["ObjectLockLegalHoldStatus"] for key in world.keys_there()}
    assert len(locked) == 7 and set(locked.values()) == {"ON"}
    world.tx(lambda tx: holds.release(tx, world.tenant, placed.hold_id, "ok", by_operator=False))
    (row,) = world.rows("select job_id from holds")
    assert world.job(holds_job, row["job_id"])["state"] == "succeeded"
    assert {(world.objects.head(key) or {})["ObjectLockLegalHoldStatus"] for key in world.keys_there()} == {"OFF"}


def locks(world: World) -> dict[str, list[bool]]:
    """Of every key, whether its versions are locked, the newest first."""
    found: dict[str, list[bool]] = {}
    client = world.objects.client
    for each in client.list_object_versions(Bucket="content")["Versions"]:
        head = client.head_object(Bucket="content", Key=each["Key"], VersionId=each["VersionId"])
        found.setdefault(each["Key"], []).append(head.get("ObjectLockLegalHoldStatus") == "ON")
    return found


def release(world: World, hold_id: str) -> dict[str, Any]:
    world.tx(lambda tx: holds.release(tx, world.tenant, hold_id, "ok", by_operator=True))
    (row,) = world.rows("select job_id from holds where hold_id = %s", hold_id)
    return world.job(holds_job, row["job_id"])


def held_at(world: World, monkeypatch: pytest.MonkeyPatch, point: str, *packages: str | None) -> list[str]:
    """Place holds, one each time the work comes by a point; their ids."""
    placed, waiting = list[str](), list(packages)

    def hit(name: str, _: Any) -> None:
        if name == point and waiting:
            package = waiting.pop(0)
            found = world.tx(lambda tx: holds.place(tx, world.tenant, package, "Case", by_operator=True))
            placed.append(found.hold_id)

    monkeypatch.setattr(failpoints, "hit", hit)
    return placed


@pytest.mark.parametrize("other", [PACKAGE, None])
def test_what_another_hold_covers_keeps_its_locks(world: World, other: str | None) -> None:
    upload = places.uploaded(world.tenant, "imp_1")
    world.objects.put(upload, b"zip")
    first, second = (
        world.tx(lambda tx, what=what: holds.place(tx, world.tenant, what, "Case", by_operator=True))
        for what in (other, PACKAGE)
    )
    for placed in (first, second):
        assert world.job(holds_job, placed.job_id)["state"] == "succeeded"
    of_package = {key for key in world.keys_there() if key != upload}
    assert {key for key, (on,) in locks(world).items() if on} == of_package | ({upload} if other is None else set())
    assert release(world, first.hold_id)["state"] == "succeeded"
    assert {key for key, (on,) in locks(world).items() if on} == of_package
    assert release(world, second.hold_id)["state"] == "succeeded"
    assert not any(on for (on,) in locks(world).values())


def test_a_release_frees_what_was_put_again_and_what_left_its_place(world: World) -> None:
    placed = world.tx(lambda tx: holds.place(tx, world.tenant, PACKAGE, "Case", by_operator=True))
    world.job(holds_job, placed.job_id)
    again, gone = sorted(key for key in world.keys_there() if key.startswith(("assets/", "exports/")))
    world.objects.put(again, BIG)
    world.run(lambda c: holds.remove(c, world.tenant, PACKAGE, [gone]))
    assert locks(world)[again] == [False, True] and locks(world)[gone] == [True]
    world.run(lambda c: holds_job.lock_new(c, world.tenant))
    assert locks(world)[again] == [True, True] and locks(world)[places.held(gone)] == [True]
    release(world, placed.hold_id)
    assert not any(on for each in locks(world).values() for on in each)
    assert world.objects.erase(gone) == 2, "the version and the mark"


def test_a_hold_that_comes_while_locks_are_taken_off_keeps_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that is released before its locks are set sets none."""
    first = world.tx(lambda tx: holds.place(tx, world.tenant, None, "Case", by_operator=True))
    world.job(holds_job, first.job_id)
    found = holds_job.still_held

    async def and_then_held(connections: Connections, *more: Any) -> set[str] | None:
        kept = await found(connections, *more)
        async with connections.db.tenant(world.tenant) as tx:
            await holds.place(tx, world.tenant, PACKAGE, "Another case", by_operator=True)
        return kept

    with monkeypatch.context() as patched:
        patched.setattr(holds_job, "still_held", and_then_held)
        assert release(world, first.hold_id)["state"] == "queued", "it begins again"
    assert all(on for (on,) in locks(world).values())
    (released,) = world.rows("select job_id from holds where hold_id = %s", first.hold_id)
    assert world.job(holds_job, released["job_id"])["state"] == "succeeded"
    assert all(on for (on,) in locks(world).values()), "the world is of one package"
    (second,) = world.rows("select hold_id, job_id from holds where released_at is null")
    release(world, second["hold_id"])
    assert world.job(holds_job, second["job_id"])["state"] == "succeeded", "late"
    assert not any(on for (on,) in locks(world).values())


def test_whoever_deletes_waits_for_a_hold_that_is_being_placed(world: World) -> None:
    async def race(connections: Connections) -> list[str]:
        said: list[str] = []
        placing = asyncio.Event()

        async def hold() -> None:
            async with connections.db.tenant(world.tenant) as tx:
                await holds.place(tx, world.tenant, None, "Case", by_operator=True)
                placing.set()
                await asyncio.sleep(0.3)
                said.append("placed")

        async def delete() -> None:
            await placing.wait()
            async with connections.db.tenant(world.tenant) as tx:
                said.append("held" if await holds.held(tx, world.tenant) else "deleted")

        await asyncio.gather(hold(), delete())
        return said

    assert world.run(race) == ["placed", "held"]


# -- under whose name -------------------------------------------------------------------------------------------------


def without_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """The streams are looked through in tests/faults; here there is no NATS."""

    async def nothing(*_: Any) -> int:
        return 0

    monkeypatch.setattr(erasure_job, "_messages", nothing)


def test_an_erasure_takes_the_name_at_once_and_the_rest_by_its_job(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_streams(monkeypatch)
    assert {"bundles.learner_id", "devices.learner_id", "outbox.data", "learners.learner_id"} <= set(named(world, ADA))
    found = world.tx(lambda tx: erasure.erase(tx, world.tenant, ADA))
    assert found.counts == {"devices": 1, "enrolments": 1, "content_keys": 1, "bundles": 1}
    assert named(world, ADA) == [], "from the commit on"
    assert [row["scope"] for row in world.rows("select scope from content_keys")] == ["device-b"]
    assert world.rows("select encryption_jwk from devices where device_id = 'device-a'") == [{"encryption_jwk": {}}]
    assert world.rows("select subject from revocations where kind = 'device'") == [{"subject": "device-a"}]
    assert world.job(erasure_job, found.job_id)["state"] == "succeeded"
    assert world.rows("select state from erasures") == [{"state": "done"}]
    assert {row["bundle_id"] for row in world.rows("select bundle_id from bundles")} == {"bnd_b"}
    assert [row["device_id"] for row in world.rows("select device_id from devices")] == ["device-b"]
    left = world.objects.client.list_object_versions(Bucket="content", Prefix=f"bundles/{world.tenant}/bnd_a")
    assert not left.get("Versions") and not left.get("DeleteMarkers")
    again = world.tx(lambda tx: erasure.erase(tx, world.tenant, ADA))
    assert (again.erasure_id, again.new) == (found.erasure_id, False)
    (event,) = world.rows("select data from outbox where type = 'content.learner.erased.v1'")
    assert (event["data"]["device_ids"], event["data"]["enrollment_ids"]) == (["device-a"], ["enr-a"])


def test_what_is_held_stays_without_a_name_and_goes_when_it_is_released(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_streams(monkeypatch)
    placed = world.tx(lambda tx: holds.place(tx, world.tenant, PACKAGE, "Case", by_operator=False))
    found = world.tx(lambda tx: erasure.erase(tx, world.tenant, ADA))
    world.job(erasure_job, found.job_id)
    assert world.rows("select state from erasures") == [{"state": "held"}]
    assert named(world, ADA) == [] and world.objects.size(f"bundles/{world.tenant}/bnd_a/part-0") == len(BIG)
    assert not world.rows("select 1 as x from content_keys where scope = 'device-a'")
    world.tx(lambda tx: holds.release(tx, world.tenant, placed.hold_id, "ok", by_operator=False))
    (row,) = world.rows("select job_id from holds")
    world.job(holds_job, row["job_id"])
    (row,) = world.rows("select job_id from erasures")
    assert row["job_id"] != found.job_id and world.job(erasure_job, row["job_id"])["state"] == "succeeded"
    assert world.rows("select state from erasures") == [{"state": "done"}]
    assert world.objects.size(f"bundles/{world.tenant}/bnd_a/part-0") is None


@pytest.mark.parametrize("older", [False, True])
def test_a_hold_that_comes_between_an_erasures_rows_and_blobs_keeps_the_blobs(
    world: World, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    """What is noted goes when the hold is released, with all its versions."""
    without_streams(monkeypatch)
    found = world.tx(lambda tx: erasure.erase(tx, world.tenant, ADA))
    own = {key for key in world.keys_there() if "/bnd_a/" in key}
    placed = held_at(world, monkeypatch, "erasure.after_rows", PACKAGE)
    if older:  # an attempt of the release before was killed behind its rows; it has noted no packages

        async def killed(*_: Any) -> None:
            raise AssertionError

        monkeypatch.setattr(erasure_job, "_blobs", lambda *_: asyncio.sleep(0, []))
        monkeypatch.setattr(erasure_job, "_devices", killed)
        with pytest.raises(AssertionError):
            world.job(erasure_job, found.job_id)
        monkeypatch.undo()
        without_streams(monkeypatch)
        world.do(("update jobs set position = position - 'packages' where job_id = %s", [found.job_id]))
    assert world.job(erasure_job, found.job_id)["result"]["held_blobs"] == len(own) == 2
    assert world.rows("select state from erasures") == [{"state": "held"}]
    assert not world.rows("select 1 as x from bundles where bundle_id = 'bnd_a'") and own <= world.keys_there()
    monkeypatch.undo()
    without_streams(monkeypatch)
    release(world, placed[0])
    (row,) = world.rows("select job_id from erasures")
    assert world.job(erasure_job, row["job_id"])["result"]["held_blobs"] == 0
    assert world.rows("select state from erasures") == [{"state": "done"}] and not own & world.keys_there()
    left = world.objects.client.list_object_versions(Bucket="content", Prefix=f"bundles/{world.tenant}/bnd_a")
    assert not left.get("Versions") and not left.get("DeleteMarkers")


def test_what_was_said_before_an_erasure_is_known_for_it_until_it_is_forgotten(world: World) -> None:
    world.tx(lambda tx: erasure.erase(tx, world.tenant, ADA))
    now = datetime.now(UTC)
    for at, gone in ((now - timedelta(days=1), True), (None, True), (now + timedelta(hours=1), False)):
        assert world.tx(lambda tx, at=at: erasure.gone(tx, world.tenant, ADA, at)) is gone
    assert not world.tx(lambda tx: erasure.gone(tx, world.tenant, BOB, now - timedelta(days=1)))
    assert world.tx(lambda tx: erasure.gone(tx, world.tenant, ADA, now + timedelta(hours=1), within_s=86_400))
    world.do(("update erasures set state = 'done', done_at = now(), requested_at = now() - interval '500 days'", []))
    assert world.tx(lambda tx: erasure.forget(tx, 400)) == 1
    assert not world.tx(lambda tx: erasure.gone(tx, world.tenant, ADA, now - timedelta(days=501)))


def test_who_comes_back_is_somebody_new(world: World) -> None:
    first = world.tx(lambda tx: erasure.erase(tx, world.tenant, ADA))
    world.do(("insert into enrolments (tenant, enrollment_id, learner_id, course_id) values (%s, 'enr-new', %s, 'c')", [world.tenant, ADA]))  # fmt: skip
    (row,) = world.rows("select pseudonym from learners where learner_id = %s", ADA)
    second = world.tx(lambda tx: erasure.erase(tx, world.tenant, ADA))
    assert second.new and (second.pseudonym, second.erasure_id) == (row["pseudonym"], second.erasure_id)
    assert second.erasure_id != first.erasure_id


def test_no_content_key_is_made_for_a_device_that_was_erased(world: World) -> None:
    from tasks.content_keys import content_keys

    class Wrapping(Keys):
        def wrap(self, tenant: str, keys: list[bytes]) -> list[str]:
            return ["w"] * len(keys)

    world.keys = Wrapping()
    world.tx(lambda tx: erasure.erase(tx, world.tenant, ADA))
    with pytest.raises(ContentError) as refused:
        world.run(lambda c: content_keys(c, world.tenant, PACKAGE, {"device-a": 2}))
    assert (refused.value.code, refused.value.retryable) == ("device-erased", True)
    assert not world.rows("select 1 as x from content_keys where scope = 'device-a'")


# -- archived, and the end --------------------------------------------------------------------------------------------


def test_the_archive_finds_every_change(world: World) -> None:
    async def write(tx: Transaction) -> None:
        actor = await audit.pseudonym(tx, world.tenant, ADA)
        for number in range(3):
            await audit.append(tx, world.tenant, actor, "a.thing", {"n": number}, datetime.now(UTC))

    for _ in range(2):
        world.tx(write)
        assert world.run(lambda c: audit_archive.archive(c, world.tenant)) == 1
    assert world.run(lambda c: audit_archive.archive(c, world.tenant)) == 0
    found = world.run(lambda c: audit_archive.verify(c, world.tenant))
    assert (found.segments, found.entries, found.last, found.broken) == (2, 6, 6, None)
    first, second = (row["key"] for row in world.rows("select key from audit_segments order by first"))
    bodies = {key: world.objects.get(key) for key in (first, second)}
    assert ADA.encode() not in b"".join(bodies.values())
    lines = bodies[second].splitlines(keepends=True)
    for changed in (
        bodies[second].replace(b'"n":2', b'"n":9'), b"".join(lines[:-1]), lines[0] + lines[2] + lines[1] + lines[3],
        bodies[first], b"no JSON", b"",
    ):  # fmt: skip
        world.objects.put(second, changed)
        broken = world.run(lambda c: audit_archive.verify(c, world.tenant)).broken
        assert broken is not None and second in broken
        world.objects.put(second, bodies[second])
    assert json.loads(lines[0])["previous_segment"] == digest(bodies[first])
    # Whole in itself, and another one than the database names: the same entries, written otherwise.
    world.objects.put(second, bodies[second].replace(b'{"first"', b'{ "first"'))
    broken = world.run(lambda c: audit_archive.verify(c, world.tenant)).broken
    assert broken == f"{second}: It is not the one that the database names."


def emptied(world: World, job: str) -> dict[str, Any]:
    """A deletion's rounds until it ends, with a relay that sends what it has to say."""
    for _ in range(4):
        ended = world.job(tenant_deletion_job, job)
        if ended["state"] == "succeeded":
            return ended
        world.do(("update outbox set published_at = now()", []))
    raise AssertionError("it does not end")


def test_a_closed_tenant_is_emptied_down_to_its_name(world: World) -> None:
    job = world.tx(lambda tx: tenant_deletion.ask(tx, world.tenant, partial=False))
    assert world.tx(lambda tx: tenant_deletion.ask(tx, world.tenant, partial=False)) == job
    assert world.job(tenant_deletion_job, job)["state"] == "queued", "twice, for whoever had not heard"
    world.do(("update outbox set published_at = now()", []))
    ended = emptied(world, job)
    assert (ended["state"], ended["attempt"], ended["result"]["held"]) == ("succeeded", 1, False)
    assert world.keys_there() == set() and world.keys.disabled == ["n"]
    tables = world.rows(
        """select table_name as t from information_schema.columns join information_schema.tables using (table_schema, table_name)
           where table_schema = 'public' and column_name = 'tenant' and table_type = 'BASE TABLE' and table_name <> 'change_log'"""
    )
    full = {row["t"] for row in tables if world.rows(f"select 1 as x from {row['t']} limit 1")}
    assert full == {"tenants", "jobs", "signing_keys", "audit_log", "audit_segments"}
    assert world.rows("select deleted_at is null as there from tenants") == [{"there": False}]


def test_under_a_hold_a_tenant_ends_in_two_parts(world: World) -> None:
    placed = world.tx(lambda tx: holds.place(tx, world.tenant, PACKAGE, "Case", by_operator=False))
    with pytest.raises(ContentError, match="legal hold"):
        world.tx(lambda tx: tenant_deletion.ask(tx, world.tenant, partial=False))
    there = world.keys_there()
    job = world.tx(lambda tx: tenant_deletion.ask(tx, world.tenant, partial=True))
    ended = emptied(world, job)
    assert ended["result"]["held"] and world.keys_there() == there
    assert named(world, ADA) == [] and len(world.rows("select 1 as x from bundles")) == 2
    world.tx(lambda tx: holds.release(tx, world.tenant, placed.hold_id, "ok", by_operator=False))
    (row,) = world.rows("select job_id from holds")
    world.job(holds_job, row["job_id"])
    again = world.tx(lambda tx: fetch_one(tx, "select job_id from jobs where kind = 'deletion' and state = 'queued'"))
    assert again is not None
    ended = emptied(world, again["job_id"])
    assert not ended["result"]["held"] and world.keys_there() == set()


def test_a_hold_on_a_tenant_that_is_being_emptied_stops_it_until_its_release(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.objects.put(places.held(f"exports/{world.tenant}/{PACKAGE}/0/exp_0/a/course.zip"), BIG)
    monkeypatch.setattr(tenant_deletion_job, "VERSIONS", 2)
    placed = held_at(world, monkeypatch, "deletion.mid_blobs", None)
    job = world.tx(lambda tx: tenant_deletion.ask(tx, world.tenant, partial=False))
    before = world.keys_there()
    ended = world.job(tenant_deletion_job, job)
    assert (ended["state"], ended["result"]["held"]) == ("succeeded", True)
    there = world.keys_there()
    assert there and len(before - there) <= 2, "no more than the batch that the hold came behind"
    assert world.objects.size(places.held(f"exports/{world.tenant}/{PACKAGE}/0/exp_0/a/course.zip"))
    assert world.tx(lambda tx: tenant_deletion.ask(tx, world.tenant, partial=False)) == job, "it waits"
    locked = world.rows("select job_id from holds")
    assert world.job(holds_job, locked[0]["job_id"])["result"]["locked"] >= len(there)
    world.run(lambda c: retention.run(c, world.tenant))
    assert not world.rows("select 1 as x from jobs where kind = 'deletion' and state = 'queued'"), "still held"
    release(world, placed[0])
    (again,) = world.rows("select job_id from jobs where kind = 'deletion' and state = 'queued'")
    assert not emptied(world, again["job_id"])["result"]["held"]
    left = world.objects.client.list_object_versions(Bucket="content")["Versions"]
    assert {each["Key"].partition("/")[0] for each in left} == {"archive"}


def test_a_package_that_is_held_while_others_are_deleted_loses_nothing_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows may be gone in part: what they named looks as if it were nobody's."""
    world.do(("insert into packages (tenant, package_id, course_id) values (%s, 'pkg_2', 'other')", [world.tenant]))
    first = world.tx(lambda tx: holds.place(tx, world.tenant, "pkg_2", "Case", by_operator=False))
    placed = held_at(world, monkeypatch, "deletion.after_rows", "pkg_2")
    before = world.keys_there()
    job = world.tx(lambda tx: tenant_deletion.ask(tx, world.tenant, partial=True))
    assert world.job(tenant_deletion_job, job)["result"]["held"]
    assert not world.rows("select 1 as x from bundles") and world.keys_there() == before
    release(world, placed[0])
    (again,) = world.rows("select job_id from jobs where kind = 'deletion' and state = 'queued'")
    assert emptied(world, again["job_id"])["result"]["held"] and world.keys_there() == set(), (
        "what the first one leaves"
    )
    release(world, first.hold_id)
    (last,) = world.rows("select job_id from jobs where kind = 'deletion' and state = 'queued'")
    assert not emptied(world, last["job_id"])["result"]["held"]


def test_a_partial_deletion_leaves_what_lies_below_a_held_package_without_a_row(world: World) -> None:
    """The store has locked it; to try it again and again would help nobody."""
    orphans = [
        places.manifest(world.tenant, PACKAGE, 1, digest(b"late")),
        places.manifest(world.tenant, "pkg_none", 1, digest(b"late")),
    ]
    for key in orphans:
        world.objects.put(key, b"of an attempt that was late")
    before = world.keys_there()
    placed = world.tx(lambda tx: holds.place(tx, world.tenant, PACKAGE, "Case", by_operator=False))
    world.job(holds_job, placed.job_id)
    job = world.tx(lambda tx: tenant_deletion.ask(tx, world.tenant, partial=True))
    assert emptied(world, job)["result"]["held"]
    assert world.keys_there() == before - {orphans[1]}


def test_a_hold_that_is_released_while_a_deletion_ends_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = world.tx(lambda tx: holds.place(tx, world.tenant, PACKAGE, "Case", by_operator=True))
    job = world.tx(lambda tx: tenant_deletion.ask(tx, world.tenant, partial=True))
    rounds: list[str] = []

    def hit(name: str, _: Any) -> None:
        rounds.append(name)
        if rounds.count("deletion.after_blobs") == 2 and name == "deletion.after_blobs":
            release(world, placed.hold_id)

    with monkeypatch.context() as patched:
        patched.setattr(failpoints, "hit", hit)
        assert not emptied(world, job)["result"]["held"]
    assert world.keys_there() == set() and not world.rows("select 1 as x from packages")


def test_a_whole_tenant_that_is_held_is_not_even_partly_deleted(world: World) -> None:
    world.tx(lambda tx: holds.place(tx, world.tenant, None, "Case", by_operator=True))
    with pytest.raises(ContentError, match="legal hold"):
        world.tx(lambda tx: tenant_deletion.ask(tx, world.tenant, partial=True))
    assert world.rows("select closed_at from tenants") == [{"closed_at": None}]


def test_one_of_all_replicas_calls_the_night(world: World) -> None:
    async def all_ask(connections: Connections) -> list[bool]:
        return list(await asyncio.gather(*(retention.due(connections) for _ in range(6))))

    world.settings = replace_period(world.settings, 3600.0)
    world.run(all_ask)  # whatever another test left
    assert world.run(all_ask).count(True) == 0
    world.settings = replace_period(world.settings, 0.000001)
    assert world.run(all_ask).count(True) >= 1


def replace_period(settings: Settings, seconds: float) -> Settings:
    return settings.model_copy(update={"retention_period_s": seconds})
