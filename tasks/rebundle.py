"""Bundles that are ready made anew: which ones, what that would cost, and the job that does it.

Packed anew under the content key of each scope's current epoch, with the next issue of the licence: after a key leaked,
where parts are damaged beyond healing, or to be rid of dead bytes. A selection is a value and is kept in its job. Nothing is
marked: a bundle belongs to the job as long as it was made before the job was asked for, so that a job that is cancelled or
fails leaves every bundle as it is. The work itself is `tasks/rebundle_job.py`.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cluster import queue
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.queue import Work
from cluster.settings import Settings
from tasks import jobs
from tasks.batches import batch_limit
from tasks.resigning import LIVE

KIND = queue.REBUNDLE
IDLE_S = 60
"""Commits that lie farther apart were not made without a break: the rate is not counted from them."""

MATCHING = f"""
    from bundles b
    join devices d on d.device_id = b.device_id
    join enrolments e on e.enrollment_id = b.enrollment_id
    join packages p on p.package_id = b.package_id and p.revoked_at is null
    join package_versions v on v.package_id = b.package_id and v.version = b.version and v.state = 'published'
    join seals s on s.seal_id = b.seal_id
    where {LIVE} and b.ready_at < %(before)s and (e.ends_at is null or e.ends_at > now())
      and (%(package_id)s::text is null or b.package_id = %(package_id)s)
      and (%(version)s::int is null or b.version = %(version)s)
      and (%(profile)s::text is null or b.profile = %(profile)s)
      and (%(policy)s::text is null or b.policy = %(policy)s)
      and (%(device_ids)s::text[] is null or b.device_id = any(%(device_ids)s))
      and (not %(outdated_keys)s or s.epoch < coalesce(
           (select o.epoch from scope_epochs o where o.package_id = s.package_id and o.scope = s.scope), 1))
      and not exists (select 1 from device_sequences q where q.device_id = b.device_id and q.package_id = b.package_id
                      and q.allocated_version > b.version)
      and not exists (select 1 from bundles n where n.enrollment_id = b.enrollment_id and n.device_id = b.device_id
                      and n.package_id = b.package_id and n.version = b.version and n.plan_round > b.plan_round
                      and n.state = 'ready')
"""
"""Of bundles b: chosen, and open to somebody. One whose device has a newer version cannot have a sequence any more, and one
that its device left for another plan must not become the newest again."""
GROUPS = f"""
    select package_id, version, profile, policy, count(*) as bundles, count(*) filter (where first) as payloads,
           coalesce(sum(total_bytes) filter (where first), 0)::bigint as bytes
    from (select b.package_id, b.version, b.profile, b.policy, s.total_bytes,
                 row_number() over (partition by s.seal_id order by b.bundle_id) = 1 as first {MATCHING}) as chosen
    group by package_id, version, profile, policy order by package_id, version, profile, policy
"""
RATE = """
    select count(*) filter (where gap_s < %(idle)s) as commits, sum(made) filter (where gap_s < %(idle)s) as bundles,
           sum(gap_s) filter (where gap_s < %(idle)s)::float8 as seconds
    from (select made, extract(epoch from ready_at - lag(ready_at) over (order by ready_at)) as gap_s
          from (select ready_at, count(*) as made
                from (select ready_at from bundles where ready_at is not null order by ready_at desc limit 5000) as newest
                group by ready_at) as commits) as gaps
"""


@dataclass(frozen=True)
class Selection:
    """Which bundles; what is None does not matter. `before`: made before that moment, never later than the job."""

    package_id: str | None = None
    version: int | None = None
    profile: str | None = None
    policy: str | None = None
    device_ids: tuple[str, ...] | None = None
    outdated_keys: bool = False
    before: datetime | None = None

    def parameters(self, now: datetime) -> dict[str, Any]:
        devices = None if self.device_ids is None else list(self.device_ids)
        return {**vars(self), "device_ids": devices, "before": min(self.before or now, now)}

    def as_subject(self, now: datetime) -> dict[str, Any]:
        """The selection as the job keeps it: what was not asked for is left out."""
        found = {**self.parameters(now), "before": min(self.before or now, now).isoformat()}
        return {name: value for name, value in found.items() if value not in (None, False)}

    @classmethod
    def of_subject(cls, found: dict[str, Any]) -> Selection:
        devices = found.get("device_ids")
        before = datetime.fromisoformat(found["before"])
        return cls(**{**found, "device_ids": None if devices is None else tuple(devices), "before": before})


@dataclass(frozen=True)
class Estimate:
    """What a rebundle would cost. `bytes_written` counts each payload as large as it is now, dead bytes among it; `minutes`
    follows from the newest bundles that were made, None where there are too few."""

    bundles: int
    payloads: int
    bytes_written: int
    signature_calls: int
    minutes: float | None


async def estimate(tx: Transaction, selection: Selection, settings: Settings) -> Estimate:
    """Looks, and changes nothing."""
    now = await _now(tx)
    groups = await fetch_all(tx, GROUPS, selection.parameters(now))
    rate = await fetch_one(tx, RATE, {"idle": IDLE_S}) or {}
    bundles = sum(row["bundles"] for row in groups)
    calls = 0
    for row in groups:
        size = row["bytes"] // max(1, row["payloads"])
        calls += math.ceil(row["bundles"] / batch_limit(settings, row["policy"], size))
    minutes = None
    if rate.get("commits") and rate["seconds"]:
        minutes = round(bundles * rate["seconds"] / int(rate["bundles"]) / 60, 2)
    written = sum(row["bytes"] for row in groups)
    return Estimate(bundles, sum(row["payloads"] for row in groups), written, calls, minutes)


async def start(tx: Transaction, tenant: str, selection: Selection, reason: str) -> str:
    """Queue the job, in the lane bulk; its id. Every call is a job of its own."""
    now = await _now(tx)
    job = jobs.job_id(tenant, KIND, str(uuid.uuid4()))
    subject: dict[str, Any] = {"selection": selection.as_subject(now), "reason": reason}
    if selection.package_id is not None:
        subject["package_id"] = selection.package_id
    await jobs.create(tx, tenant, job, KIND, subject)
    await queue.enqueue(tx, KIND, [Work(tenant, job)])
    return job


async def _now(tx: Transaction) -> datetime:
    """To the microsecond: what was made within this second belongs to the job, what comes after does not."""
    row = await fetch_one(tx, "select now() as at")
    assert row is not None
    return row["at"]
