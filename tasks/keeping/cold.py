"""What is cold, and having it back: units (a version, a bundle, an export) are asked for as a whole, by one job for all who ask.

A blob without a row in `cold_objects` is hot. `ask` finds the cold blobs of a unit, joins the job that already brings one of them
back or makes one, and whoever asked is answered with that job. When it ends the blobs are hot again and count as used just now,
so they stay for another ninety days. The job itself is `tasks/keeping/cold_job.py`; what makes blobs cold is `tasks/keeping/retention.py`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from cluster import places, queue
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.queue import Work
from content.errors import ObjectCold
from tasks import jobs
from tasks.keeping.uses import Kind, version_subject

KIND = queue.THAW
VERSION_KEYS = f"""
    select {places.manifest_sql("v")} as key
    from package_versions v where v.package_id = %(package)s and v.version = %(version)s and v.manifest_digest is not null
    union all
    select {places.asset_sql("va")} from version_assets va
    where va.package_id = %(package)s and va.version = %(version)s
"""
SEAL_KEYS = f"""
    select {places.bundle_sql("s", "index_path")} as key from seals s
    where s.seal_id = %(subject)s and s.index_path is not null
    union all
    select {places.bundle_sql("sp")} from seal_parts sp where sp.seal_id = %(subject)s
"""
EXPORT_KEYS = "select e.key from exports e where e.export_id = %(subject)s and e.key is not null"
COLD = """
    select c.key, c.job_id, j.state as job_state from cold_objects c left join jobs j on j.job_id = c.job_id
    where c.key in ({keys}) order by c.key for update of c
"""
THAW = b"update cold_objects set state = 'thawing', job_id = %s where key = any(%s)"
ALIVE = ("queued", "running")


@dataclass(frozen=True)
class Unit:
    """What is asked for as a whole. `subject` is what it is called among the uses."""

    kind: Kind
    subject: str

    @classmethod
    def version(cls, package_id: str, version: int) -> Unit:
        return cls("version", version_subject(package_id, version))

    def keys(self) -> tuple[str, dict[str, Any]]:
        """(statement, parameters) of all its keys, hot or cold."""
        match self.kind:
            case "version":
                package_id, _, version = self.subject.rpartition("/")
                return VERSION_KEYS, {"package": package_id, "version": int(version)}
            case "seal":
                return SEAL_KEYS, {"subject": self.subject}
            case "export":
                return EXPORT_KEYS, {"subject": self.subject}


@dataclass(eq=False)
class UnitCold(ObjectCold):
    """A blob is cold that is needed as a part of a unit."""

    kind: Any = ""
    subject: str = ""


async def require_hot(tx: Transaction, unit: Unit) -> None:
    """Raises UnitCold if any blob of a unit is not hot: before an address of one is handed out."""
    statement, parameters = unit.keys()
    row = await fetch_one(tx, f"select key from cold_objects where key in ({statement}) limit 1", parameters)
    if row is not None:
        told = "It lies in cold storage."
        raise UnitCold("object-cold", told, "Wait until it is restored.", True, row["key"], unit.kind, unit.subject)


async def require_key(tx: Transaction, key: str, unit: Unit) -> None:
    """Raises UnitCold if this blob of a unit is not hot."""
    if await fetch_one(tx, "select 1 as x from cold_objects where key = %s", [key]) is not None:
        told = "It lies in cold storage."
        raise UnitCold("object-cold", told, "Wait until it is restored.", True, key, unit.kind, unit.subject)


async def ask(tx: Transaction, tenant: str, unit: Unit, tier: str) -> str | None:
    """The job that brings a unit back; None if it is hot. Asking while one is at work gives that one.

    A unit whose blobs several jobs bring back is answered with a job of its own, which waits for the others' blobs, too.
    """
    await tx.execute(b"select pg_advisory_xact_lock(hashtextextended('thaw/' || %s || %s, 0))", [tenant, unit.subject])
    statement, parameters = unit.keys()
    rows = await fetch_all(tx, COLD.format(keys=statement), parameters)
    if not rows:
        return None
    alive = {row["job_id"] for row in rows if row["job_state"] in ALIVE}
    if len(alive) == 1 and all(row["job_state"] in ALIVE for row in rows):
        return alive.pop()
    job = jobs.job_id(tenant, KIND, unit.kind, unit.subject, str(uuid.uuid4()))
    keys = [row["key"] for row in rows]
    subject: dict[str, Any] = {"unit": unit.kind, "of": unit.subject, "tier": tier, "keys": keys}
    if unit.kind == "version":
        subject["package_id"] = unit.subject.rpartition("/")[0]
    await jobs.create(tx, tenant, job, KIND, subject)
    await tx.execute(THAW, [job, keys])
    await queue.enqueue(tx, KIND, [Work(tenant, job)])
    return job


async def want(connections: Connections, tenant: str, error: ObjectCold, unit: Unit | None = None) -> None:
    """A worker met a cold blob: have its unit back, or that blob's own version, and come again later."""
    async with connections.db.tenant(tenant) as tx:
        unit = unit or await unit_of(tx, tenant, error.key)
        if unit is not None:
            await ask(tx, tenant, unit, connections.settings.cold_tier)


async def unit_of(tx: Transaction, tenant: str, key: str) -> Unit | None:
    """The unit that a blob is most likely needed for: of an asset, the newest version that has it."""
    kind, _, rest = key.partition("/")
    path = rest.removeprefix(f"{tenant}/")
    match kind:
        case "packages" | "withdrawn":
            package_id, version, _ = path.split("/")
            return Unit.version(package_id, int(version))
        case "assets":
            row = await fetch_one(
                tx,
                "select package_id, version from version_assets where digest = %s order by version desc limit 1",
                [f"sha256:{path}"],
            )
            return Unit.version(row["package_id"], row["version"]) if row else None
        case "bundles":
            row = await fetch_one(
                tx,
                """select seal_id from seal_parts where path = %(path)s
                   union all select seal_id from seals where index_path = %(path)s limit 1""",
                {"path": path},
            )
            return Unit("seal", row["seal_id"]) if row else None
        case "exports":
            row = await fetch_one(tx, "select export_id from exports where key = %s", [key])
            return Unit("export", row["export_id"]) if row else None
        case _:
            return None
