"""Segments and slips in the object store. A segment is put only where none is: so no two archivers can fork the log.

Calls block: async callers use a thread. Errors: ContentError `storage-unavailable` (retryable), or LogRefused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cluster import places
from cluster.objects import Objects
from content.canonical import digest
from content.errors import ContentError
from content.eventlog import Base, LogRefused, Position, Segment, follow, parse_segment, whole

MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Stored:
    """A segment as it lies there."""

    segment: Segment
    digest: str


class LogStore:
    """The event log of one region in one bucket."""

    def __init__(self, objects: Objects, region: str) -> None:
        self.objects, self.region = objects, region

    def put(self, epoch: int, sequence: int, body: bytes) -> bool:
        """Add a segment. False if one is there already."""
        return self.objects.create(places.events(self.region, epoch, sequence), body, MEDIA_TYPE)

    def get(self, epoch: int, sequence: int) -> Stored | None:
        """A segment, or None. Raises LogRefused for what is none."""
        try:
            body = self.objects.get(places.events(self.region, epoch, sequence))
        except ContentError as error:
            if error.code == "object-missing":
                return None
            raise
        return Stored(parse_segment(body), digest(body))

    def epochs(self) -> dict[int, int]:
        """The highest sequence of every epoch. Reads the name of every segment that there is."""
        return self.beyond(Position(0))

    def beyond(self, at: Position) -> dict[int, int]:
        """The same, of what lies behind a place: one question where nothing does."""
        found: dict[int, int] = {}
        after = places.events(self.region, at.epoch, at.sequence)
        for key, _ in self.objects.keys(places.events(self.region), after=after):
            epoch, _, sequence = key.removeprefix(places.events(self.region)).partition("/")
            if epoch.isdigit() and sequence.isdigit():
                found[int(epoch)] = max(found.get(int(epoch), 0), int(sequence))
        return found

    def path(self) -> list[tuple[int, int]]:
        """Which segments make up the state: (epoch, last sequence), oldest epoch first."""
        ends = self.epochs()
        return list(whole(self.bases(ends), ends))

    def bases(self, epochs: Iterable[int]) -> dict[int, Base | None]:
        """Where each of these epochs goes on from. Raises LogRefused where the first segment of one is missing."""
        bases: dict[int, Base | None] = {}
        for epoch in epochs:
            first = self.get(epoch, 1)
            if first is None:
                raise LogRefused("event-log-gap", f"The first segment of epoch {epoch} is missing.")
            bases[epoch] = first.segment.base
        return bases

    def read(self, epoch: int, last: int, after: Position | None = None) -> Iterator[tuple[Position, Segment]]:
        """The segments of an epoch up to `last` in their order, each checked against the one before it.

        Raises LogRefused where one is missing, damaged, or not the one that belongs there.
        """
        at = after or Position(epoch)
        while at.sequence < last:
            found = self.get(epoch, at.sequence + 1)
            if found is None:
                raise LogRefused(
                    "event-log-gap",
                    f"Segment {epoch}/{at.sequence + 1} of the event log is missing.",
                    "See whether the bucket has an older version of it.",
                )
            at = follow(at, found.segment, found.digest, region=self.region)
            yield at, found.segment

    def put_slip(self, epoch: int, tenant: str, n: int, body: bytes) -> None:
        """Keep changes of one tenant up to `n` until their segment is there. Its digest is in its name: a database that was set
        back counts up to the same `n` again, and must not write over what the life before had acknowledged."""
        name = f"{n:020d}-{digest(body).removeprefix('sha256:')[:16]}"
        self.objects.create(f"{places.slips(self.region, epoch)}{tenant}/{name}", body, MEDIA_TYPE)

    def slips(self, epoch: int | None = None) -> Iterator[tuple[str, float]]:
        """(key, when) of every slip."""
        return self.objects.keys(places.slips(self.region, epoch))
