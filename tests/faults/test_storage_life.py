"""What is kept and for how long: cold and back again, held whoever asks, archived, and a tenant's end; with deaths in between."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from botocore.exceptions import ClientError

from cluster import places
from cluster.connections import Connections
from cluster.events import Events
from cluster.settings import Settings
from content.errors import ContentError
from tasks.edge.edge_words import EdgeWords
from tasks.keeping import audit_archive, gc, holds_job, retention
from tests.support.connected import with_connections
from tests.support.light import Light
from tests.support.populated import PIXELS, Populated
from tests.support.tenants import bearer
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)
T = TypeVar("T")
LONG_AGO = "2020-01-01T00:00:00Z"
EVERYTHING = {"CONTENT_COLD_MIN_BYTES": "0"}
"""Small blobs go cold, too: here there are no large ones."""


@pytest.fixture
def tenant(bare: Light) -> Populated:
    return Populated(bare)


@pytest.fixture
def http(bare: Light, tenant: Populated) -> Any:
    with httpx.Client(base_url=bare.settings.api_url, trust_env=False, timeout=60, headers=bearer(tenant, "operator")) as client:  # fmt: skip
        yield client


def cooled(bare: Light, tenant: Populated) -> tuple[int, int]:
    """Nobody has used anything of the tenant for years, and the night has come."""
    with bare.superuser() as db:
        for table, columns in (
            ("package_versions", "published_at = %s, created_at = %s"), ("seals", "ready_at = %s, created_at = %s"),
            ("exports", "ready_at = %s, last_used = %s"), ("assets", "created_at = %s, created_at = %s"),
        ):  # fmt: skip
            columns = "created_at = %s" if table == "assets" else columns
            values = [LONG_AGO] * columns.count("%s")
            db.execute(f"update {table} set {columns} where tenant = %s".encode(), [*values, tenant.name])
        db.execute(b"update uses set last_used = %s where tenant = %s", [LONG_AGO, tenant.name])
    return with_small(bare, lambda c: retention.cool(c, tenant.name))


def with_small(bare: Light, work: Callable[[Connections], Awaitable[T]]) -> T:
    class _Running:
        settings: Settings = bare.settings.model_copy(update={"cold_min_bytes": 0})

    return with_connections(_Running(), work)  # type: ignore[arg-type]


def keys(bare: Light, tenant: Populated, front: str = "") -> set[str]:
    kinds = (*gc.KINDS, "sites/")
    return {key for kind in kinds for key, _ in bare.objects.keys(f"{front}{kind}{tenant.name}/")}


def night(bare: Light, tenant: Populated, **env: str) -> subprocess.CompletedProcess[str]:
    """The tenant's round, in a process of its own that may die."""
    code = "import sys; from serve_app.cli import main; main(sys.argv[1:])"
    argv = [sys.executable, "-c", code, "retention", tenant.name, "--home", str(bare.home.path), "--json"]
    root = str(Path(__file__).resolve().parents[2])
    known = {**os.environ, **EVERYTHING, **env, "PYTHONPATH": root, "CONTENT_SETTINGS": str(bare.home.settings)}
    return subprocess.run(argv, capture_output=True, text=True, timeout=90, env=known, check=False)


# -- cold -------------------------------------------------------------------------------------------------------------


def test_what_nobody_used_goes_cold_is_answered_202_and_comes_back_hot(
    bare: Light, tenant: Populated, http: httpx.Client
) -> None:
    before = keys(bare, tenant)
    count, gone = cooled(bare, tenant)
    left = keys(bare, tenant)
    moved = before - left
    assert (count, gone) == (len(moved), 0) and {
        key.removeprefix("cold/") for key in keys(bare, tenant, "cold/")
    } == moved
    assert {key.partition("/")[0] for key in moved} == {"assets", "packages", "bundles", "exports"}
    report = with_connections(bare, lambda c: gc.collect(c, grace_s=0))
    assert not [key for key in report.missing if tenant.name in key], "what is cold is not lost"
    version = f"/v1/packages/{tenant.package_id}/versions/1"
    asked = {path: http.get(path) for path in (
        f"/v1/bundles/{tenant.bundle_id}", f"{version}/manifest", f"{version}/manifest/url", f"{version}/assets",
        f"/v1/exports/{tenant.export_id}",
    )}  # fmt: skip
    assert {answer.status_code for answer in asked.values()} == {202}, asked
    jobs = {path: answer.headers["location"] for path, answer in asked.items()}
    assert len(set(jobs.values())) == 3, "a version, a bundle and an export: a job each, however often it is asked for"
    again = http.get(f"/v1/bundles/{tenant.bundle_id}?tier=bulk")
    assert again.json()["job_id"] == asked[f"/v1/bundles/{tenant.bundle_id}"].json()["job_id"]
    assert http.get(again.headers["location"]).json()["kind"] == "thaw"
    bare.worker("exporter")
    for path in asked:
        until(f"{path} hot", lambda path=path: http.get(path).status_code == 200, 60.0)
    assert keys(bare, tenant) == before and not keys(bare, tenant, "cold/")
    assert with_small(bare, lambda c: retention.cool(c, tenant.name)) == (0, 0), "used just now, it stays"
    assert http.post(f"{version}/restore", json={}).json() == {"hot": True}


def test_a_worker_waits_for_what_is_cold_and_is_not_tried_more_often_for_it(bare: Light, tenant: Populated) -> None:
    cooled(bare, tenant)
    bare.worker("exporter")
    bare.worker("bundler")
    device = tenant.device("learner-1", "tablet")
    bundle = until(
        "the bundle", lambda: next((row for row in tenant.api.bundles(device_id=device.id) if row["state"] == "ready"), None), 60.0
    )  # fmt: skip
    (row,) = bare.rows("select attempts from bundles where bundle_id = %s", bundle["bundle_id"])
    assert row["attempts"] == 1

    def thaw() -> dict[str, Any]:
        (job,) = [job for job in tenant.api.jobs() if job["kind"] == "thaw"]
        return job

    until("the thaw's end", lambda: thaw()["state"] == "succeeded", state=thaw)
    assert thaw()["attempt"] == 1


@pytest.mark.parametrize(
    "point", ["retention.before_move", pytest.param("retention.after_move", marks=pytest.mark.slow)]
)
def test_a_night_that_dies_is_ended_by_the_next(bare: Light, tenant: Populated, point: str) -> None:
    before = keys(bare, tenant)
    cooled_by_hand = {"CONTENT_HOT_DAYS": "0"}
    bare.failpoints.arm(point, "kill")
    assert night(bare, tenant, **cooled_by_hand).returncode == -9
    assert [row["state"] for row in bare.rows("select state from cold_objects where tenant = %s and state = 'cooling'", tenant.name)]  # fmt: skip
    done = night(bare, tenant, **cooled_by_hand)
    assert done.returncode == 0, done.stderr
    hot, cold = keys(bare, tenant), {key.removeprefix("cold/") for key in keys(bare, tenant, "cold/")}
    assert hot | cold == before and not hot & cold
    assert {row["state"] for row in bare.rows("select state from cold_objects where tenant = %s", tenant.name)} == {
        "cold"
    }


@pytest.mark.slow
@pytest.mark.parametrize("point", ["thaw.after_ask", "thaw.after_warm"])
def test_a_restore_whose_worker_dies_is_ended_by_the_next(bare: Light, tenant: Populated, point: str) -> None:
    before = keys(bare, tenant)
    cooled(bare, tenant)
    bare.failpoints.arm(point, "kill")
    found = tenant.api.restore_version(tenant.package_id, 1, "bulk")
    assert found is not None
    bare.worker("exporter")
    bare.failpoints.reached(point)
    bare.worker("exporter")
    until("the restore done", lambda: tenant.api.job(found["job_id"])["state"] == "succeeded", 90.0)
    version = {key for key in before if key.startswith(("assets/", "packages/"))}
    assert version <= keys(bare, tenant)


# -- held -------------------------------------------------------------------------------------------------------------


def test_while_a_hold_is_on_nothing_is_deleted_whoever_asks(bare: Light, tenant: Populated, http: httpx.Client) -> None:
    before = keys(bare, tenant)
    orphan = places.asset(tenant.name, "sha256:" + "0a" * 32)
    bare.objects.put(orphan, b"of an attempt that was killed")
    hold = tenant.api.hold("Case 1", tenant.package_id)
    # The API: exports, the tenant itself.
    refused = http.delete(f"/v1/exports/{tenant.export_id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "held")
    with pytest.raises(ContentError) as whole:
        tenant.api.delete_tenant(tenant.name, "over")
    assert whole.value.code == "held"
    # Garbage collection.
    report = with_connections(bare, lambda c: gc.collect(c, grace_s=0))
    assert report.kept >= 1 and bare.objects.size(orphan) is not None
    # A withdrawal takes the version out of the edge's reach, and keeps every byte.
    tenant.api.withdraw(tenant.package_id, 1, "A mistake.")
    after = keys(bare, tenant)
    (export,) = {key for key in before if key.startswith("exports/")}
    assert export not in after and bare.objects.get(places.held(export)) == PIXELS
    assert any(key.startswith(f"withdrawn/{tenant.name}/") for key in after)
    with_connections(bare, lambda c: gc.collect(c, grace_s=0))
    assert bare.objects.size(places.held(export)) is not None
    # Cold it may go, with its lock.
    bare.worker("exporter")
    until("the locks set", lambda: tenant.api.job(hold["job_id"])["state"] == "succeeded", 150.0)
    part = next(key for key in after if key.startswith("bundles/"))
    newest = bare.objects.head(part)
    assert newest is not None and newest["ObjectLockLegalHoldStatus"] == "ON"
    with pytest.raises(ClientError):
        bare.objects.client.delete_object(Bucket=bare.objects.bucket, Key=part, VersionId=newest["VersionId"])
    cooled(bare, tenant)
    cold = bare.objects.head("cold/" + part)
    assert cold is not None and cold["ObjectLockLegalHoldStatus"] == "ON"
    # Released, it goes.
    tenant.api.release_hold(hold["hold_id"], "Closed")
    released = next(tenant.api.holds())
    until("the locks gone", lambda: tenant.api.job(released["job_id"])["state"] == "succeeded", 150.0)
    with_connections(bare, lambda c: gc.collect(c, grace_s=0))
    assert bare.objects.size(places.held(export)) is None and bare.objects.size(orphan) is None
    unlocked = bare.objects.head("cold/" + part)
    assert unlocked is not None and unlocked.get("ObjectLockLegalHoldStatus") != "ON"
    actions = [entry["action"] for entry in tenant.api.audit()]
    assert actions.index("hold.released") < actions.index("hold.placed")


def test_who_may_hold_and_release(bare: Light, tenant: Populated, http: httpx.Client) -> None:
    admin = bearer(tenant, "tenant:admin", subject="head")
    by_operator = http.post("/v1/holds", json={"reason": "A court"}).json()
    own = http.post("/v1/holds", json={"package_id": tenant.package_id, "reason": "Ours"}, headers=admin)
    assert (own.status_code, own.json()["by_operator"]) == (201, False)
    refused = http.post(f"/v1/holds/{by_operator['hold_id']}/release", json={"reason": "no"}, headers=admin)
    assert (refused.status_code, refused.json()["code"]) == (409, "hold-of-operator")
    assert (
        http.post(f"/v1/holds/{own.json()['hold_id']}/release", json={"reason": "ok"}, headers=admin).status_code == 200
    )
    reader = bearer(tenant, "content:read", subject="reader")
    assert http.get("/v1/holds", headers=reader).status_code == 403
    assert http.post("/v1/holds", json={"package_id": "pkg_none", "reason": "x"}).status_code == 404
    assert http.post("/v1/holds", json={"reason": ""}).status_code == 422
    # Two holds on one thing: it is held until the last is released.
    again = http.post("/v1/holds", json={"package_id": tenant.package_id, "reason": "Second"}).json()
    assert http.post(f"/v1/holds/{by_operator['hold_id']}/release", json={"reason": "ok"}).status_code == 200
    assert http.delete(f"/v1/exports/{tenant.export_id}").status_code == 409
    http.post(f"/v1/holds/{again['hold_id']}/release", json={"reason": "ok"})
    assert http.delete(f"/v1/exports/{tenant.export_id}").status_code == 204


@pytest.mark.slow
def test_locks_whose_worker_dies_are_set_by_the_next(bare: Light, tenant: Populated) -> None:
    bare.failpoints.arm("hold.mid_lock", "kill")
    hold = tenant.api.hold("Case 1")
    bare.worker("exporter")
    bare.failpoints.reached("hold.mid_lock")
    bare.worker("exporter")
    until("the locks set", lambda: tenant.api.job(hold["job_id"])["state"] == "succeeded", 90.0)
    for key in with_connections(bare, lambda c: holds_job.covered(c, tenant.name, None)):
        found = bare.objects.head(key)
        assert found is None or found["ObjectLockLegalHoldStatus"] == "ON", key


# -- archived ---------------------------------------------------------------------------------------------------------


def test_the_archive_of_the_audit_log_is_whole_or_says_where_it_is_not(bare: Light, tenant: Populated) -> None:
    for number in range(3):
        tenant.api.hold(f"Case {number}")
        assert with_connections(bare, lambda c: audit_archive.archive(c, tenant.name)) == 1
    assert with_connections(bare, lambda c: audit_archive.archive(c, tenant.name)) == 0
    found = tenant.api.verify_audit_archive()
    newest = next(tenant.api.audit())
    assert found["valid"] and (found["segments"], found["last"], found["head"]) == (3, newest["n"], newest["hash"])
    segments = bare.rows("select key from audit_segments where tenant = %s order by first", tenant.name)
    texts = [bare.objects.get(row["key"]) for row in segments]
    assert b"operator" not in b"".join(
        line for text in texts for line in text.splitlines() if b'"actor":"operator"' in line
    )
    # One entry changed; one segment exchanged for another; the database changed.
    bare.objects.put(segments[1]["key"], texts[1].replace(b"Case 1", b"Case 9"))
    broken = tenant.api.verify_audit_archive()
    assert not broken["valid"] and segments[1]["key"] in str(broken["broken"])
    bare.objects.put(segments[1]["key"], texts[0])
    assert not tenant.api.verify_audit_archive()["valid"]
    bare.objects.put(segments[1]["key"], texts[1])
    assert tenant.api.verify_audit_archive()["valid"]
    with bare.superuser() as db:
        db.execute(b"update audit_log set hash = 'sha256:0' where tenant = %s and n = %s", [tenant.name, newest["n"]])
    assert "others than the archive" in str(tenant.api.verify_audit_archive()["broken"])


def test_a_segment_that_nobody_noted_is_written_again(bare: Light, tenant: Populated) -> None:
    bare.failpoints.arm("audit.after_segment", "kill")
    assert night(bare, tenant).returncode == -9
    assert bare.rows("select 1 as x from audit_segments where tenant = %s", tenant.name) == []
    assert night(bare, tenant).returncode == 0
    assert tenant.api.verify_audit_archive()["valid"]


# -- the end of a tenant ----------------------------------------------------------------------------------------------


def tables_of(bare: Light, tenant: Populated) -> dict[str, int]:
    names = bare.rows(
        """select table_name as t from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
           where table_schema = 'public' and column_name = 'tenant' and table_type = 'BASE TABLE'"""
    )
    counts = {
        row["t"]: bare.rows(f"select count(*) as n from {row['t']} where tenant = %s", tenant.name)[0]["n"]
        for row in names
    }
    return {name: count for name, count in counts.items() if count}


class Cdn:
    """One that remembers what it was told to forget."""

    def __init__(self) -> None:
        self.told: set[str] = set()

    def purge(self, paths: Sequence[str], reference: str) -> None:
        self.told |= set(paths)


async def hears(bare: Light, folders: Collection[str]) -> None:
    """Listen as `content-edge` does, until the CDN was told to forget these folders, or larger ones that hold them."""
    events, cdn = await Events.connect(bare.settings), Cdn()
    try:
        words = EdgeWords(bare.settings, events, cdn)
        async with asyncio.timeout(60):
            while not all(any(f"/{each}".startswith(path.removesuffix("*")) for path in cdn.told) for each in folders):
                await words.step()
    finally:
        await events.close()


STAYS = {"tenants", "jobs", "signing_keys", "audit_log", "audit_segments", "inbox", "trust_lists", "revocation_lists", "change_log"}  # fmt: skip
"""The name, the deletion's own job, what was signed for everybody, and what cannot be changed."""


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(None, marks=pytest.mark.slow),
        pytest.param("deletion.after_rows", marks=pytest.mark.slow),
        "deletion.after_blobs",
    ],
)
def test_a_tenant_that_is_deleted_leaves_its_name_and_its_audit_log(
    bare: Light, tenant: Populated, http: httpx.Client, point: str | None
) -> None:
    assert len(tables_of(bare, tenant)) > 30
    assert http.post(f"/v1/tenants/{tenant.name}/deletion", json={"confirm": "other", "reason": "x"}).status_code == 422
    if point:
        bare.failpoints.arm(point, "kill")
    asked = tenant.api.delete_tenant(tenant.name, "The contract has ended.")
    assert tenant.api.delete_tenant(tenant.name, "again")["job_id"] == asked["job_id"]
    bare.worker("relay")
    bare.worker("exporter")
    if point:
        bare.failpoints.reached(point)
        bare.worker("exporter")
    until("the tenant gone", lambda: tenant.api.deletion(tenant.name)["deleted_at"], 90.0, lambda: tenant.api.deletion(tenant.name))  # fmt: skip
    assert set(tables_of(bare, tenant)) <= STAYS
    assert [row["kind"] for row in bare.rows("select kind from jobs where tenant = %s", tenant.name)] == ["deletion"]
    assert not {*keys(bare, tenant), *keys(bare, tenant, "cold/"), *keys(bare, tenant, "held/")}
    answer = http.get("/v1/packages", headers=bearer(tenant, "content:read"))
    assert (answer.status_code, answer.json()["code"]) == (410, "tenant-closed")
    with pytest.raises(ContentError) as taken:
        tenant.api.create_tenant(tenant.name, region=bare.settings.region)
    assert taken.value.code == "tenant-closed"
    actions = [
        row["action"] for row in bare.rows("select action from audit_log where tenant = %s order by n", tenant.name)
    ]
    assert actions[-2:] == ["tenant.closed", "tenant.deleted"]
    kinds = ("assets", "bundles", "exports", "packages")
    asyncio.run(hears(bare, [f"{kind}/{tenant.name}/" for kind in kinds]))
    assert tenant.api.verify_audit()["valid"] and tenant.api.verify_audit_archive()["valid"]


def test_a_removed_export_is_told_to_the_cdn(bare: Light, tenant: Populated, http: httpx.Client) -> None:
    """The local edge reads the store, where it is gone; a CDN has copies."""
    folder = places.exports(tenant.name, tenant.package_id, tenant.newest, tenant.export_id)
    assert any(key.startswith(folder) for key in keys(bare, tenant))
    removed = http.delete(f"/v1/exports/{tenant.export_id}", headers=bearer(tenant, "content:write"))
    assert removed.status_code == 204, removed.text
    assert not any(key.startswith(folder) for key in keys(bare, tenant))
    bare.worker("relay")
    asyncio.run(hears(bare, [folder]))


def test_a_deletion_leaves_what_is_held_and_goes_on_when_it_is_released(bare: Light, tenant: Populated) -> None:
    hold = tenant.api.hold("Case 1", tenant.package_id)
    before = keys(bare, tenant)
    kept = {key for key in before if key.split("/")[0] in ("assets", "packages", "bundles", "exports")}
    with pytest.raises(ContentError) as refused:
        tenant.api.delete_tenant(tenant.name, "over")
    assert refused.value.code == "held"
    asked = tenant.api.delete_tenant(tenant.name, "over", partial=True)
    bare.worker("relay")
    bare.worker("exporter")
    until("what may go is gone", lambda: tenant.api.deletion(tenant.name)["state"] == "succeeded", 90.0)
    assert tenant.api.deletion(tenant.name)["deleted_at"] is None
    assert kept <= keys(bare, tenant)
    left = tables_of(bare, tenant)
    assert "learners" not in left and {"packages", "package_versions", "bundles", "seals", "parts"} <= set(left)
    (row,) = bare.rows("select learner_id from bundles where tenant = %s", tenant.name)
    assert row["learner_id"].startswith("lrn_")
    tenant.api.release_hold(hold["hold_id"], "Closed")
    until("the tenant gone", lambda: tenant.api.deletion(tenant.name)["deleted_at"], 90.0)
    assert set(tables_of(bare, tenant)) <= STAYS and not keys(bare, tenant)
    assert tenant.api.deletion(tenant.name)["job_id"] != asked["job_id"]
