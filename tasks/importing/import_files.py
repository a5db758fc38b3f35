"""The files of an imported package: out of the canonical zip, each by its content, into the store.

The zip was written by the importer, so the strictest reader looks at it first (`content.scorm.archive.read_canonical`). What the
tenant has already is not stored again. Everything streams; a file is in memory only while it is sent, a segment at a time.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cluster import places
from cluster.connections import Connections
from cluster.database import fetch_all
from cluster.objects import PIECE, Objects, Stat
from cluster.uploads import Upload
from content.canonical import DIGEST_PREFIX
from content.media_types import media_type
from content.scorm.archive import CanonicalFile, stream_canonical
from content.scorm.package import StoredFile

SENDERS = 8
Share = Callable[[float], None]


@dataclass(frozen=True)
class Stored:
    """What a package's files became; `made` were sent, `reused` were there."""

    files: Mapping[str, StoredFile]
    made: int
    reused: int


def fetch(objects: Objects, key: str, stat: Stat, path: Path, go_on: Share) -> None:
    """The object as a file on this node. Blocks."""
    got = 0
    with path.open("wb") as file:
        for piece in objects.pinned(key, stat):
            file.write(piece)
            got += len(piece)
            go_on(got / stat.size_bytes)


def digest_of(objects: Objects, key: str, stat: Stat, go_on: Share) -> str:
    """The SHA-256 of an object. Blocks."""
    sha, got = hashlib.sha256(), 0
    for piece in objects.pinned(key, stat):
        sha.update(piece)
        got += len(piece)
        go_on(got / stat.size_bytes)
    return DIGEST_PREFIX + sha.hexdigest()


def digests(path: Path, files: Sequence[CanonicalFile], go_on: Share) -> dict[str, StoredFile]:
    """Every file of the zip by its path, with the digest of its content. Blocks."""
    found: dict[str, StoredFile] = {}
    done, every = 0, sum(each.size_bytes for each in files) or 1
    with path.open("rb") as zipped:
        for each in files:
            sha = hashlib.sha256()
            for piece in stream_canonical(zipped, each):
                sha.update(piece)
                done += len(piece)
                go_on(done / every)
            found[each.path] = StoredFile(DIGEST_PREFIX + sha.hexdigest(), each.size_bytes)
    return found


async def missing(
    connections: Connections, tenant: str, found: Mapping[str, StoredFile], files: Sequence[CanonicalFile]
) -> list[CanonicalFile]:
    """One file of each content that the tenant does not have yet."""
    async with connections.db.tenant(tenant) as tx:
        wanted = sorted({each.digest for each in found.values()})
        rows = await fetch_all(tx, "select digest from assets where digest = any(%s)", [wanted])
    there = {row["digest"] for row in rows}
    first = {found[each.path].digest: each for each in reversed(files) if found[each.path].digest not in there}
    return sorted(first.values(), key=lambda each: each.offset)


def store(
    objects: Objects, tenant: str, path: Path, files: Sequence[CanonicalFile], found: Mapping[str, StoredFile], go_on: Share
) -> None:  # fmt: skip
    """Send these files, several at once. Blocks."""
    done, every, lock = 0, sum(each.size_bytes for each in files) or 1, threading.Lock()

    def send(each: CanonicalFile) -> None:
        nonlocal done
        key, kind = places.asset(tenant, found[each.path].digest), media_type(each.path)
        with path.open("rb") as zipped:
            if each.size_bytes <= PIECE:
                objects.put(key, io.BytesIO(b"".join(stream_canonical(zipped, each))), kind)
            else:
                with Upload(objects, key, kind) as upload:
                    for piece in stream_canonical(zipped, each):
                        go_on(done / every)
                        upload.write(piece)
                    upload.finish()
        with lock:
            done += each.size_bytes
        go_on(done / every)

    with ThreadPoolExecutor(SENDERS) as senders:
        under_way = [senders.submit(send, each) for each in files]
        try:
            for each in under_way:
                each.result()
        finally:
            for each in under_way:
                each.cancel()


async def note(
    connections: Connections, tenant: str, files: Sequence[CanonicalFile], found: Mapping[str, StoredFile]
) -> None:
    """The rows of files that are stored."""
    rows = [(tenant, found[each.path].digest, media_type(each.path), each.size_bytes) for each in files]
    async with connections.db.tenant(tenant) as tx, tx.cursor() as cursor:
        await cursor.executemany(
            b"insert into assets (tenant, digest, media_type, size_bytes) values (%s, %s, %s, %s) on conflict do nothing",
            rows,
        )
