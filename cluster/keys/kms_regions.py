"""Two regions of AWS that hold the same keys: whichever answers.

The primary is asked first. One that does not answer is left alone for a while (`kms_rest_s`) and asked last, so that an
outage costs one patient call per process and minute, not every one. A no is final, except that a region may not have a
key (yet) which the other has: it was made while this one was away, or its replica is still being created.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import structlog

from cluster.breaker import Breakers
from cluster.keys.errors import Busy, Elsewhere, Full, Unavailable
from cluster.keys.kms_region import Place, Region
from cluster.settings import Settings

log = structlog.get_logger()


class Regions:
    """`primary` and the others, in the order in which they are asked."""

    def __init__(self, settings: Settings, places: Sequence[Place], count: Callable[[str], None]) -> None:
        self._all = [Region(settings, place, count) for place in places]
        self._rest_s, self._breakers = settings.kms_rest_s, Breakers()

    def __iter__(self) -> Iterator[Region]:
        return iter(self._all)

    def tell(self) -> None:
        """Set the numbers of every region."""
        for region in self._all:
            region.tell()

    def anywhere(self, action: str, **parameters: Any) -> dict[str, Any]:
        """The first answer. Raises `keys-unavailable` if a region that might know better is away, else `key-refused`."""
        return self.first(action, **parameters)[1]

    def first(self, action: str, **parameters: Any) -> tuple[Region, dict[str, Any]]:
        """The same, with the region that answered."""
        away: Unavailable | None = None
        missing: Elsewhere | None = None
        for region in self._in_order():
            try:
                return region, self.ask(region, action, **parameters)
            except Unavailable as error:
                away = error
            except Elsewhere as error:
                missing = error
        raise away or missing or Unavailable()

    def ask(self, region: Region, action: str, **parameters: Any) -> dict[str, Any]:
        """One region and no other; how it went is remembered."""
        try:
            answer = region.call(action, **parameters)
        except (Busy, Full):
            self._breakers.tell(region.name, answered=True)  # it is there; its quota is not
            raise
        except Unavailable:
            log.warning("a region of the key service is away", region=region.name, action=action)
            self._breakers.tell(region.name, answered=False)
            raise
        except Exception:
            self._breakers.tell(region.name, answered=True)
            raise
        self._breakers.tell(region.name, answered=True)
        return answer

    def _in_order(self) -> list[Region]:
        resting = {region.name: self._breakers.ask(region.name, 1, self._rest_s) > 0 for region in self._all}
        return sorted(self._all, key=lambda region: resting[region.name])
