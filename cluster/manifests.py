"""Manifests in memory, for a minute: an API replica's, so that most requests ask neither Postgres nor S3, and the edge's.

Bounded in bytes; the one unused for longest goes first. An entry is used only while `Invalidations.trusted` holds. A
manifest that was looked up before a word of invalidation and arrives after it is not kept: the generation has changed.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from cluster.invalidations import Changed

Key = tuple[str, str, int]


@dataclass(frozen=True)
class Kept:
    """A manifest's digest and bytes, until a moment of the monotonic clock."""

    digest: str
    body: bytes
    until: float


class Manifests:
    """Manifests by tenant, package and version. Used in one thread."""

    def __init__(self, most_bytes: int, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._ttl_s, self._clock = most_bytes, ttl_s, clock
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._bytes = 0
        self.generation = 0
        """Changes with every invalidation; read it before looking up what is to be kept."""

    def get(self, key: Key) -> Kept | None:
        found = self._kept.get(key)
        if found is None:
            return None
        if found.until <= self._clock():
            self._remove(key)
            return None
        self._kept.move_to_end(key)
        return found

    def keep(self, key: Key, digest: str, body: bytes, generation: int) -> None:
        """Keep what was looked up in `generation`, unless something was invalidated since or it is too large."""
        if generation != self.generation or len(body) > self._most:
            return
        self._remove(key)
        self._kept[key] = Kept(digest, body, self._clock() + self._ttl_s)
        self._bytes += len(body)
        while self._bytes > self._most:
            self._remove(next(iter(self._kept)))

    def forget(self, changed: Changed | None) -> None:
        """Forget one version, or everything."""
        self.generation += 1
        if changed is None:
            self._kept.clear()
            self._bytes = 0
        else:
            self._remove((changed.tenant, changed.package_id, changed.version))

    def _remove(self, key: Key) -> None:
        if (gone := self._kept.pop(key, None)) is not None:
            self._bytes -= len(gone.body)
