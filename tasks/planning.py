"""Which bundles ought to exist: one planned row for each (enrolment, device, newest version), and drain jobs for them.

Three things call for bundles: an enrolment, a device that registers, a version that is published. All end here, in
their caller's transaction. Rows are inserted on conflict do nothing under derived ids, so asking twice plans once.
Drain jobs are put in the queue per group (tenant, package version, profile, lane, policy) in as many slots as the group needs:
groups take turns in the queue, so a rebundle of 100,000 never stands before somebody's single enrolment.

Lanes: an enrolment or a device is `interactive`, since somebody waits for it; a version that many devices get is `bulk`
and comes after. A bulk row that somebody enrols for after all changes lanes, and a group whose oldest row has waited
long enough is called as if it were interactive, so neither lane starves.

A device that has asked for a space (`tasks.plans`) gets the planned profile of the newest version in the place of its own; a
version that has no plan for that space yet, or none that fits, is planned for nobody with it.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster import queue, telemetry
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.queue import Work
from cluster.settings import Settings
from cluster.topology import BUNDLER
from content.canonical import derive_id

ROWS_PER_SLOT = 64

WANTED = """
    select e.enrollment_id, e.learner_id, d.device_id, w.profile, w.plan_round, p.package_id, v.version,
           coalesce(p.policy, c.policy, p.listed_policy, %(default)s) as policy
    from enrolments e
    join devices d on d.learner_id = e.learner_id and d.state = 'active'
    join packages p on p.course_id = e.course_id
    join tenants c on true
    join lateral (select version from package_versions v
                  where v.package_id = p.package_id and v.state = 'published' order by version desc limit 1) v on true
    left join device_plans a on a.device_id = d.device_id and a.package_id = p.package_id
    left join plans l on l.package_id = p.package_id and l.version = v.version and l.profile = d.profile
                         and l.space_bytes = a.space_bytes
    cross join lateral (select case when a.space_bytes is null then d.profile else l.planned_profile end as profile,
                               coalesce(a.round, 0) as plan_round) w
    where w.profile is not null and e.state = 'active' and (e.ends_at is null or e.ends_at > now()) and {chosen}
      and not exists (select 1 from bundles b where b.enrollment_id = e.enrollment_id and b.device_id = d.device_id
                      and b.package_id = p.package_id and b.version = v.version and b.profile = w.profile
                      and b.plan_round = w.plan_round and b.state not in ('failed', 'cancelled'))
      and p.revoked_at is null
      and not exists (select 1 from bundles t join revocations k on k.kind = 'bundle' and k.subject = t.bundle_id
                      where t.enrollment_id = e.enrollment_id and t.device_id = d.device_id
                        and t.package_id = p.package_id and t.version = v.version)
      and not exists (select 1 from bundles r where r.enrollment_id = e.enrollment_id and r.device_id = d.device_id
                      and r.package_id = p.package_id and r.returned_at is not null)
"""

PLAN = b"""
    insert into bundles (tenant, bundle_id, enrollment_id, learner_id, device_id, package_id, version, profile, plan_round,
                         policy, lane, traceparent)
    values (%(tenant)s, %(bundle_id)s, %(enrollment_id)s, %(learner_id)s, %(device_id)s, %(package_id)s, %(version)s,
            %(profile)s, %(plan_round)s, %(policy)s, %(lane)s, %(traceparent)s)
    on conflict (tenant, bundle_id) do update
        set state = 'planned', lane = excluded.lane, policy = excluded.policy, attempts = 0, problem = null,
            claimed_by = null, planned_at = now(), traceparent = excluded.traceparent
        where bundles.state in ('failed', 'cancelled')
"""

PROMOTE = """
    update bundles b set lane = 'interactive' where {chosen} and b.lane = 'bulk' and b.state = 'planned'
    returning b.package_id, b.version, b.profile, b.policy
"""


@dataclass(frozen=True)
class Group:
    """Bundles that are drained together: the same assets are read for all of them, under `shared` just once."""

    package_id: str
    version: int
    profile: str
    lane: str
    policy: str = "device"
    making: str = ""  # the job that has them made anew (`tasks/rebundle_job.py`)

    def subject(self, slot: int) -> str:
        return f"{self.package_id}/{self.version}/{self.profile}/{self.lane}/{self.policy}/{slot}"

    @classmethod
    def parse(cls, subject: str) -> tuple[Group, int]:
        """(group, slot). Entries of releases that knew one policy do not name it."""
        package_id, version, profile, lane, *policy, slot = subject.split("/")
        return cls(package_id, int(version), profile, lane, *policy), int(slot)


def slots(rows: int) -> int:
    """How many drain jobs a group of so many planned rows gets."""
    return min(BUNDLER.maximum, math.ceil(rows / ROWS_PER_SLOT))


async def for_enrolment(tx: Transaction, tenant: str, enrollment_id: str, course_id: str, learner_id: str) -> int:
    """A learner may take a course: every device of theirs gets its newest version."""
    await _meet(tx, f"{tenant}/learner/{learner_id}", shared=True)
    await _meet(tx, f"{tenant}/course/{course_id}", shared=True)
    promoted = await _promote(tx, tenant, "b.enrollment_id = %(value)s", enrollment_id)
    return promoted + await _plan(tx, tenant, "e.enrollment_id = %(value)s", enrollment_id)


async def greet_learner(tx: Transaction, tenant: str, learner_id: str) -> None:
    """Wait for an erasure of this learner, and have the next one wait for this transaction."""
    await _meet(tx, f"{tenant}/learner/{learner_id}", shared=True)


async def for_device(tx: Transaction, tenant: str, device_id: str, learner_id: str) -> int:
    """A device registered, or wants something else: it gets what its learner is enrolled in."""
    await meet_learner(tx, tenant, learner_id)
    promoted = await _promote(tx, tenant, "b.device_id = %(value)s", device_id)
    return promoted + await _plan(tx, tenant, "d.device_id = %(value)s", device_id)


async def meet_learner(tx: Transaction, tenant: str, learner_id: str) -> None:
    """Wait for whoever plans bundles of this learner or their courses. The learner is locked before the courses."""
    await _meet(tx, f"{tenant}/learner/{learner_id}", shared=False)
    courses = await fetch_all(
        tx,
        "select distinct course_id from enrolments where learner_id = %s and state = 'active' order by 1",
        [learner_id],
    )
    for row in courses:
        await _meet(tx, f"{tenant}/course/{row['course_id']}", shared=True)


async def for_package(
    tx: Transaction, tenant: str, package_id: str, course_id: str, *, bulk_from: int | None = None
) -> int:
    """A new version, or one whose bundles are to be planned anew: everybody who holds the package gets it, in the lane
    bulk if they are `bulk_from` or more. What is there or under way stays. Returns the number of bundles planned."""
    await meet_course(tx, tenant, course_id)
    most = Settings.load().bulk_from if bulk_from is None else bulk_from
    return await _plan(tx, tenant, "p.package_id = %(value)s", package_id, most)


async def meet_course(tx: Transaction, tenant: str, course_id: str, *, shared: bool = False) -> None:
    """Wait for whoever plans bundles of this course, and let later ones wait for this transaction."""
    await _meet(tx, f"{tenant}/course/{course_id}", shared=shared)


async def _meet(tx: Transaction, name: str, *, shared: bool) -> None:
    """Let two callers that each bring one half of a bundle see each other: the second waits for the first's commit.

    Without it an enrolment and a publication that overlap would each find the other half missing, and nobody would plan.
    """
    lock = b"select pg_advisory_xact_lock_shared(%s)" if shared else b"select pg_advisory_xact_lock(%s)"
    await tx.execute(lock, [_number(name)])


async def _plan(tx: Transaction, tenant: str, chosen: str, value: str, bulk_from: int | None = None) -> int:
    default = Settings.load().bundle_policy
    wanted = await fetch_all(tx, WANTED.format(chosen=chosen), {"value": value, "default": default})
    lane = "bulk" if bulk_from is not None and len(wanted) >= bulk_from else "interactive"
    more = {"tenant": tenant, "lane": lane, "traceparent": telemetry.traceparent()}
    rows = [{**row, **more, "bundle_id": bundle_id(row)} for row in wanted]
    rows.sort(key=lambda row: row["bundle_id"])  # two plannings lock in one order
    if not rows:
        return 0
    async with tx.cursor() as cursor:
        await cursor.executemany(PLAN, rows)
    await _call_all(tx, tenant, rows, lane)
    return len(rows)


async def _promote(tx: Transaction, tenant: str, chosen: str, value: str) -> int:
    """Rows that wait in the lane bulk go over to the lane of those for whom somebody waits."""
    rows = await fetch_all(tx, PROMOTE.format(chosen=chosen), {"value": value})
    await _call_all(tx, tenant, rows, "interactive")
    return len(rows)


async def _call_all(tx: Transaction, tenant: str, rows: Sequence[dict[str, Any]], lane: str) -> None:
    groups = Counter(Group(row["package_id"], row["version"], row["profile"], lane, row["policy"]) for row in rows)
    for group, count in sorted(groups.items(), key=lambda entry: entry[0].subject(0)):
        await call(tx, tenant, group, range(slots(count)))


async def call(tx: Transaction, tenant: str, group: Group, of: Sequence[int], *, late: bool = False) -> None:
    """Put a group's drain jobs into the queue, at the back; a slot that waits or works already is not put twice.

    A slot at work will look again before it gives up its key (`hang_up`), and waits for this transaction to do so.
    `late`: the group has waited so long that it counts as interactive. One slot alone goes on as long as a shared payload
    has to be encrypted; the others would wait for it.
    """
    await tx.execute(b"select pg_advisory_xact_lock_shared(%s)", [_lock(tenant, group)])
    if group.policy == "shared" and not await _is_sealed(tx, group):
        of = of[:1]
    work = [Work(tenant, group.subject(slot)) for slot in of]
    await queue.enqueue(tx, queue.BUNDLE, work, lane="interactive" if late else group.lane)


async def _is_sealed(tx: Transaction, group: Group) -> bool:
    row = await fetch_one(
        tx,
        """select 1 as x from seals where package_id = %s and version = %s and profile = %s and scope = profile
           and state = 'ready'""",
        [group.package_id, group.version, group.profile],
    )
    return row is not None


async def call_forgotten(connections: Connections) -> int:
    """Call workers to what waits without anybody being called: the net below every lost queue entry.

    Groups with rows that wait for longer than a lease, jobs that are not at an end, and licences to be renewed; what has its entry
    already is not put twice. Returns how many entries there ought to be.
    """
    older = connections.settings.lease_s
    async with connections.ops.connection() as ops:
        groups = await fetch_all(
            ops,
            """select tenant, package_id, version, profile, lane, policy, count(*) as n from bundles
               where (state = 'planned' and created_at < now() - make_interval(secs => %(older)s))
                  or (state = 'claimed' and claimed_until < now() - make_interval(secs => %(older)s))
               group by tenant, package_id, version, profile, lane, policy""",
            {"older": older},
        )
        builds = await fetch_all(
            ops,
            """select tenant, job_id, kind from jobs
               where kind in ('build', 'export', 'preview', 'rebundle', 'rotation', 'thaw', 'hold', 'erasure', 'deletion') and state in ('queued', 'running', 'cancelling')""",
        )
        renewals = await fetch_all(
            ops,
            "select distinct tenant from renewals where requested_at < now() - make_interval(secs => %s)",
            [older],
        )
    for row in renewals:
        async with connections.db.tenant(row["tenant"]) as tx:
            await queue.enqueue(tx, queue.LICENCE, [Work(row["tenant"], queue.RENEWALS)])
    for row in groups:
        group = Group(row["package_id"], row["version"], row["profile"], row["lane"], row["policy"])
        async with connections.db.tenant(row["tenant"]) as tx:
            await call(tx, row["tenant"], group, range(slots(row["n"])))
    for row in builds:
        async with connections.db.tenant(row["tenant"]) as tx:
            job = await fetch_one(tx, "select traceparent from jobs where job_id = %s", [row["job_id"]])
            parent = job["traceparent"] if job else None
            await queue.enqueue(tx, row["kind"], [Work(row["tenant"], row["job_id"], parent)])
    return len(groups) + len(builds) + len(renewals)


async def hang_up(tx: Transaction, tenant: str, group: Group, entry: int, patience_s: float) -> None:
    """The end of a drain job: give up its key and, if rows wait, call as many slots as they need; at the front lane if
    one of them waits for longer than `patience_s`.

    The exclusive lock lets every transaction that is planning rows of this group end first: it skipped its call
    because of our key, so its rows must be seen here. Later ones find the key free.
    """
    await tx.execute(b"select pg_advisory_xact_lock(%s)", [_lock(tenant, group)])
    await queue.release(tx, entry)
    row = await fetch_one(
        tx,
        """select count(*) as n, min(planned_at) < now() - make_interval(secs => %s) as late
           from bundles where package_id = %s and version = %s and profile = %s and lane = %s and policy = %s
           and (state = 'planned' or (state = 'claimed' and claimed_until < now()))""",
        [patience_s, group.package_id, group.version, group.profile, group.lane, group.policy],
    )
    if row and row["n"]:
        await call(tx, tenant, group, range(slots(row["n"])), late=row["late"])


def _lock(tenant: str, group: Group) -> int:
    return _number(f"{tenant}/group/{group.subject(0)}")


def _number(name: str) -> int:
    """The advisory lock of a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def bundle_id(row: Mapping[str, object]) -> str:
    """The id of a bundle, from what it is for (formats: Ids). Each time a device comes to want something else for the same
    version, it is another one."""
    again = int(str(row["plan_round"]))
    return derive_id(
        "bnd",
        str(row["enrollment_id"]),
        str(row["device_id"]),
        str(row["package_id"]),
        int(str(row["version"])),
        str(row["profile"]),
        *([again] if again else []),
    )
