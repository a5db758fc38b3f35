"""What operators call around a restore, on real parts: the archive verified, helpers that join, and holds that a slip alone told of."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster import places
from cluster.connections import Connections
from cluster.database import fetch_all
from cluster.eventlog.store import LogStore
from cluster.settings import Settings
from tasks.keeping import holds
from tasks.recovery.restore import Restore
from tasks.recovery.restore_source import source
from tests.faults.test_event_log import carried
from tests.faults.test_recovery import ROOT, command, lost, populated
from tests.support.light import Light
from tests.support.second_database import second_database, written
from tests.support.tenants import Tenant

pytestmark = pytest.mark.timeout(400)


def spoken(bare: Light, *words: str) -> subprocess.CompletedProcess[str]:
    return command(bare.home.settings, *words)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode not in (0, None), done.stdout
    return done.stdout + done.stderr


# -- events archive verify --------------------------------------------------------------------------------------------


def test_an_archive_is_verified_and_says_what_is_wrong_with_it(bare: Light) -> None:
    for _ in range(3):  # a segment each
        Tenant(bare)
        carried(bare)
    store = LogStore(bare.objects, bare.settings.region)
    path = store.path()
    epoch, last = path[-1]
    whole = spoken(bare, "events", "archive", "verify", "--json")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    told = json.loads(whole.stdout)
    assert told["path"] == [list(each) for each in path] and told["segments"] >= last
    assert told["changes"] == sum(segment.changes for each in path for _, segment in store.read(*each)) > 0

    middle = places.events(bare.settings.region, epoch, last - 1)
    body = bare.objects.get(middle)
    head, _, packed = body.partition(b"\n")
    other = packed[:20] + bytes([packed[20] ^ 1]) + packed[21:]
    forged = json.loads(head) | {"closed_at": "2020-01-01T00:00:00Z"}
    spoiled = {
        "missing": None,
        "a byte is another": head + b"\n" + other,
        "its header is another": json.dumps(forged, separators=(",", ":"), sort_keys=True).encode() + b"\n" + packed,
        "cut off": body[:-10],
    }
    found: dict[str, str] = {}
    try:
        for what, instead in spoiled.items():
            if instead is None:
                bare.objects.delete([middle])
            else:
                bare.objects.put(middle, instead)
            found[what] = refusal(spoken(bare, "events", "archive", "verify"))
    finally:
        bare.objects.put(middle, body)
    assert f"Segment {epoch}/{last - 1} of the event log is missing" in found["missing"]
    assert "older version" in found["missing"]
    assert len(set(found.values())) >= 3, found
    assert all("Traceback" not in each for each in found.values())
    assert spoken(bare, "events", "archive", "verify").returncode == 0


def test_another_bucket_is_verified_by_its_address(bare: Light) -> None:
    """As an operator does with a replica's before a restore from there: whole, and with a segment that was not replicated yet."""
    for _ in range(2):
        Tenant(bare)
        carried(bare)
    client, name = bare.objects.client, f"replica-{secrets.token_hex(4)}"
    client.create_bucket(Bucket=name)
    for key, _ in bare.objects.keys(places.events(bare.settings.region)):
        client.copy_object(Bucket=name, Key=key, CopySource={"Bucket": bare.objects.bucket, "Key": key})
    address = f"{bare.settings.s3_endpoint}/{name}"
    there = spoken(bare, "events", "archive", "verify", "--from", address, "--json")
    assert there.returncode == 0, there.stdout + there.stderr
    here = json.loads(spoken(bare, "events", "archive", "verify", "--json").stdout)
    assert json.loads(there.stdout) == here
    epoch, last = LogStore(bare.objects, bare.settings.region).path()[-1]
    client.delete_object(Bucket=name, Key=places.events(bare.settings.region, epoch, last - 1))
    assert "missing" in refusal(spoken(bare, "events", "archive", "verify", "--from", address))
    client.create_bucket(Bucket=f"{name}-empty")
    nothing = spoken(bare, "events", "archive", "verify", "--from", f"{address}-empty")
    assert "There is no event log of the region" in refusal(nothing), "nothing is not whole"
    assert "names no bucket" in refusal(spoken(bare, "events", "archive", "verify", "--from", "s3://a/b"))


# -- restore --join ---------------------------------------------------------------------------------------------------


class Stopped(Exception):
    pass


class UntilTheBlobs(Restore):
    """A restore whose process is gone when it has noted which blobs are missing."""

    async def help(self) -> int:
        raise Stopped


def items(settings: Settings, tenant: str) -> list[dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        connections = await Connections.open(settings)
        try:
            async with connections.db.tenant(tenant) as tx:
                return await fetch_all(tx, "select kind, subject, state from restore_items order by kind, subject")
        finally:
            await connections.close()

    return asyncio.run(read())


def test_helpers_make_blobs_again_side_by_side_and_the_restore_ends(bare: Light, tmp_path: Path) -> None:
    tenant, _, _ = populated(bare)
    bare.end_workers()
    carried(bare)
    gone = lost(bare, tenant)
    with second_database(bare, "joined") as settings:
        path, address = written(settings, tmp_path / "settings.json"), f"s3://{settings.s3_bucket}"

        async def begin() -> None:
            connections = await Connections.open(settings, size=16)
            try:
                await UntilTheBlobs(connections, source(settings, address), address).run()
            finally:
                await connections.close()

        with pytest.raises(Stopped):
            asyncio.run(begin())
        waiting = items(settings, tenant.name)
        assert waiting and {each["state"] for each in waiting} == {"waiting"}

        helpers = [_joining(path, address) for _ in range(2)]
        answers = [helper.communicate(timeout=240) for helper in helpers]
        assert [helper.returncode for helper in helpers] == [0, 0], answers
        ended = items(settings, tenant.name)
        assert {each["state"] for each in ended} == {"same"}
        assert sum(json.loads(out)["items"] for out, _ in answers) >= len(ended), "each was somebody's"
        assert {key: bare.objects.get(key) for key in gone} == gone, "byte for byte"

        done = command(path, "restore", "--from", address, "--build", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads(done.stdout)
        assert report["differing"] == [] and report["missing"] == {}
        late = command(path, "restore", "--from", address, "--join", "--json")
        assert json.loads(late.stdout) == {"items": 0}, "whoever comes late finds nothing to do"


def _joining(path: Path, address: str) -> subprocess.Popen[str]:
    """A helper that has what a build needs, since manifests are among what is lost."""
    env = {**os.environ, "CONTENT_SETTINGS": str(path), "PYTHONPATH": str(ROOT)}
    argv = [
        str(Path(sys.executable).parent / "content-service"),
        "restore",
        "--from",
        address,
        "--join",
        "--build",
        "--json",
    ]
    return subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# -- holds ------------------------------------------------------------------------------------------------------------


def test_a_hold_that_was_answered_outlives_the_region(bare: Light, tmp_path: Path) -> None:
    """No archiver has run since: a slip tells of it, and of the release of another. What is held is held in the restored region, and
    the store's locks are set and taken away there by the jobs that the slip does not have."""
    tenant = Tenant(bare)
    before = tenant.api.hold("Case 1")
    carried(bare)
    bare.end_workers()
    placed = tenant.api.hold("Case 2")
    tenant.api.release_hold(before["hold_id"], "Closed")
    prefix = f"{places.slips(bare.settings.region)}"
    assert [key for key, _ in bare.objects.keys(prefix) if f"/{tenant.name}/" in key]
    with second_database(bare, "held") as settings:
        path = written(settings, tmp_path / "settings.json")
        done = command(path, "restore", "--from", f"s3://{settings.s3_bucket}", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        found = asyncio.run(_held_in(settings, tenant.name))
    assert found["held"] is True
    assert found["holds"] == {before["hold_id"]: "Closed", placed["hold_id"]: None}
    first = {(before["hold_id"], True), (before["hold_id"], False)}  # the log had its first job, the slip none
    assert found["jobs"] == {*first, (placed["hold_id"], True)}
    assert found["queued"] >= 3


async def _held_in(settings: Settings, tenant: str) -> dict[str, Any]:
    connections = await Connections.open(settings)
    try:
        async with connections.db.tenant(tenant) as tx:
            rows = await fetch_all(tx, "select hold_id, release_reason from holds")
            jobs = await fetch_all(tx, "select subject from jobs where kind = 'hold' and state = 'queued'")
            held = await holds.held(tx, tenant)
        async with connections.ops.connection() as connection:
            queued = await fetch_all(connection, "select count(*)::int as n from pgqueuer where entrypoint = 'hold'")
    finally:
        await connections.close()
    return {
        "held": held,
        "holds": {row["hold_id"]: row["release_reason"] for row in rows},
        "jobs": {(row["subject"]["hold_id"], row["subject"]["on"]) for row in jobs},
        "queued": queued[0]["n"],
    }
