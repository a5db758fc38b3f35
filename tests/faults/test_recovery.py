"""A region that is lost and restored from its log, and a database that was set back and reconciled: on real parts, small."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from cluster import places
from cluster.connections import Connections
from cluster.local.identity import mint_token
from cluster.local.ports import choose
from cluster.settings import Settings
from content.errors import ContentError
from serve_app.client import Client
from tasks.claims import allocate
from tasks.doctor import event_log
from tasks.keeping import gc
from tasks.planning import Group
from tasks.recovery.reconcile import Reconciled, reconcile
from tests.faults.test_event_log import carried
from tests.support.courses import Course
from tests.support.devices import Device
from tests.support.light import Light, Worker
from tests.support.second_database import second_database, summaries, written
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)
ROOT = Path(__file__).resolve().parents[2]
MOVED_ON = {"tenants", "trust_lists", "revocation_lists", "audit_log", "jobs"}
"""What the next epoch changes."""


def populated(bare: Light) -> tuple[Tenant, Course, list[Device]]:
    """A course in two versions, so that seals go on using parts, and two devices that have opened the second."""
    tenant = Tenant(bare)
    course = tenant.course().text()
    for kind in ("relay", "builder", "bundler"):
        bare.worker(kind)
    devices = [tenant.device("learner-1"), tenant.device("learner-2", "tablet")]
    tenant.publish(course)
    for learner in ("learner-1", "learner-2"):
        tenant.enrol(course, learner)
    tenant.built(course)
    tenant.ready(course, 2)
    course = course.changed_text()
    tenant.publish(course)
    tenant.built(course, 2)
    tenant.ready(course, 2, number=2)
    for device in devices:
        device.read(device.open(device.offers()[-1]))
    return tenant, course, devices


def lost(bare: Light, tenant: Tenant) -> dict[str, bytes]:
    """Blobs of every kind go from the bucket: both manifests, the older index, and all there is of one device."""
    rows = bare.rows(
        "select seal_id, index_path, version from seals where tenant = %s order by scope, version", tenant.name
    )
    prefix = places.bundles(tenant.name)
    keys = [key for key, _ in bare.objects.keys(f"packages/{tenant.name}/")]
    keys += [prefix + rows[0]["index_path"], prefix + rows[1]["index_path"].replace("index.json", "0.part")]
    for row in rows[2:]:
        folder = prefix + row["index_path"].rpartition("/")[0]
        keys += [key for key, _ in bare.objects.keys(folder + "/")]
    found = {key: bare.objects.get(key) for key in keys}
    bare.objects.delete(keys)
    assert len(found) >= 8
    return found


def command(settings_file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "CONTENT_SETTINGS": str(settings_file), "PYTHONPATH": str(ROOT)}
    argv = [str(Path(sys.executable).parent / "content-service"), *words]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=240)


@contextmanager
def region_of(bare: Light, settings: Settings, folder: Path) -> Iterator[str]:
    """API and workers on another database; gives the address of the API."""
    port = choose(["other"], bare.home.reserved_by_others())["other"]
    url = f"http://127.0.0.1:{port}"
    path = written(settings.model_copy(update={"api_url": url}), folder / "restored.json")
    env = {**os.environ, "CONTENT_SETTINGS": str(path), "PYTHONPATH": str(ROOT)}
    api = [
        sys.executable,
        "-m",
        "uvicorn",
        "serve_app.api:create_app",
        "--factory",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    argvs = [
        api,
        *([sys.executable, "-m", "tests.support.worker_process", kind] for kind in ("relay", "builder", "bundler")),
    ]
    workers = [Worker(argv, env, folder / f"{number}.log") for number, argv in enumerate(argvs)]
    try:
        until("the restored API answering", lambda: _alive(url), 120.0, workers[0].log)
        yield url
    finally:
        for worker in workers:
            worker.end()


def _alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", trust_env=False, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_region_is_restored_from_its_log(bare: Light, tmp_path: Path) -> None:
    tenant, course, devices = populated(bare)
    tenant.api.revoke("bundle", tenant.bundles(course, 1)[0]["bundle_id"], "a test")
    bare.end_workers()
    carried(bare)
    before = summaries(bare.settings, tenant.name)
    gone = lost(bare, tenant)
    with second_database(bare, "restored") as settings:
        path = written(settings, tmp_path / "settings.json")
        bare.failpoints.arm("restore.after_rows", "kill")
        words = ("restore", "--from", f"s3://{settings.s3_bucket}", "--build", "--json")
        killed = command(path, *words)
        assert killed.returncode != 0
        _refused_meanwhile(settings)
        ended = command(path, *words)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        report = json.loads(ended.stdout)

        assert report["differing"] == []
        assert report["missing"] == {}
        assert all(sums["digests_equal"] for sums in report["tables"].values())
        after = summaries(settings, tenant.name)
        assert {name: sums for name, sums in after.items() if name not in MOVED_ON} == {
            name: sums for name, sums in before.items() if name not in MOVED_ON
        }
        assert {key: bare.objects.get(key) for key in gone} == gone, "made again, byte for byte"
        assert {name.split()[1] for name in report["blobs"]} == {"same"}
        again = json.loads(command(path, *words).stdout)
        assert again == {**report, "seconds": again["seconds"]}, "told again, not done again"
        elsewhere = command(path, "restore", "--from", "s3://another")
        assert elsewhere.returncode != 0, "a restored database is not restored over"

        with region_of(bare, settings, tmp_path) as url:
            _goes_on(bare, tenant, course, devices, url)


def test_versions_that_are_left_are_made_whole_by_the_builders(bare: Light, tmp_path: Path) -> None:
    """As in production, where a restore has neither neighbours nor a sandbox: the region is up before, and nobody waits for it."""
    tenant, _, devices = populated(bare)
    bare.end_workers()
    carried(bare)
    gone = lost(bare, tenant)
    manifests = {key: body for key, body in gone.items() if key.startswith("packages/")}
    with second_database(bare, "without_builds") as settings:
        path = written(settings, tmp_path / "settings.json")
        ended = command(path, "restore", "--from", f"s3://{settings.s3_bucket}", "--json")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        report = json.loads(ended.stdout)
        assert report["blobs"]["version left"]["items"] == len(manifests) == 2
        assert report["missing"][tenant.name] >= len(manifests)
        with region_of(bare, settings, tmp_path) as url:
            there = "manifests made again, byte for byte"
            until(there, lambda: all(bare.objects.size(key) == len(body) for key, body in manifests.items()), 90)
            assert {key: bare.objects.get(key) for key in manifests} == manifests
            for device in devices:
                device.api = Client(url, device=device.identity)
                until("a bundle made anew", lambda device=device: _newest(device)[:2] == [2, 2], 90)
                device.read(device.open(device.offers()[-1]))


def _newest(device: Device) -> list[int]:
    return json.loads(device.offers()[-1]["licence"])["sequence"]


def _refused_meanwhile(settings: Settings) -> None:
    """Nothing is numbered, collected or archived in a database that is half restored."""

    async def refused() -> list[str]:
        connections = await Connections.open(settings)
        codes: list[str] = []
        try:
            for work in (gc.collect(connections, grace_s=0), _numbered(connections)):
                try:
                    await work
                except ContentError as error:
                    codes.append(error.code)
        finally:
            await connections.close()
        return codes

    assert asyncio.run(refused()) == ["database-behind"] * 2


async def _numbered(connections: Connections) -> Any:
    async with connections.db.tenant("nobody") as tx:
        return await allocate(tx, Group("pkg", 1, "phone", "bulk"), ["device"])


def _goes_on(bare: Light, tenant: Tenant, course: Course, devices: list[Device], url: str) -> None:
    """Devices open what they have, and take what comes next for newer; the lists that they knew are outranked."""
    tenant.api = Client(url, token=mint_token(tenant.home, tenant.name, ["operator"], "operator"))
    for device in devices:
        device.api = Client(url, device=device.identity)
        device.read(device.open(device.offers()[-1]))
    course = course.changed_text("Three.")
    tenant.publish(course)
    tenant.built(course, 3)
    tenant.ready(course, 2, number=3)
    for device in devices:
        newest = device.offers()[-1]
        assert json.loads(newest["licence"])["sequence"] == [2, 3, 1]
        assert json.loads(newest["licence"])["min_revocations"][0] == 3
        device.read(device.open(newest))


def test_a_database_that_was_set_back_is_found_and_reconciled(bare: Light) -> None:
    tenant, course, devices = populated(bare)
    bare.end_workers()
    carried(bare)
    with set_back(bare):
        # Lost from the database: a third version with its bundles, published, archived, and installed by a device.
        for kind in ("relay", "builder", "bundler"):
            bare.worker(kind)
        third = course.changed_text("Three.")
        tenant.publish(third)
        tenant.built(third, 3)
        tenant.ready(third, 2, number=3)
        devices[0].read(devices[0].open(devices[0].offers()[-1]))
        until("everything told", lambda: not bare.rows("select 1 from outbox where published_at is null"), 30)
        bare.end_workers()
        carried(bare)
    assert tenant.version(course, 3) is None
    found = {finding.name: finding for finding in asyncio.run(event_log.check(bare.settings))}
    assert found["event log: NATS"].status == "fail"

    Tenant(bare)  # something changes, and the archiver meets a segment that it has forgotten
    with pytest.raises(ContentError, match="set back"):
        carried(bare)
    found = {finding.name: finding for finding in asyncio.run(event_log.check(bare.settings))}
    assert found["event log: database"].status == "fail"

    done = reconciled(bare)
    assert done.segments >= 1
    assert done.applied > 0
    own = {tenant.package(course), *(row["bundle_id"] for row in tenant.bundles(course))}
    assert not [each for each in done.unknown if each.rpartition(" ")[2] in own], "every event has its row again"
    assert tenant.built(course, 3)
    for kind in ("relay", "builder", "bundler"):
        bare.worker(kind)
    fourth = course.changed_text("Three.").changed_text("Four.")
    tenant.publish(fourth)
    tenant.built(fourth, 4)
    tenant.ready(fourth, 2, number=4)
    for device in devices:
        newest = device.offers()[-1]
        assert json.loads(newest["licence"])["sequence"] == [2, 4, 1]
        device.read(device.open(newest))
    bare.end_workers()
    carried(bare)  # what the relay had not archived itself
    assert bare.rows("select count(*) as n from change_log") == [{"n": 0}]
    assert all(finding.status == "ok" for finding in asyncio.run(event_log.check(bare.settings)))


def reconciled(bare: Light) -> Reconciled:
    async def run() -> Reconciled:
        connections = await Connections.open(bare.settings)
        try:
            return await reconcile(connections)
        finally:
            await connections.close()

    return asyncio.run(run())


@contextmanager
def set_back(bare: Light) -> Iterator[None]:
    """Behind this block the database is as it was before it; NATS, store and keys are not."""
    data = bare.home.path / "postgres"
    kept = bare.home.path / "postgres-before"
    bare.stop_part("postgres")
    subprocess.run(["cp", "-a", str(data), str(kept)], check=True)
    bare.start_part()
    try:
        yield
    finally:
        bare.stop_part("postgres")
        shutil.rmtree(data)
        kept.rename(data)
        bare.start_part()
    until("the database answering", lambda: _answers(bare), 30)


def _answers(bare: Light) -> bool:
    try:
        return bool(bare.rows("select 1 as x"))
    except psycopg.Error:
        return False
