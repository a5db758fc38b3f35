"""A seal whose index or parts are missing, made again byte for byte: content keys are in the log, salts and nonces are derived.

With its index there, a part is made whole as the scrub does (`tasks.healing`). Without, the version is encrypted again under the
same paths, aside, and put in place only if the index comes out with the digest that licences in the field name; a seal that goes
on using earlier parts is tried on each earlier index of its scope. What cannot be made equal is given up: its bundles are made
anew, with the next sequence, as after damage.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cluster import places
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.objects import Objects
from content.bundles.delta import Kept, keep
from content.bundles.index import Index
from content.bundles.keys import ContentKey
from content.canonical import digest
from content.errors import ContentError
from tasks import rebundle
from tasks.content_keys import content_keys
from tasks.contents import Contents, read_contents
from tasks.healing import heal
from tasks.planning import Group
from tasks.rebundle import Selection
from tasks.recovery.restore_blobs import Outcome, copied, not_again
from tasks.sealing import Target, seal_batch

ROW = """
    select s.seal_id, s.package_id, s.version, s.profile, s.scope, s.epoch, s.index_path, s.index_size, s.index_digest, s.making,
           (select json_agg(json_build_array(p.path, p.size_bytes, p.digest) order by sp.number)
            from seal_parts sp join parts p on p.path = sp.path where sp.seal_id = s.seal_id) as parts
    from seals s where s.seal_id = %s and s.state = 'ready'
"""
EARLIER = """
    select index_path, index_digest from seals
    where package_id = %(package_id)s and scope = %(scope)s and seal_id <> %(seal_id)s and state = 'ready'
      and (version, ready_at) < (select version, ready_at from seals where seal_id = %(seal_id)s)
    order by version desc, ready_at desc limit 20
"""
EARLIER_WAITS = """
    select 1 as x from restore_items i join seals s on s.seal_id = split_part(i.subject, '/', 4)
    where i.kind = 'seal' and i.state = 'waiting' and s.package_id = %(package_id)s and s.scope = %(scope)s
      and (s.version, s.ready_at) < (select version, ready_at from seals where seal_id = %(seal_id)s) limit 1
"""
ASIDE = "restore/"
"""Below this folder a seal is made again until it is known to be the same; `gc` removes what a killed process leaves there."""
BARE = 2
"""Keys of a seal that goes on using nothing: its index and its part."""
DIFFERS = Outcome("anew", 0, "Encrypted again, its index is another: its bundles are made anew.")
GIVEN_UP = """
    select b.package_id, b.version, b.profile, b.policy, array_agg(distinct b.device_id) as devices
    from restore_items i join bundles b on b.seal_id = split_part(i.subject, '/', 4) and b.state = 'ready'
    where i.kind = 'seal' and i.state = 'anew' and starts_with(i.subject, %s) group by 1, 2, 3, 4 order by 1, 2, 3, 4
"""


@dataclass(frozen=True)
class _Seal:
    """A seal and what it is made of."""

    subject: str
    row: dict[str, Any]
    contents: Contents
    keys: tuple[ContentKey, ...]

    @property
    def folder(self) -> str:
        return str(self.row["index_path"]).rpartition("/")[0]


async def again(
    connections: Connections, source: Objects | None, tenant: str, subjects: Sequence[str]
) -> dict[str, Outcome]:
    """Make seals whole; those of one version and profile that lack all they have are encrypted in one go, so that each asset is
    read once for them. Raises what can be retried."""
    found: dict[str, Outcome] = {}
    bare: dict[Group, list[_Seal]] = defaultdict(list)
    rest: list[tuple[_Seal, list[str]]] = []
    for subject in subjects:
        async with connections.db.tenant(tenant) as tx:
            row = await fetch_one(tx, ROW, [subject.rpartition("/")[2]])
        if row is None:
            found[subject] = Outcome("same")
            continue
        prefix = places.bundles(tenant)
        keys = [prefix + row["index_path"], *(prefix + part[0] for part in row["parts"] or ())]
        left, written = await asyncio.to_thread(copied, connections.objects, source, keys)
        if not left:
            found[subject] = Outcome("copied", written)
            continue
        if await _left(connections, tenant, row):
            found[subject] = Outcome("left", written, "Its version is left to the builders.")
            continue
        group = Group(row["package_id"], row["version"], row["profile"], "bulk")
        try:
            contents = await read_contents(connections, tenant, group)
            known = await content_keys(connections, tenant, row["package_id"], {row["scope"]: row["epoch"]})
            seal = _Seal(subject, row, contents, known[row["scope"]])
            if len(left) == len(keys) == BARE:
                bare[group].append(seal)
            else:
                rest.append((seal, left))
        except ContentError as error:
            found[subject] = not_again(error)
    for seals in bare.values():
        found |= await _many(connections, tenant, seals)
    for seal, left in rest:  # some of them go on from those
        try:
            found[seal.subject] = await _one(connections, tenant, seal, left)
        except ContentError as error:
            found[seal.subject] = not_again(error)
    return found


async def _left(connections: Connections, tenant: str, row: dict[str, Any]) -> bool:
    """Whether the version that a seal is made of is not there yet."""
    version = f"{row['package_id']}/{row['version']}"
    left = "select 1 as x from restore_items where kind = 'version' and state = 'left' and subject = %s"
    async with connections.db.tenant(tenant) as tx:
        return await fetch_one(tx, left, [version]) is not None


async def _many(connections: Connections, tenant: str, seals: Sequence[_Seal]) -> dict[str, Outcome]:
    """Seals of one version and profile, of which nothing is there: index and one part each."""
    prefix, objects = places.bundles(tenant), connections.objects
    targets = [Target(seal.folder, seal.keys[0]) for seal in seals]
    try:
        made = await asyncio.to_thread(seal_batch, objects, seals[0].contents.sources, targets, prefix)
    except ContentError as error:
        return dict.fromkeys((seal.subject for seal in seals), not_again(error))
    found: dict[str, Outcome] = {}
    for seal, sealed in zip(seals, made, strict=True):
        size = sealed.index.size + sum(part.size for part in sealed.parts)
        found[seal.subject] = Outcome("same", size)
        if sealed.index.digest != seal.row["index_digest"]:
            paths = [sealed.index.path, *(part.path for part in sealed.parts)]
            await asyncio.to_thread(objects.delete, [prefix + path for path in paths])
            found[seal.subject] = DIFFERS
    return found


async def _one(connections: Connections, tenant: str, seal: _Seal, left: Sequence[str]) -> Outcome:
    """A seal of which something is there, or that goes on using parts of earlier ones."""
    prefix, written = places.bundles(tenant), 0
    if prefix + seal.row["index_path"] in left:
        made = await _whole(connections, tenant, seal)
        if made is None:
            return await _after_earlier(connections, tenant, seal)
        written += made
    for key in left:
        if await asyncio.to_thread(connections.objects.size, key) is None:
            part = await _part(connections, tenant, seal, key.removeprefix(prefix))
            if part is None:
                return await _after_earlier(connections, tenant, seal)
            written += part
    return Outcome("same", written)


async def _after_earlier(connections: Connections, tenant: str, seal: _Seal) -> Outcome:
    """It goes on using what earlier seals of its scope have brought: once these have ended without it, it never will be equal."""
    async with connections.db.tenant(tenant) as tx:
        waits = await fetch_one(tx, EARLIER_WAITS, seal.row)
    return DIFFERS if waits is None else Outcome("waiting", 0, "An earlier seal of the scope comes first.")


async def _whole(connections: Connections, tenant: str, seal: _Seal) -> int | None:
    """Index and own part, by encrypting the version again; None where the index does not come out as licences name it."""
    async with connections.db.tenant(tenant) as tx:
        earlier = await fetch_all(tx, EARLIER, seal.row)
    bases = await asyncio.to_thread(_indexes, connections.objects, places.bundles(tenant), earlier)
    for base in [None, *bases] if len(seal.row["parts"]) == 1 else [*bases, None]:
        wanted = [(each.digest, each.size) for each in seal.contents.sources]
        kept = keep(base, seal.keys, wanted, seal.contents.within)
        made = await asyncio.to_thread(_aside, connections.objects, tenant, seal, kept)
        if made is not None:
            return made
    return None


def _aside(objects: Objects, tenant: str, seal: _Seal, kept: Kept) -> int | None:
    """Seal below a prefix of its own; moved in place if the index is the one that licences name. The paths, from which salts
    follow, are the same."""
    prefix = places.bundles(tenant)
    target = Target(seal.folder, seal.keys[0], kept)
    (sealed,) = seal_batch(objects, seal.contents.sources, [target], prefix + ASIDE)
    made = [sealed.index.path, *([sealed.new_part.path] if sealed.new_part else ())]
    try:
        if sealed.index.digest != seal.row["index_digest"]:
            return None
        for path in reversed(made):
            kind = "application/json" if path.endswith(".json") else "application/octet-stream"
            objects.copy(prefix + ASIDE + path, prefix + path, kind)
        return sealed.index.size + (sealed.new_part.size if sealed.new_part else 0)
    finally:
        objects.delete([prefix + ASIDE + path for path in made])


async def _part(connections: Connections, tenant: str, seal: _Seal, path: str) -> int | None:
    """A part under an index that is there. One that an earlier seal had brought is that seal's to make: then None."""
    prefix = places.bundles(tenant)
    data = await asyncio.to_thread(connections.objects.get, prefix + seal.row["index_path"])
    if digest(data) != seal.row["index_digest"]:
        raise ContentError("index-differs", "The stored index is not what it was.")
    index = Index.parse(data)
    number = next(at for at, part in enumerate(index.parts) if part.path == path)
    files = [file for file in index.files if file.part == number]
    size = index.parts[number].size
    if sum(file.sealed_size for file in files) != size and path.rpartition("/")[0] != seal.folder:
        return None
    keys = {key.kid: key for key in seal.keys}
    sources = seal.contents.sources
    await asyncio.to_thread(heal, connections.objects, prefix, path, size, files, sources, keys)
    return size


def _indexes(objects: Objects, prefix: str, rows: Sequence[dict[str, Any]]) -> list[Index]:
    found: list[Index] = []
    for row in rows:
        try:
            data = objects.get(prefix + row["index_path"])
            if digest(data) == row["index_digest"]:
                found.append(Index.parse(data))
        except ContentError as error:
            if error.retryable:
                raise
    return found


async def anew(tx: Transaction, tenant: str, subjects: str = "") -> int:
    """Call for bundles of which the seal could not be made equal; returns how many jobs. For all items at once (whose subject begins
    so), when none of them waits."""
    jobs = 0
    for row in await fetch_all(tx, GIVEN_UP, [subjects]):
        selection = Selection(row["package_id"], row["version"], row["profile"], row["policy"], tuple(row["devices"]))
        await rebundle.start(tx, tenant, selection, "restored: the seal could not be made again")
        jobs += 1
    return jobs
