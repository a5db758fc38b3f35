"""Claiming planned bundles, and ending a claim in one transaction.

A claim is a row in state `claimed` with a lease and the name of the queue entry that holds it: the same entry, taken
over after a crash, finds its rows again at once. Rows that were claimed before without an ending go one at a time, so
that one which kills its worker is found and its neighbours are not blamed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb

from cluster.database import Transaction, fetch_all, fetch_one
from cluster.eventlog import state
from cluster.telemetry.metrics import BUNDLES
from tasks.jobs import LONE_DEATHS
from tasks.planning import Group

FRESH_S = 0.15
"""Rows younger than this are likely to be followed by more: an enrolment spike arrives event by event."""

CLAIM = """
    with chosen as (
        select bundle_id from bundles
        where package_id = %(package)s and version = %(version)s and profile = %(profile)s and lane = %(lane)s
          and policy = %(policy)s
          and (state = 'planned' or (state = 'claimed' and (claimed_until < now() or claimed_by = %(entry)s)))
          and {suspects} and not (device_id = any(%(taken)s))
        order by created_at, bundle_id limit %(limit)s for update skip locked)
    update bundles b set state = 'claimed', claimed_by = %(entry)s, attempts = attempts + 1, attempt = %(attempt)s,
                         claimed_until = now() + make_interval(secs => %(lease)s)
    from chosen c, devices d, enrolments e
    where b.bundle_id = c.bundle_id and d.device_id = b.device_id and e.enrollment_id = b.enrollment_id
    returning b.bundle_id, b.enrollment_id, b.learner_id, b.device_id, b.policy, b.attempts, b.traceparent,
              b.created_at > now() - make_interval(secs => %(fresh)s) as fresh,
              d.encryption_jwk, d.state as device_state, e.state as enrolment_state, e.starts_at, e.ends_at
"""

ALLOCATE = """
    insert into device_sequences as s (tenant, device_id, package_id, epoch, allocated_version, allocated_n)
    select t.tenant, device_id, %(package)s, t.sequence_epoch, %(version)s, 1
    from unnest(%(devices)s::text[]) as device_id cross join tenants t order by device_id
    on conflict (tenant, device_id, package_id) do update
        set epoch = greatest(s.epoch, excluded.epoch), allocated_n = case when s.allocated_version = excluded.allocated_version then s.allocated_n + 1 else 1 end,
            allocated_version = excluded.allocated_version
        where s.allocated_version <= excluded.allocated_version
    returning device_id, epoch, allocated_version, allocated_n
"""

COMMIT_SEQUENCES = """
    update device_sequences s set committed_version = %(version)s, committed_n = v.n
    from unnest(%(devices)s::text[], %(ns)s::int[]) as v(device_id, n)
    where s.device_id = v.device_id and s.package_id = %(package)s
      and (s.committed_version, s.committed_n) < (%(version)s, v.n)
    returning s.device_id
"""


async def claim(
    tx: Transaction,
    group: Group,
    *,
    entry: str,
    attempt: str,
    limit: int,
    lease_s: float,
    taken: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Up to `limit` rows of a group, at most one per device and none of the devices `taken`; a suspect comes alone.

    Empty when none waits. Rows come with `fresh`: whether one was planned within the last `FRESH_S`.
    """
    parameters = {
        "package": group.package_id,
        "version": group.version,
        "profile": group.profile,
        "lane": group.lane,
        "policy": group.policy,
        "entry": entry,
        "attempt": attempt,
        "limit": limit,
        "lease": lease_s,
        "taken": list(taken),
        "fresh": FRESH_S,
    }
    rows = await fetch_all(tx, CLAIM.format(suspects="attempts = 0"), parameters)
    if not rows and not taken:
        rows = await fetch_all(tx, CLAIM.format(suspects="attempts > 0"), {**parameters, "limit": 1})
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        first.setdefault(row["device_id"], row)
    # Two bundles of one device need two sequences: the second waits for the next batch.
    doubled = [row["bundle_id"] for row in rows if first[row["device_id"]] is not row]
    if doubled:
        await give_back(tx, attempt, doubled)
    return list(first.values())


def died_too_often(row: dict[str, Any]) -> bool:
    """Whether this bundle has ended its worker so often, and so often alone, that it must not be tried again."""
    return row["attempts"] > LONE_DEATHS + 1


async def renew(tx: Transaction, attempt: str, lease_s: float) -> None:
    """Hold on to the rows of an attempt that is still being worked on."""
    await tx.execute(
        b"""update bundles set claimed_until = now() + make_interval(secs => %s)
            where attempt = %s and state = 'claimed'""",
        [lease_s, attempt],
    )


async def give_back(
    tx: Transaction, attempt: str, bundle_ids: Sequence[str] | None = None, *, blamed: bool = False
) -> None:
    """Rows of this attempt (all that it still holds, if none are named) back to planned; without blame if what happened
    was no fault of theirs."""
    await tx.execute(
        b"""update bundles set state = 'planned', attempts = case when %(blamed)s then attempts else 0 end,
                               claimed_by = null, claimed_until = null
            where attempt = %(attempt)s and state = 'claimed'
              and (%(ids)s::text[] is null or bundle_id = any(%(ids)s))""",
        {"blamed": blamed, "attempt": attempt, "ids": None if bundle_ids is None else list(bundle_ids)},
    )


async def let_go(tx: Transaction, group: Group, entry: str) -> None:
    """What this queue entry claimed and did not end, in whatever attempt, back to planned: still suspects."""
    await tx.execute(
        b"""update bundles set state = 'planned', claimed_by = null, claimed_until = null
            where state = 'claimed' and claimed_by = %s and package_id = %s and version = %s and profile = %s and lane = %s
              and policy = %s""",
        [entry, group.package_id, group.version, group.profile, group.lane, group.policy],
    )


async def end(
    tx: Transaction, attempt: str, bundle_ids: Sequence[str], state: str, problem: dict[str, Any] | None = None
) -> None:
    """End claims of this attempt as superseded, failed or cancelled."""
    if bundle_ids:
        await tx.execute(
            b"""update bundles set state = %s, problem = %s
                where bundle_id = any(%s) and state = 'claimed' and attempt = %s""",
            [state, Jsonb(problem) if problem else None, list(bundle_ids), attempt],
        )
        BUNDLES.add(len(bundle_ids), result=state)


async def allocate(tx: Transaction, group: Group, devices: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """The next sequence [epoch, version, n] of each device; a device that has a newer version is left out.

    Raises ContentError `database-behind` (retryable): what it would number may have been numbered before.
    """
    await state.require_whole(tx)
    rows = await fetch_all(
        tx, ALLOCATE, {"package": group.package_id, "version": group.version, "devices": sorted(devices)}
    )
    return {row["device_id"]: (row["epoch"], row["allocated_version"], row["allocated_n"]) for row in rows}


async def still_mine(tx: Transaction, attempt: str, bundle_ids: Sequence[str]) -> set[str]:
    """Lock the rows and return those that this attempt still holds; a late writer finds none and leaves."""
    rows = await fetch_all(
        tx,
        """select bundle_id from bundles where bundle_id = any(%s) and state = 'claimed' and attempt = %s
           order by bundle_id for update""",
        [list(bundle_ids), attempt],
    )
    return {row["bundle_id"] for row in rows}


async def commit_sequences(tx: Transaction, group: Group, ns: dict[str, int]) -> tuple[set[str], set[str]]:
    """(committed, overtaken by a newer version) of the devices whose n is given; the rest must be made again."""
    devices = sorted(ns)
    parameters = {
        "version": group.version,
        "package": group.package_id,
        "devices": devices,
        "ns": [ns[device] for device in devices],
    }
    # Locked in one order first: two batches with the same devices would wait for each other otherwise.
    newest = await fetch_all(
        tx,
        """select device_id, committed_version from device_sequences
           where package_id = %s and device_id = any(%s) order by device_id for update""",
        [group.package_id, devices],
    )
    done = {row["device_id"] for row in await fetch_all(tx, COMMIT_SEQUENCES, parameters)}
    return done, {row["device_id"] for row in newest if row["committed_version"] > group.version}


async def depth(connection: Transaction) -> int:
    """Bundles that wait or are being served, over all tenants (role ops)."""
    row = await fetch_one(connection, "select count(*) as n from bundles where state in ('planned', 'claimed')")
    return int(row["n"]) if row else 0
