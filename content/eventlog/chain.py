"""The chain: each segment names the digest of the one before it, and each log the place where it leaves the one before.

A region that was restored or set back goes on with the next epoch. Its first segment says from where: what the epoch before
had behind that place is a dead branch, since the database never knew it or has taken it over as changes of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from content.eventlog.changes import LogRefused
from content.eventlog.segment import Base, Segment


@dataclass(frozen=True)
class Position:
    """The last segment that was read of an epoch; sequence 0 and an empty digest before its first one."""

    epoch: int
    sequence: int = 0
    digest: str = ""


def follow(at: Position, segment: Segment, digest: str, *, region: str) -> Position:
    """Where one is after `segment`, whose bytes have this digest.

    Raises LogRefused `event-log-region`, `event-log-gap` (a segment is missing or is another) or `event-log-fork` (it follows
    one that is not the one before it here).
    """
    if segment.region != region:
        raise LogRefused("event-log-region", f"This segment is of the region {segment.region}, not {region}.")
    if (segment.epoch, segment.sequence) != (at.epoch, at.sequence + 1):
        raise LogRefused(
            "event-log-gap",
            f"Segment {at.epoch}/{at.sequence + 1} is missing; {segment.epoch}/{segment.sequence} was found there.",
            "See whether the bucket has an older version of it.",
        )
    before = at.digest if at.sequence else segment.base.digest if segment.base else ""
    if segment.previous != before or (at.sequence and segment.base is not None):
        raise LogRefused(
            "event-log-fork",
            f"Segment {segment.epoch}/{segment.sequence} does not follow the one before it.",
            "Somebody else wrote to this log, or changed it; see docs/runbooks/postgres-behind.md.",
        )
    return Position(segment.epoch, segment.sequence, digest)


def whole(bases: Mapping[int, Base | None], ends: Mapping[int, int]) -> Sequence[tuple[int, int]]:
    """Which segments make up the state, as (epoch, last sequence) in the order of epochs: the newest epoch, and of those it
    goes on from, as much as it says. `bases` and `ends` by epoch.

    Raises LogRefused `event-log-gap` where an epoch that is gone on from is not there as far as that.
    """
    if not ends:
        return ()
    epoch = max(ends)
    found = [(epoch, ends[epoch])]
    while (base := bases[epoch]) is not None and base.sequence:
        if base.epoch >= epoch or ends.get(base.epoch, 0) < base.sequence:
            raise LogRefused("event-log-gap", f"Epoch {base.epoch} of the log is not there up to {base.sequence}.")
        epoch = base.epoch
        found.append((epoch, base.sequence))
    return tuple(reversed(found))


def beyond(
    at: Position, bases: Mapping[int, Base | None], ends: Mapping[int, int]
) -> tuple[int, Sequence[tuple[int, int]]]:
    """What the newest epoch makes of somebody who is at `at`: how far the epoch of `at` counts (if that is less, they have gone on
    beside it), and what comes after that, as `whole` says it. `ends` is of `at`'s epoch and later ones, `bases` of the later.

    Raises LogRefused `event-log-fork` where the newest epoch does not go on from the epoch of `at`, or `event-log-gap`.
    """
    epoch, last = max([at.epoch, *ends]), 0
    counts = last = max(ends.get(epoch, 0), at.sequence if epoch == at.epoch else 0)
    found: list[tuple[int, int]] = []
    while epoch > at.epoch:
        found.append((epoch, last))
        base = bases[epoch]
        if base is None or not at.epoch <= base.epoch < epoch:
            raise LogRefused(
                "event-log-fork",
                f"Epoch {max(ends)} of the log does not go on from epoch {at.epoch}, in which this database is.",
                "Restore it from the log (docs/runbooks/restore-a-region.md).",
            )
        if base.epoch > at.epoch and ends.get(base.epoch, 0) < base.sequence:
            raise LogRefused("event-log-gap", f"Epoch {base.epoch} of the log is not there up to {base.sequence}.")
        epoch, counts = base.epoch, base.sequence
        last = counts
    return counts, tuple(reversed(found))
