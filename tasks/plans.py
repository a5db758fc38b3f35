"""What a device gets that has asked for a space: plans of each version, kept as rows, since planning is done in SQL.

`device_plans` remembers what a device asked for, `plans` what follows from it for a version: a plan for every space that
is remembered and every profile (a device may register anew as another one). They are written wherever a version becomes
the newest one or a space is new: in the transaction that publishes (the manifest is at hand there), by the route that
asks (it has read it), and after a withdrawal (`settle`). Whoever plans rows after them finds them (`tasks.planning`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from cluster import places
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from content.errors import ContentError
from content.media.choose import PROFILES
from content.packages import Choices, Manifest, Planner, parse
from tasks import planning
from tasks.planning import Group

# The plan of the smallest space that has this name: what is packed for it fits all of them.
NAMED = """
    select profile, space_bytes, choices from plans
    where package_id = %s and version = %s and planned_profile = %s order by space_bytes limit 1
"""
NEWEST = """
    select p.course_id, v.version, v.manifest_digest from packages p
    join package_versions v on v.package_id = p.package_id and v.state = 'published'
    where p.package_id = %s order by v.version desc limit 1
"""
UNPLANNED = """
    select distinct a.space_bytes from device_plans a
    join devices d on d.device_id = a.device_id and d.state = 'active'
    where a.package_id = %(package)s and a.space_bytes is not null
      and not exists (select 1 from plans l where l.package_id = a.package_id and l.version = %(version)s
                      and l.space_bytes = a.space_bytes)
    order by a.space_bytes
"""
KEEP = b"""
    insert into plans (tenant, package_id, version, profile, space_bytes, planned_profile, choices, bytes)
    values (%(tenant)s, %(package_id)s, %(version)s, %(profile)s, %(space_bytes)s, %(planned_profile)s, %(choices)s,
            %(bytes)s)
    on conflict do nothing
"""
# What a device would get of a version as things stand.
GETS = """
    select d.profile, a.space_bytes, coalesce(a.round, 0) as round,
           case when a.space_bytes is null then d.profile else l.planned_profile end as planned_profile
    from devices d
    left join device_plans a on a.device_id = d.device_id and a.package_id = %(package)s
    left join plans l on l.package_id = %(package)s and l.version = %(version)s and l.profile = d.profile
                         and l.space_bytes = a.space_bytes
    where d.device_id = %(device)s
"""
ASK = b"""
    insert into device_plans (tenant, device_id, package_id, space_bytes, round)
    values (%(tenant)s, %(device)s, %(package)s, %(space)s, %(round)s)
    on conflict (tenant, device_id, package_id) do update
        set space_bytes = excluded.space_bytes, round = excluded.round, asked_at = now()
"""
# It would come with a later sequence than what is asked for now, or be tried again in its place.
DROP = b"""
    update bundles set state = 'cancelled', claimed_by = null, claimed_until = null
    where device_id = %(device)s and package_id = %(package)s and version = %(version)s
      and state in ('planned', 'claimed', 'failed') and (profile, plan_round) <> (%(profile)s, %(round)s)
"""


@dataclass(frozen=True)
class Named:
    """What a planned profile stands for, in one version."""

    profile: str
    space_bytes: int
    choices: Choices


@dataclass(frozen=True)
class Row:
    """The plan of a version for a profile and a space; no `planned_profile` where nothing fits, and then the bytes that the
    smallest bundle has."""

    profile: str
    space_bytes: int
    planned_profile: str | None
    choices: Choices
    bytes: int


async def named(tx: Transaction, group: Group) -> Named:
    """Raises ContentError `unknown-profile`."""
    row = await fetch_one(tx, NAMED, [group.package_id, group.version, group.profile])
    if row is None:
        known = ", ".join(PROFILES)
        raise ContentError("unknown-profile", f"There is no profile or plan “{group.profile}”.", f"Use one of {known}.")
    return Named(row["profile"], row["space_bytes"], Choices.from_document(row["choices"]))


def rows_for(manifest: Manifest, spaces: Iterable[int]) -> list[Row]:
    """The plans of these spaces for every profile."""
    spaces = sorted(set(spaces))
    return [_row(planner, space) for planner in (Planner(manifest, each) for each in PROFILES) for space in spaces]


async def keep(tx: Transaction, tenant: str, manifest: Manifest, rows: Sequence[Row]) -> None:
    """Plans are what they are: one that is there already stays."""
    version = {"tenant": tenant, "package_id": manifest.package_id, "version": manifest.version}
    async with tx.cursor() as cursor:
        await cursor.executemany(
            KEEP, [{**version, **vars(row), "choices": Jsonb(row.choices.document())} for row in rows]
        )


async def for_version(tx: Transaction, tenant: str, manifest: Manifest) -> None:
    """Plan a version for every space that is remembered for its package. The course is to be met before
    (`planning.meet_course`), so that no space is asked for meanwhile."""
    spaces = await _unplanned(tx, manifest.package_id, manifest.version)
    if spaces:
        await keep(tx, tenant, manifest, await asyncio.to_thread(rows_for, manifest, spaces))


async def settle(connections: Connections, tenant: str, package_id: str) -> None:
    """See that the newest version has its plans, and that what follows from them is planned. Raises what the store does."""
    async with connections.db.tenant(tenant) as tx:
        newest = await fetch_one(tx, NEWEST, [package_id])
        if newest is None or not await _unplanned(tx, package_id, newest["version"]):
            return
    key = places.manifest(tenant, package_id, newest["version"], newest["manifest_digest"])
    manifest = parse(await asyncio.to_thread(connections.objects.get, key))
    async with connections.db.tenant(tenant) as tx:
        await planning.meet_course(tx, tenant, newest["course_id"])
        await for_version(tx, tenant, manifest)
        await planning.for_package(tx, tenant, package_id, newest["course_id"])


async def ask(
    tx: Transaction, tenant: str, device_id: str, learner_id: str, manifest: Manifest, row: Row | None
) -> tuple[str, int]:
    """Have a device get what `row` plans, or the plain profile again, of this version and of those to come; returns profile
    and round of its bundles. The learner is to be met before (`planning.meet_learner`). Asking again changes nothing."""
    where = {"device": device_id, "package": manifest.package_id, "version": manifest.version}
    before = await fetch_one(tx, GETS, where)
    if before is None:
        raise ContentError(
            "not-found", "There is no such device.", "Check the id, and that the token is of its tenant."
        )
    profile = before["profile"] if row is None else row.planned_profile
    again = int(before["round"]) + (profile != before["planned_profile"])
    space = None if row is None else row.space_bytes
    if space != before["space_bytes"]:
        await tx.execute(ASK, {**where, "tenant": tenant, "space": space, "round": again})
    await tx.execute(DROP, {**where, "profile": profile, "round": again})
    await planning.for_device(tx, tenant, device_id, learner_id)
    return str(profile), again


async def _unplanned(tx: Transaction, package_id: str, version: int) -> list[int]:
    rows = await fetch_all(tx, UNPLANNED, {"package": package_id, "version": version})
    return [int(row["space_bytes"]) for row in rows]


def _row(planner: Planner, space: int) -> Row:
    try:
        choices, size = planner.choose(space)
    except ContentError as error:
        if error.code != "space-too-small":
            raise
        return Row(planner.profile, space, None, Choices(), planner.least_bytes)
    return Row(planner.profile, space, choices.planned_profile(planner.profile), choices, size)
