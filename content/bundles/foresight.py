"""What a device's next sync will do, before it does: bytes to fetch, the fullest the disk will be, what will be deleted.

Nothing old is removed before everything new is verified, so the disk holds both for a while; what was begun counts as
there. A device knows its own disk to the byte (`serve_app.device.foresight`); the API goes by the bundles it is told of
(`serve_app.routes.foresight`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

BEGUN: Final = ".partial"
"""Behind the path of a blob that is not whole yet."""

Order = tuple[Any, int]
"""What orders a device's bundles of a package: the licence's sequence, and its issue."""


@dataclass(frozen=True)
class Offered:
    """A bundle that the device would take. `blobs`: its index and parts by path, with their sizes in bytes."""

    bundle_id: str
    package_id: str
    version: int
    order: Order
    blobs: Mapping[str, int]


@dataclass(frozen=True)
class Held:
    """A bundle on the device. `blobs`: the paths of its index and parts; None if its index cannot be read."""

    bundle_id: str
    package_id: str
    order: Order
    blobs: frozenset[str] | None


@dataclass(frozen=True)
class Foreseen:
    """One bundle. `fetch` bytes of `size` would come over the network; `new` if another one is here, or none."""

    bundle_id: str
    package_id: str
    version: int
    new: bool
    fetch: int
    size: int


@dataclass(frozen=True)
class Foresight:
    """All bundles. Bytes on the disk: now, at the fullest, and afterwards; `deletes` are the blobs that will go."""

    bundles: tuple[Foreseen, ...]
    fetch: int
    now: int
    peak: int
    after: int
    deletes: tuple[str, ...]


def foresee(here: Mapping[str, int], held: Sequence[Held], offers: Iterable[Offered]) -> Foresight:
    """`here`: the blobs on the disk with their sizes. `offers`: the newest of each package that is offered."""
    stays = {each.package_id: each for each in sorted(held, key=lambda each: each.order)}  # the newest of each package
    installed = {each.bundle_id for each in held}
    bundles: list[Foreseen] = []
    wanted: dict[str, int] = {}
    tidied = True  # a sync that refuses something, or cannot read an index, deletes nothing
    for offer in offers:
        known = stays.get(offer.package_id)
        if known is not None and offer.order < known.order:
            tidied = False  # older than what is here, whose version was withdrawn
            continue
        stays.pop(offer.package_id, None)
        fetch = sum(_missing(here, path, size) for path, size in offer.blobs.items() if path not in wanted)
        wanted |= offer.blobs
        new, size = offer.bundle_id not in installed, sum(offer.blobs.values())
        bundles.append(Foreseen(offer.bundle_id, offer.package_id, offer.version, new, fetch, size))
    for each in stays.values():
        if each.blobs is None:
            tidied = False
        else:
            wanted |= dict.fromkeys(each.blobs, 0)
    fetch, now = sum(each.fetch for each in bundles), sum(here.values())
    unwanted = (path for path in here if path.removesuffix(BEGUN) not in wanted)
    deletes = tuple(sorted(unwanted)) if tidied else ()
    return Foresight(
        tuple(bundles), fetch, now, now + fetch, now + fetch - sum(here[path] for path in deletes), deletes
    )


def _missing(here: Mapping[str, int], path: str, size: int) -> int:
    if here.get(path) == size:
        return 0
    begun = here.get(f"{path}{BEGUN}", 0)
    return size - begun if begun <= size else size
