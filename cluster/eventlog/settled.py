"""Slips against what this database knows: each of their changes waits here, or is in a segment that was archived from here.

One that is neither was acknowledged by a life of this database that is gone: it was set back, even where the archive itself shows
nothing, and what the slip holds is to be brought back (`tasks.recovery.reconcile`). Whoever may put slips may not put just anything:
`read_slip` takes rows of a few tables, of the tenant whose slip it is, and no removals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from cluster import places
from cluster.database import Transaction, fetch_all
from cluster.eventlog.slips import URGENT
from cluster.eventlog.store import LogStore
from content.documents import DocumentRefused
from content.errors import ContentError
from content.eventlog import Change, LogRefused, Position, parse_segment

READERS = 16
MARGIN = timedelta(minutes=10)
"""By so much clocks of two servers may differ, and a segment's time may be before that of its changes."""
WAITING = "select n, at, tenant, name from change_log where n = any(%s)"
log = structlog.get_logger()
Told = tuple[int, datetime, str, str]
"""What tells one change from all others, also from those of another life of the database."""


def told(change: Change) -> Told:
    return change.n, datetime.fromisoformat(change.at), change.tenant, change.name


@dataclass(frozen=True)
class Slip:
    """Where it lies, when it was put (seconds since 1970), and its changes."""

    key: str
    when: float
    epoch: int
    tenant: str
    changes: tuple[Change, ...]


@dataclass
class Looked:
    """Keys of slips by what became of them; `lost`: with those changes alone that are nowhere else. `listed`: (when, epoch)."""

    listed: dict[str, tuple[float, int]] = field(default_factory=dict[str, tuple[float, int]])
    settled: set[str] = field(default_factory=set[str])
    lost: list[Slip] = field(default_factory=list[Slip])


def epoch_of(store: LogStore, key: str) -> int:
    """The epoch of a slip, 0 for what is none."""
    text = key.removeprefix(places.slips(store.region)).partition("/")[0]
    return int(text) if text.isdigit() else 0


def read_slip(store: LogStore, key: str, when: float = 0.0) -> Slip | None:
    """A slip, None where it was removed meanwhile. Raises LogRefused or DocumentRefused for what is none."""
    try:
        body = store.objects.get(key)
    except ContentError as error:
        if error.code == "object-missing":
            return None
        raise
    segment = parse_segment(body)
    epoch, _, rest = key.removeprefix(places.slips(store.region)).partition("/")
    tenant = rest.partition("/")[0]
    if (segment.region, segment.epoch, segment.sequence) != (store.region, epoch_of(store, key), 0) or not epoch:
        raise LogRefused("event-log-slip", f"{key} is not the slip that its name says.")
    changes = tuple(change for change in segment.parsed() if change.value is not None)
    for change in changes:
        if change.name not in URGENT or change.tenant != tenant or not _plausible(change):
            raise LogRefused("event-log-slip", f"{key} has a change of {change.name} that no slip may have.")
    return Slip(key, when, segment.epoch, tenant, changes)


def _plausible(change: Change) -> bool:
    """Of the row that its key names, at a time."""
    try:
        at = datetime.fromisoformat(change.at)
    except ValueError:
        return False
    value = change.value or {}
    return at.tzinfo is not None and all(value.get(part) == found for part, found in change.key.items())


def read_slips(store: LogStore, keys: Iterable[tuple[str, float]]) -> Iterator[Slip]:
    """Those of them that are slips; the others are told of and left where they are. Blocks."""

    def one(entry: tuple[str, float]) -> Slip | None:
        try:
            return read_slip(store, *entry)
        except DocumentRefused as error:
            log.error("what lies among the slips is none", key=entry[0], why=error.message)
            return None

    with ThreadPoolExecutor(READERS) as pool:
        yield from (slip for slip in pool.map(one, keys) if slip is not None)


async def look(connection: Transaction, store: LogStore, at: Position, settled: Collection[str] = ()) -> Looked:
    """Look at the slips of this epoch, and of any that this database has not come to. Of `settled` it is known already; slips
    of epochs before are, too: whoever began the next one had read them."""

    def read() -> tuple[Looked, list[Slip]]:
        found = Looked({key: (when, epoch_of(store, key)) for key, when in store.slips()})
        new = [(key, when) for key, (when, epoch) in found.listed.items() if epoch >= at.epoch and key not in settled]
        return found, list(read_slips(store, new))

    found, slips = await asyncio.to_thread(read)
    found.settled |= set(settled) & set(found.listed)
    # Slips first, then what waits, then segments: so nothing is missed that is archived meanwhile.
    numbers = [change.n for slip in slips for change in slip.changes]
    rows = await fetch_all(connection, WAITING, [numbers])
    waiting: set[Told] = {(row["n"], row["at"], row["tenant"], row["name"]) for row in rows}
    missing = {told(change) for slip in slips for change in slip.changes} - waiting
    known = await asyncio.to_thread(archived, store, at, missing)
    for slip in slips:
        lost = tuple(change for change in slip.changes if told(change) in missing - known)
        if lost:
            found.lost.append(Slip(slip.key, slip.when, slip.epoch, slip.tenant, lost))
        elif not any(told(change) in waiting for change in slip.changes):
            found.settled.add(slip.key)
    return found


def archived(store: LogStore, at: Position, wanted: Collection[Told]) -> set[Told]:
    """Which of these changes are in segments up to `at`, read backwards as far as they can be. Blocks."""
    found: set[Told] = set()
    if not wanted:
        return found
    oldest = min(when for _, when, _, _ in wanted) - MARGIN
    with ThreadPoolExecutor(READERS) as pool:
        for last in range(at.sequence, 0, -READERS):
            numbers = range(last, max(last - READERS, 0), -1)
            segments = [each for each in pool.map(lambda n: store.get(at.epoch, n), numbers) if each is not None]
            found |= {name for each in segments for change in each.segment.parsed() if (name := told(change)) in wanted}
            if len(found) == len(wanted) or all(each.segment.closed_at < oldest for each in segments):
                break
    return found
