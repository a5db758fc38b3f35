"""A segment: a header of one line that says what it is, then the changes, packed (docs/event-log.md, "Segment").

A segment is written once and never changed. Its digest is that of all its bytes, and the next segment names it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from content.canonical import canonical, digest, rfc3339
from content.documents import DIGEST, IDENTIFIER, Fields, parse_document
from content.eventlog.changes import Change, LogRefused, parse_line

TYPE: Final = "event-log"
MAX_HEADER_BYTES: Final = 4 << 10
MAX_BODY_BYTES: Final = 256 << 20
"""Of the changes of one segment, unpacked."""
LEVEL: Final = 3


@dataclass(frozen=True)
class Base:
    """Where the log before was left by one that goes on from it."""

    epoch: int
    sequence: int
    digest: str

    def document(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "sequence": self.sequence, "digest": self.digest}


@dataclass(frozen=True)
class Segment:
    """`previous`: digest of the segment before, or of `base`'s; empty for the first of all. `final`: the rows after it are as
    some reader saw them at once; behind one that is not, the next segment has to be read, too. `body`: the changes as lines."""

    region: str
    epoch: int
    sequence: int
    previous: str
    base: Base | None
    final: bool
    changes: int
    closed_at: datetime
    body: bytes

    def lines(self) -> Iterator[bytes]:
        """Each change's line, without its end."""
        start = 0
        while start < len(self.body):
            end = self.body.index(b"\n", start)
            yield self.body[start:end]
            start = end + 1

    def parsed(self) -> Iterator[Change]:
        """Its changes. Raises LogRefused `event-log-line`."""
        return (parse_line(line) for line in self.lines())


def make_segment(
    *,
    region: str,
    epoch: int,
    sequence: int,
    previous: str,
    base: Base | None,
    final: bool,
    closed_at: datetime,
    lines: Sequence[bytes],
) -> bytes:
    """The bytes of a segment."""
    body = b"".join(line + b"\n" for line in lines)
    packed = zlib.compress(body, LEVEL)
    header = {
        "type": TYPE,
        "shape": 1,
        "region": region,
        "epoch": epoch,
        "sequence": sequence,
        "previous": previous,
        "base": base.document() if base else None,
        "final": final,
        "changes": len(lines),
        "closed_at": rfc3339(closed_at),
        "size": len(body),
        "packed": len(packed),
        "digest": digest(body),
    }
    return canonical(header) + b"\n" + packed


def parse_segment(data: bytes) -> Segment:
    """Raises LogRefused or DocumentRefused; nothing is unpacked beyond what the header says and the limits allow."""
    end = data.find(b"\n", 0, MAX_HEADER_BYTES + 1)
    if end < 0:
        raise LogRefused("event-log-header", "A segment does not begin with a header of one line.")
    fields = Fields(parse_document(data[:end], TYPE, MAX_HEADER_BYTES), TYPE)
    fields.expect(TYPE)
    region, epoch = fields.text("region", IDENTIFIER), fields.integer("epoch", 1)
    sequence, previous = fields.integer("sequence"), _digest(fields, "previous")
    base, final, changes = _base(fields.take("base")), fields.take("final"), fields.integer("changes", 0)
    closed_at, size = fields.time("closed_at"), fields.integer("size", 0, MAX_BODY_BYTES)
    packed, found = fields.integer("packed", 0), _digest(fields, "digest")
    fields.done()
    if not isinstance(final, bool):
        raise fields.refuse("`final` is neither true nor false")
    if len(data) - end - 1 != packed:
        raise LogRefused("event-log-size", f"Segment {epoch}/{sequence} is not as long as its header says.")
    body = _unpacked(data[end + 1 :], size)
    if digest(body) != found or body.count(b"\n") != changes or (body and not body.endswith(b"\n")):
        raise LogRefused("event-log-digest", f"The changes of segment {epoch}/{sequence} are not what was written.")
    return Segment(region, epoch, sequence, previous, base, final, changes, closed_at, body)


def _unpacked(packed: bytes, size: int) -> bytes:
    unpack = zlib.decompressobj()
    try:
        body = unpack.decompress(packed, size + 1)
    except zlib.error as error:
        raise LogRefused("event-log-digest", "The changes of a segment cannot be unpacked.") from error
    if len(body) != size or not unpack.eof or unpack.unused_data:
        raise LogRefused("event-log-size", "The changes of a segment are not as many bytes as its header says.")
    return body


def _digest(fields: Fields, name: str) -> str:
    text = fields.take(name)
    if not isinstance(text, str) or (text and not DIGEST.fullmatch(text)):
        raise fields.refuse(f"`{name}` is no digest")
    return text


def _base(found: object) -> Base | None:
    if found is None:
        return None
    fields = Fields(cast("Any", found), TYPE)
    base = Base(fields.integer("epoch", 1), fields.integer("sequence", 0), _digest(fields, "digest"))
    fields.done()
    return base
