"""One change: a row as it is from now on, or that it was removed. A line of a segment (docs/event-log.md, "Change").

The state of a row is its change with the highest (epoch, n), in whatever order changes are read: `n` is given while the
row is locked, whereas segments follow the order in which transactions were seen to be over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from content.canonical import canonical
from content.documents import DocumentRefused

MAX_LINE_BYTES: Final = 64 << 20
NAMES: Final = {"n", "transaction", "at", "tenant", "name", "key", "value"}


@dataclass(eq=False)
class LogRefused(DocumentRefused):
    """What is not a segment, or not the one that belongs here. `code` begins with `event-log-`."""


@dataclass(frozen=True)
class Change:
    """`name` is the table's; `key` its primary key; `value` all its columns, or None where the row was removed. `line`: the
    bytes it came in, without the end of the line."""

    n: int
    transaction: str
    at: str
    tenant: str
    name: str
    key: Mapping[str, Any]
    value: Mapping[str, Any] | None
    line: bytes

    @property
    def row(self) -> tuple[str, str, bytes]:
        """Which row it is about."""
        return self.tenant, self.name, canonical(dict(self.key))


def parse_line(line: bytes) -> Change:
    """Raises LogRefused `event-log-line` for what is no change."""
    if len(line) > MAX_LINE_BYTES:
        raise LogRefused("event-log-line", f"A line of the event log has {len(line)} bytes.")
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LogRefused("event-log-line", "A line of the event log is not JSON.") from error
    if not isinstance(found, dict):
        raise LogRefused("event-log-line", "A line of the event log is not an object.")
    fields = cast("dict[str, Any]", found)
    n, key, value = fields.get("n"), fields.get("key"), fields.get("value")
    texts = [fields.get(name) for name in ("transaction", "at", "tenant", "name")]
    if (
        set(fields) != NAMES
        or type(n) is not int
        or n < 0
        or not isinstance(key, dict)
        or not isinstance(value, dict | None)
        or not all(isinstance(text, str) and text for text in texts)
    ):
        raise LogRefused("event-log-line", "A line of the event log does not have the members of a change.")
    transaction, at, tenant, name = cast("list[str]", texts)
    return Change(n, transaction, at, tenant, name, cast("Any", key), cast("Any", value), line)


def latest(changes: Iterable[tuple[int, Change]]) -> dict[tuple[str, str, bytes], Change]:
    """What every row is in the end, of changes that come as (epoch, change) in any order; removed rows are left out."""
    found: dict[tuple[str, str, bytes], tuple[int, Change]] = {}
    for epoch, change in changes:
        before = found.get(change.row)
        if before is None or (before[0], before[1].n) < (epoch, change.n):
            found[change.row] = epoch, change
    return {row: change for row, (_, change) in found.items() if change.value is not None}
