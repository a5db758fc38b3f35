"""The drill of a lost region: populated by the real code, archived, blobs taken away, restored into an empty database, compared.

`make dr-drill` prints each step's rate and what follows from it for a million bundles on the topology's largest pools, against
90 minutes and 15. `CONTENT_DRILL_PACKAGES` and `CONTENT_DRILL_DEVICES` say how large it is.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.bundle import put_assets
from bench.recovery_estimate import LABELS, Rates, estimate, keep, measured, written
from bench.recovery_region import archive, base_backup, empty_database, populate, summaries, take_away
from bench.results import Result, fact, limit
from cluster import places
from cluster.connections import Connections
from cluster.objects import Objects
from cluster.settings import Settings
from content.bundles.keys import ContentKey
from tasks.recovery.restore import BATCHES_AT_ONCE, Restore
from tasks.recovery.restore_blobs import copied
from tasks.sealing import Target, seal_batch

MOVED_ON = {"tenants", "trust_lists", "revocation_lists", "audit_log", "jobs"}
LARGE_MB, LARGE, SMALL = 25, 16, 400
"""Files of the size that the estimate reckons with, how many, and how many small ones."""


class _Timed(Restore):
    """A restore that also says what it computed itself, and how long each kind of blob took."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.own = dict[str, float]()
        self.kinds = defaultdict[str, float](float)

    async def _timed(self, step: str, work: Any) -> Any:
        began, computed = time.monotonic(), time.process_time()
        try:
            return await super()._timed(step, work)
        finally:
            self.own[step] = min(1.0, (time.process_time() - computed) / (time.monotonic() - began))

    async def _turn(self, tenant: str, kind: str) -> int:
        began = time.monotonic()
        try:
            return await super()._turn(tenant, kind)
        finally:
            self.kinds[kind] += time.monotonic() - began


def measure(home: Path, settings: Settings) -> list[Result]:
    return asyncio.run(_measure(home, settings))


async def _measure(home: Path, settings: Settings) -> list[Result]:
    connections = await Connections.open(settings)
    began = time.monotonic()
    try:
        made = await populate(home, connections)
        changes, archiving = await archive(settings, connections)
        before = {tenant: await summaries(connections, tenant) for tenant in made.tenants}
        listed = sum(1 for tenant in made.tenants for _ in _keys(connections.objects, tenant))
        gone = {tenant: await take_away(connections, tenant) for tenant in made.tenants}
    finally:
        await connections.close()
    sys.stderr.write(f"  {made.packages} packages, {made.bundles} bundles after {time.monotonic() - began:.0f} s\n")
    copied_mb, copying_s = base_backup(home)
    with empty_database(home, settings) as empty:
        restored = await Connections.open(empty, size=16)
        try:
            run = _Timed(restored, restored.objects, f"s3://{settings.s3_bucket}")
            began = time.monotonic()
            found = await run.run()
            whole_s = time.monotonic() - began
            for tenant in made.tenants:
                after = await summaries(restored, tenant)
                assert {n: s for n, s in after.items() if n not in MOVED_ON} == {
                    n: s for n, s in before[tenant].items() if n not in MOVED_ON
                }, "the tables are not what they were"
                for key, body in gone[tenant].items():
                    assert restored.objects.get(key) == body, f"{key} is not what it was"
            assert sum(1 for tenant in made.tenants for _ in _keys(restored.objects, tenant)) == listed
        finally:
            await restored.close()
    sys.stderr.write(
        f"  restored in {whole_s:.1f} s: {found.seconds}; its own share: {run.own}; blobs: {dict(run.kinds)}\n"
    )
    assert not found.differing and not found.missing
    blobs = {name: sums["items"] for name, sums in found.blobs.items()}
    assert set(blobs) == {"version same", "seal same"}, found.blobs
    replica_mb, replica_each = _from_replica(settings)
    rates = Rates(
        packages=made.packages,
        tenants=len(made.tenants),
        drilled=made.bundles,
        changes_per_bundle=changes / made.bundles,
        rows_per_bundle=found.rows / made.bundles,
        keys_per_bundle=listed / made.bundles,
        bundles=made.bundles / made.bundling_s,
        archived=changes / archiving,
        read=found.changes / found.seconds["log"],
        read_own=run.own["log"],
        rows=found.rows / found.seconds["rows"],
        rows_own=run.own["rows"],
        compared=found.rows / found.seconds["compare"],
        compared_own=run.own["compare"],
        epochs=len(made.tenants) / max(found.seconds["epoch"], 0.01),
        listed=listed / max(found.seconds["left"], 0.01),  # when all of them are there again
        versions=blobs["version same"] / run.kinds["version"],
        seals=blobs["seal same"] / run.kinds["seal"],
        encrypted=_large(Objects(settings)),
        copied=replica_mb,
        copied_each=replica_each,
    )
    document = Path(__file__).resolve().parents[1] / "docs" / "recovery.md"
    keep(rates)
    document.write_text(written(document.read_text(), measured()))
    return [
        *(fact(label, getattr(rates, name), unit) for name, (label, unit) in LABELS.items()),
        fact("drill: restored", whole_s, "s"),
        fact("drill: base backup", copied_mb, "MB"),
        fact("drill: base backup, a second", copied_mb / copying_s, "MB/s"),
        *(
            limit(name, each.minutes, "min", each.most) if each.most else fact(name, each.minutes, "min")
            for each in estimate(rates)
            for name in (f"drill: a million bundles, {each.name.strip('*')}",)
        ),
    ]


def _keys(objects: Objects, tenant: str) -> list[str]:
    return [key for kind in ("assets", "packages", "bundles") for key, _ in objects.keys(f"{kind}/{tenant}/")]


def _large(objects: Objects) -> float:
    """MB for each second that this process computed, from the store to the store: the store's own work is its machine's."""
    sources = put_assets(objects, "drill", count=LARGE, size=LARGE_MB * 1_000_000)
    began = time.process_time()
    for source in sources:
        target = Target(f"sea_{uuid.uuid4().hex[:26]}/a", ContentKey("key_drill", os.urandom(32)))
        seal_batch(objects, [source], [target], places.bundles("drill"))
    return LARGE * LARGE_MB / (time.process_time() - began)


def _from_replica(settings: Settings) -> tuple[float, float]:
    """The same of copying what lies in another bucket; and small files a second, by one process with as many batches as a restore
    has."""
    here, there = Objects(settings), Objects(settings.model_copy(update={"s3_bucket": "replica"}))
    there.client.create_bucket(Bucket=there.bucket)
    large = [source.key for source in put_assets(there, "replica", count=LARGE, size=LARGE_MB * 1_000_000)]
    began = time.process_time()
    left, written = copied(here, there, large)
    computed_s = time.process_time() - began
    small = [source.key for source in put_assets(there, "replica", count=SMALL, size=2000)]
    began = time.monotonic()
    with ThreadPoolExecutor(BATCHES_AT_ONCE) as pool:
        left += [
            key
            for batch in pool.map(lambda n: copied(here, there, small[n::BATCHES_AT_ONCE])[0], range(BATCHES_AT_ONCE))
            for key in batch
        ]
    assert not left
    return written / 1e6 / computed_s, SMALL / (time.monotonic() - began)
