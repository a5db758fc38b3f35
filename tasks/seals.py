"""Seals: a version as it is encrypted for one scope, made once and named by every licence that opens it.

Under the policy `device` the scope is the device, under `shared` the profile or what a plan calls itself. A seal goes on using the parts of the
newest earlier one of its scope and adds one part with what changed (`content.bundles.delta`). A shared seal is claimed
with a lease by whoever makes it, so that a payload is written once however many workers serve its devices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from cluster import failpoints, places
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from content.bundles.delta import keep
from content.bundles.index import Index, IndexPart
from content.bundles.keys import ContentKey
from content.bundles.licence import IndexRef
from content.canonical import derive_id, digest
from content.errors import ContentError
from tasks import holdings
from tasks.content_keys import content_keys
from tasks.contents import Contents
from tasks.epochs import epochs_of, leave_ended
from tasks.planning import Group
from tasks.sealing import Sealed, Target, seal_batch

WAIT_S = 0.25
log = structlog.get_logger()

SELECT = """select distinct on (s.scope) s.scope, s.seal_id, s.epoch, s.index_path, s.index_size, s.index_digest, s.kids, s.total_bytes,
                   (select json_agg(json_build_array(p.path, p.size_bytes, p.digest) order by sp.number)
                    from seal_parts sp join parts p on p.path = sp.path where sp.seal_id = s.seal_id) as parts
            from seals s where s.package_id = %(package)s and s.profile = %(profile)s and s.version = %(version)s
                           and s.scope = any(%(scopes)s) and s.state = 'ready'
                           and %(making)s in ('', s.making)
            order by s.scope, s.ready_at desc, s.seal_id"""
# Of any profile of the scope: a device that changes over to a plan, or back, goes on using what it has. Under `shared` the
# scope is the profile.
NEWEST_BEFORE = """select distinct on (scope) scope, index_path, index_digest from seals
                   where package_id = %(package)s and scope = any(%(scopes)s) and state = 'ready'
                     and (version < %(version)s or (version = %(version)s and profile <> %(profile)s))
                     and not exists (select 1 from package_versions v where v.package_id = seals.package_id
                                     and v.version = seals.version and v.state = 'withdrawn')
                   order by scope, version desc, ready_at desc"""
CLAIM = """
    insert into seals (tenant, seal_id, package_id, version, profile, scope, making, epoch, attempt, claimed_until)
    values (%(tenant)s, %(seal_id)s, %(package)s, %(version)s, %(profile)s, %(scope)s, %(making)s, %(epoch)s, %(attempt)s,
            now() + make_interval(secs => %(lease)s))
    on conflict (tenant, seal_id) do update
        set attempt = excluded.attempt, epoch = excluded.epoch, claimed_until = excluded.claimed_until
        where seals.state = 'claimed' and seals.claimed_until < now()
    returning seal_id
"""
READY = b"""
    insert into seals (tenant, seal_id, package_id, version, profile, scope, making, epoch, state, attempt, index_path,
                       index_size, index_digest, kids, total_bytes, new_bytes, ready_at)
    values (%(tenant)s, %(seal_id)s, %(package)s, %(version)s, %(profile)s, %(scope)s, %(making)s, %(epoch)s, 'ready', %(attempt)s,
            %(index_path)s, %(index_size)s, %(index_digest)s, %(kids)s, %(total_bytes)s, %(new_bytes)s, now())
    on conflict (tenant, seal_id) do update
        set state = 'ready', epoch = excluded.epoch, index_path = excluded.index_path, index_size = excluded.index_size,
            index_digest = excluded.index_digest, kids = excluded.kids, total_bytes = excluded.total_bytes,
            new_bytes = excluded.new_bytes, claimed_until = null, ready_at = now()
        where seals.state = 'claimed' and seals.attempt = excluded.attempt
    returning scope
"""
PART = b"""insert into parts (tenant, path, size_bytes, digest) values (%s, %s, %s, %s) on conflict do nothing"""
NAMED = b"insert into seal_parts (tenant, seal_id, number, path) values (%s, %s, %s, %s)"


@dataclass(frozen=True)
class Seal:
    """`total_bytes`: of the index and all parts, what a device without anything fetches."""

    seal_id: str
    epoch: int
    index: IndexRef
    parts: tuple[IndexPart, ...]
    kids: tuple[str, ...]
    total_bytes: int


@dataclass(frozen=True)
class Made:
    """A seal that was just encrypted and is not committed yet, with the keys that open it."""

    seal: Seal
    new_part: IndexPart | None
    keys: tuple[ContentKey, ...]


def scope_of(group: Group, device_id: str) -> str:
    """Who holds the content key: all devices of a profile, or one."""
    return group.profile if group.policy == "shared" else device_id


def seal_id(tenant: str, group: Group, scope: str) -> str:
    anew = [group.making] if group.making else []
    return derive_id("sea", tenant, group.package_id, group.version, group.profile, scope, *anew)


async def ready(tx: Transaction, group: Group, scopes: Iterable[str]) -> dict[str, Seal]:
    """The newest seals of the group's version that are there, by scope; of one that is made anew, only new ones."""
    return {row["scope"]: _seal(row) for row in await fetch_all(tx, SELECT, _values(group, scopes))}


async def make(
    connections: Connections, tenant: str, group: Group, contents: Contents, scopes: Sequence[str], attempt: str
) -> dict[str, Made]:
    """Encrypt the version for each scope; blobs lie under the attempt's own keys, and no row names them yet."""
    async with connections.db.tenant(tenant) as tx:
        epochs = await epochs_of(tx, group.package_id, scopes)
        # Made anew is packed anew, so that nothing goes on that may be damaged or known to somebody.
        before = [] if group.making else await fetch_all(tx, NEWEST_BEFORE, _values(group, scopes))
    if before and group.policy == "device":
        before = await _in_hand(connections, tenant, group, before)
    keys = await content_keys(connections, tenant, group.package_id, epochs)
    bases = await asyncio.to_thread(_read_indexes, connections, tenant, before)
    wanted = [(source.digest, source.size) for source in contents.sources]
    targets = [
        Target(
            f"{seal_id(tenant, group, scope)}/{attempt}",
            keys[scope][0],
            keep(bases.get(scope), keys[scope], wanted, contents.within),
        )
        for scope in scopes
    ]
    prefix = places.bundles(tenant)
    sealed = await asyncio.to_thread(seal_batch, connections.objects, contents.sources, targets, prefix)
    return {
        scope: _made(seal_id(tenant, group, scope), epochs[scope], found, keys[scope])
        for scope, found in zip(scopes, sealed, strict=True)
    }


async def commit(tx: Transaction, tenant: str, group: Group, made: Mapping[str, Made], attempt: str) -> set[str]:
    """Have rows name what was made; the scopes of which this attempt's seal counts. Of two attempts, the first one's does,
    and for a claimed one only its claimant's."""
    rows = [
        {
            **_row(tenant, group, scope, each.seal.epoch, attempt),
            "index_path": each.seal.index.path,
            "index_size": each.seal.index.size,
            "index_digest": each.seal.index.digest,
            "kids": list(each.seal.kids),
            "total_bytes": each.seal.total_bytes,
            "new_bytes": each.new_part.size if each.new_part else 0,
        }
        for scope, each in sorted(made.items())
    ]
    counts: set[str] = set()
    async with tx.cursor() as cursor:
        await cursor.executemany(READY, rows, returning=True)
        async for result in cursor.results():
            counts |= {row["scope"] for row in await result.fetchall()}
        kept = [made[scope] for scope in sorted(counts)]
        parts = [each.new_part for each in kept if each.new_part is not None]
        await cursor.executemany(PART, [(tenant, part.path, part.size, part.digest) for part in parts])
        named = [(each.seal.seal_id, number, part.path) for each in kept for number, part in enumerate(each.seal.parts)]
        await cursor.executemany(NAMED, [(tenant, *name) for name in named])
    return counts


async def shared(
    connections: Connections, tenant: str, group: Group, contents: Contents, attempt: str
) -> tuple[Seal, int]:
    """The seal of a shared group, made if nobody else makes it, and the bytes that were written for it here.

    Waits while somebody makes it; whose lease runs out loses it to us. Raises what making it raises, the claim given up.
    """
    scope, lease_s = scope_of(group, ""), connections.settings.lease_s
    while True:
        async with connections.db.tenant(tenant) as tx:
            found = (await ready(tx, group, [scope])).get(scope)
            if found is not None:
                return found, 0
            await leave_ended(tx, group.package_id, scope)
            epoch = (await epochs_of(tx, group.package_id, [scope]))[scope]
            mine = await fetch_one(tx, CLAIM, {**_row(tenant, group, scope, epoch, attempt), "lease": lease_s})
        if mine is None:
            await asyncio.sleep(WAIT_S)
            continue
        try:
            made = await make(connections, tenant, group, contents, [scope], attempt)
            await asyncio.to_thread(failpoints.hit, "seal.after_upload", connections.settings)
            async with connections.db.tenant(tenant) as tx:
                seal, part = made[scope].seal, made[scope].new_part
                if (await epochs_of(tx, group.package_id, [scope]))[scope] > seal.epoch:
                    await _give_up(tx, attempt)  # somebody left meanwhile, who knows this key
                elif await commit(tx, tenant, group, made, attempt):
                    return seal, seal.index.size + (part.size if part else 0)
        except BaseException:
            async with connections.db.tenant(tenant) as tx:
                await _give_up(tx, attempt)
            raise
        # Frozen beyond the lease: another made it, or will.


async def _give_up(tx: Transaction, attempt: str) -> None:
    await tx.execute(b"delete from seals where attempt = %s and state = 'claimed'", [attempt])


async def renew(tx: Transaction, attempt: str, lease_s: float) -> None:
    """Hold on to what an attempt has claimed and works on."""
    await tx.execute(
        b"""update seals set claimed_until = now() + make_interval(secs => %s)
            where attempt = %s and state = 'claimed'""",
        [lease_s, attempt],
    )


async def keys_of(
    connections: Connections, tenant: str, group: Group, seals: Mapping[str, Seal]
) -> dict[str, tuple[ContentKey, ...]]:
    """The content keys that open each scope's seal."""
    if not seals:
        return {}
    epochs = {scope: seal.epoch for scope, seal in seals.items()}
    known = await content_keys(connections, tenant, group.package_id, epochs)
    return {scope: tuple(key for key in known[scope] if key.kid in seal.kids) for scope, seal in seals.items()}


async def _in_hand(
    connections: Connections, tenant: str, group: Group, before: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What a device is known to hold takes the place of the newest that was made for it: it may have slept over that."""
    devices = [row["scope"] for row in before]
    bundles = await holdings.told(connections, tenant, group.package_id, devices)
    async with connections.db.tenant(tenant) as tx:
        held = await holdings.seals_of(tx, bundles, _values(group, devices))
    return list({row["scope"]: row for row in (*before, *held)}.values())


def _read_indexes(connections: Connections, tenant: str, rows: Sequence[dict[str, Any]]) -> dict[str, Index]:
    """One that is lost or damaged is left out: that version is broken, the next one is packed anew."""
    found: dict[str, Index] = {}
    for row in rows:
        try:
            data = connections.objects.get(places.bundles(tenant) + row["index_path"])
            if digest(data) != row["index_digest"]:
                raise ContentError("asset-changed", "The stored index is not what it was.")
            found[row["scope"]] = Index.parse(data)
        except ContentError as error:
            if error.retryable:
                raise
            log.error("earlier index not usable", tenant=tenant, path=row["index_path"], code=error.code)
    return found


def _made(name: str, epoch: int, sealed: Sealed, keys: Sequence[ContentKey]) -> Made:
    total = sealed.index.size + sum(part.size for part in sealed.parts)
    used = tuple(key for key in keys if key.kid in sealed.kids)
    return Made(Seal(name, epoch, sealed.index, sealed.parts, sealed.kids, total), sealed.new_part, used)


def _seal(row: dict[str, Any]) -> Seal:
    return Seal(
        row["seal_id"],
        row["epoch"],
        IndexRef(row["index_path"], row["index_size"], row["index_digest"]),
        tuple(IndexPart(*part) for part in row["parts"]),
        tuple(row["kids"]),
        row["total_bytes"],
    )


def _row(tenant: str, group: Group, scope: str, epoch: int, attempt: str) -> dict[str, Any]:
    return {
        **_values(group, ()),
        "tenant": tenant,
        "seal_id": seal_id(tenant, group, scope),
        "scope": scope,
        "epoch": epoch,
        "attempt": attempt,
    }


def _values(group: Group, scopes: Iterable[str]) -> dict[str, Any]:
    return {
        "package": group.package_id,
        "version": group.version,
        "profile": group.profile,
        "making": group.making,
        "scopes": list(scopes),
    }
