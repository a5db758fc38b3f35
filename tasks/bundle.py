"""Draining a group of planned bundles: claim → content keys → seal → sign → commit, batch after batch in turns.

After: `bundles` rows ready, a licence each, blobs below the attempt's own keys, and one event per bundle. Keys are
wrapped and committed before anything is encrypted under them. One signature call serves a batch. The commit re-checks
what may have changed meanwhile: the claim, and whether a newer version overtook this one.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from psycopg.errors import ForeignKeyViolation
from psycopg.types.json import Jsonb

from cluster import failpoints, telemetry
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all
from cluster.ending import end
from cluster.outbox import Outgoing, emit
from cluster.queue import Work
from cluster.telemetry.metrics import BUNDLES, SEALED
from content.bundles.licence import Licence
from content.errors import ContentError, ObjectCold
from tasks import claims, issued, jobs, planning, seals
from tasks.batches import batch_limit
from tasks.contents import Contents, read_contents
from tasks.keeping import cold, uses
from tasks.keeping.cold import Unit
from tasks.licences import issue
from tasks.planning import Group
from tasks.seals import Made, Seal
from tasks.signing import require_signers
from tasks.tracing import traced_batch

LINGERS = 6
log = structlog.get_logger()


@dataclass(frozen=True)
class Seals:
    """By scope: all that a batch's licences open, and those of them that are not committed yet."""

    all: Mapping[str, Seal]
    made: Mapping[str, Made]


async def drain(connections: Connections, work: Work, entry: int) -> None:
    """Serve one batch of the group that `work` names, then call workers again, at the back, while rows remain.

    `entry` is the queue entry; taken over after a crash, it finds the rows it had claimed. Raises what the store or the
    key service raises, with the rows given back; errors that cannot be helped end the rows.
    """
    group, _ = Group.parse(work.subject)
    holder = f"queue/{entry}"
    contents = None
    try:
        contents = await read_contents(connections, work.tenant, group)
    except ObjectCold as error:  # the whole version is needed, so it is asked for as a whole
        await cold.want(connections, work.tenant, error, Unit.version(group.package_id, group.version))
        raise
    except ContentError as error:
        if error.retryable:
            raise
        log.error("group failed", code=error.code, package=group.package_id, version=group.version)
        async with connections.db.tenant(work.tenant) as tx:
            await _fail_group(tx, group, jobs.problem_of(error))
    if contents is not None:
        try:
            await _batch(connections, work.tenant, group, contents, holder)
        except ObjectCold as error:
            unit = None if error.key.startswith("bundles/") else Unit.version(group.package_id, group.version)
            await cold.want(connections, work.tenant, error, unit)
            raise
        async with connections.db.tenant(work.tenant) as tx:
            await uses.write(tx, work.tenant, [("version", uses.version_subject(group.package_id, group.version))])
    async with connections.db.tenant(work.tenant) as tx:
        await claims.let_go(tx, group, holder)
        await planning.hang_up(tx, work.tenant, group, entry, connections.settings.bulk_patience_s)


async def _batch(connections: Connections, tenant: str, group: Group, contents: Contents, entry: str) -> None:
    settings = connections.settings
    attempt, began_ns = secrets.token_hex(8), time.time_ns()
    limit = batch_limit(settings, group.policy, contents.size)
    try:
        rows = await _gather(connections, tenant, group, entry=entry, attempt=attempt, limit=limit)
        async with connections.db.tenant(tenant) as tx:
            wanted = await _sort_out(tx, attempt, rows)
            sequences = await claims.allocate(tx, group, [row["device_id"] for row in wanted])
            overtaken = [row["bundle_id"] for row in wanted if row["device_id"] not in sequences]
            await claims.end(tx, attempt, overtaken, "superseded")
        wanted = [row for row in wanted if row["device_id"] in sequences]
        if not wanted:
            return
        async with renewed(connections, tenant, attempt):
            with traced_batch(tenant, attempt, wanted, began_ns) as traced:
                await asyncio.to_thread(failpoints.hit, "bundle.before_seal", settings)
                with telemetry.span("seal"):
                    sealed = await sealed_for(connections, tenant, group, contents, wanted, attempt)
                await asyncio.to_thread(failpoints.hit, "bundle.after_upload", settings)
                with telemetry.span("sign"):
                    there = {scope: seal for scope, seal in sealed.all.items() if scope not in sealed.made}
                    keys = await seals.keys_of(connections, tenant, group, there)
                    keys |= {scope: each.keys for scope, each in sealed.made.items()}
                    licences = await issue(connections, tenant, group, contents, wanted, sequences, sealed.all, keys)
                await asyncio.to_thread(failpoints.hit, "bundle.before_commit", settings)
                with telemetry.span("commit"):
                    await _commit(connections, tenant, group, attempt, traced, sequences, sealed, licences)
        log.info("batch served", bundles=len(wanted), package=group.package_id, version=group.version, attempt=attempt)
    except BaseException as error:
        if await _handled(connections, tenant, attempt, error):
            return
        raise
    await asyncio.to_thread(failpoints.hit, "bundle.after_commit", settings)


async def _handled(connections: Connections, tenant: str, attempt: str, error: BaseException) -> bool:
    """Give back what a failed attempt holds. True if nothing is left to be raised.

    What can be tried again is given back without blame. Anything else leaves its mark: the rows go one at a time from
    now on, and the one that fails alone has failed; its neighbours have not.
    """
    # A seal or part that a rebundle removed just now is made again.
    gone = isinstance(error, ForeignKeyViolation)
    helpable = (
        gone or isinstance(error, asyncio.CancelledError) or (isinstance(error, ContentError) and error.retryable)
    )
    async with connections.db.tenant(tenant) as tx:
        if helpable or not isinstance(error, ContentError):
            await claims.give_back(tx, attempt, blamed=not helpable)
            return False
        held = await fetch_all(tx, "select bundle_id from bundles where attempt = %s and state = 'claimed'", [attempt])
        log.error("batch failed", code=error.code, bundles=len(held))
        if len(held) == 1:
            await claims.end(tx, attempt, [held[0]["bundle_id"]], "failed", jobs.problem_of(error))
        else:
            await claims.give_back(tx, attempt, blamed=True)
        return True


async def _gather(
    connections: Connections, tenant: str, group: Group, *, entry: str, attempt: str, limit: int
) -> list[dict[str, Any]]:
    """Claim a batch. While rows are still coming in, wait a moment for more: one signature then serves them all.

    Costs a lone enrolment `FRESH_S` once; a spike fills its batches, and never waits longer than `LINGERS` times that.
    """
    rows: list[dict[str, Any]] = []
    for _ in range(LINGERS):
        async with connections.db.tenant(tenant) as tx:
            more = await claims.claim(
                tx,
                group,
                entry=entry,
                attempt=attempt,
                limit=limit - len(rows),
                lease_s=connections.settings.lease_s,
                taken=[row["device_id"] for row in rows],
            )
        rows += more
        suspect = any(row["attempts"] > 1 for row in rows)  # it stays alone
        if suspect or len(rows) >= limit or not any(row["fresh"] for row in more):
            break
        await asyncio.sleep(claims.FRESH_S)
    return rows


async def _sort_out(tx: Transaction, attempt: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """End what need not or must not be made: cancelled enrolments, revoked devices, killers of workers."""
    gone = [r["bundle_id"] for r in rows if r["enrolment_state"] != "active" or r["device_state"] != "active"]
    await claims.end(tx, attempt, gone, "cancelled")
    deadly = [r["bundle_id"] for r in rows if claims.died_too_often(r)]
    await claims.end(tx, attempt, deadly, "failed", jobs.WORKER_DIED)
    return [row for row in rows if row["bundle_id"] not in {*gone, *deadly}]


async def sealed_for(
    connections: Connections,
    tenant: str,
    group: Group,
    contents: Contents,
    rows: Sequence[dict[str, Any]],
    attempt: str,
) -> Seals:
    """What the licences of these rows open: made now, or there already."""
    if group.policy == "shared":
        seal, written = await seals.shared(connections, tenant, group, contents, attempt)
        SEALED.add(written)
        return Seals({seals.scope_of(group, ""): seal}, {})
    scopes = [seals.scope_of(group, row["device_id"]) for row in rows]
    async with connections.db.tenant(tenant) as tx:
        there = await seals.ready(tx, group, scopes)
    missing = [scope for scope in scopes if scope not in there]
    made = await seals.make(connections, tenant, group, contents, missing, attempt) if missing else {}
    return Seals({**there, **{scope: each.seal for scope, each in made.items()}}, made)


async def _commit(
    connections: Connections,
    tenant: str,
    group: Group,
    attempt: str,
    rows: Sequence[dict[str, Any]],
    sequences: dict[str, tuple[int, int, int]],
    sealed: Seals,
    licences: Sequence[tuple[Licence, dict[str, Any]]],
) -> None:
    """Results and events in one transaction; what this attempt no longer holds, or what was overtaken, is left out."""
    async with connections.db.tenant(tenant) as tx:
        await require_signers(tx, [signature for _, signature in licences])
        mine = await claims.still_mine(tx, attempt, [row["bundle_id"] for row in rows])
        ns = {row["device_id"]: sequences[row["device_id"]][2] for row in rows if row["bundle_id"] in mine}
        done, overtaken = await claims.commit_sequences(tx, group, ns)
        held = [row for row in rows if row["bundle_id"] in mine]
        await claims.end(tx, attempt, [row["bundle_id"] for row in held if row["device_id"] in overtaken], "superseded")
        made = {scope: sealed.made[scope] for scope in sealed.made if scope in done}  # the scope of a device is its id
        kept = await seals.commit(tx, tenant, group, made, attempt)
        beaten = {device for device in done if device in sealed.made and device not in kept}
        # Beaten by another bundle of the same device and version: made again with the next number, of what is there then.
        again = [
            row["bundle_id"]
            for row in held
            if row["device_id"] not in overtaken and (row["device_id"] not in done or row["device_id"] in beaten)
        ]
        if again:
            await claims.give_back(tx, attempt, again)
        made_now = [
            (row, licence, signature)
            for row, (licence, signature) in zip(rows, licences, strict=True)
            if row["bundle_id"] in mine and row["device_id"] in done and row["device_id"] not in beaten
        ]
        await deliver(tx, tenant, group, sealed, made_now)
    BUNDLES.add(len(made_now), result="ready")
    written = [sealed.made[scope] for scope in kept]
    SEALED.add(sum(each.seal.index.size + (each.new_part.size if each.new_part else 0) for each in written))


READY = b"""
    update bundles set state = 'ready', seal_id = %(seal_id)s, total_bytes = %(total_bytes)s, problem = null,
                       ready_at = now(), claimed_by = null, claimed_until = null
    where bundle_id = %(bundle_id)s
"""


async def deliver(
    tx: Transaction,
    tenant: str,
    group: Group,
    sealed: Seals,
    made: Sequence[tuple[dict[str, Any], Licence, dict[str, Any]]],
) -> None:
    """Have bundles name their seal and licence, and tell of them: (row, licence, signature) each."""
    ready: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    events: list[Outgoing] = []
    for row, licence, signature in made:
        seal = sealed.all[seals.scope_of(group, row["device_id"])]
        ready.append({"bundle_id": licence.bundle_id, "seal_id": seal.seal_id, "total_bytes": seal.total_bytes})
        kept.append(issued.row(licence, licence.to_bytes(), signature))
        events.append(issued.event(licence, row, vars(seal.index), [vars(part) for part in seal.parts]))
    async with tx.cursor() as cursor:
        await cursor.executemany(READY, ready)
        await cursor.executemany(issued.INSERT_ONCE, kept)
    await emit(tx, tenant, events)


async def _fail_group(tx: Transaction, group: Group, problem: dict[str, Any]) -> None:
    await tx.execute(
        b"""update bundles set state = 'failed', problem = %s
            where package_id = %s and version = %s and profile = %s and lane = %s and policy = %s
              and state in ('planned', 'claimed')""",
        [Jsonb(problem), group.package_id, group.version, group.profile, group.lane, group.policy],
    )


@asynccontextmanager
async def renewed(connections: Connections, tenant: str, attempt: str) -> AsyncIterator[None]:
    """Keep the lease of an attempt while it works."""
    lease_s = connections.settings.lease_s

    async def keep() -> None:
        while True:
            await asyncio.sleep(lease_s / 3)
            try:
                async with connections.db.tenant(tenant) as tx:
                    await claims.renew(tx, attempt, lease_s)
                    await seals.renew(tx, attempt, lease_s)
            except ContentError as error:
                log.warning("lease not renewed", code=error.code)

    keeper = asyncio.create_task(keep())
    try:
        yield
    finally:
        await end(keeper)
