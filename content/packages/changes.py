"""What changed from one version of a package to another, in the author's words: units, blocks, assets, and bytes.

Everything is known by the ids that the author gave, which last from version to version; a block with a new id is another
block. Of an imported package the files are compared, by their paths. Pure: two manifests in, a comparison out. Nothing here looks at texts or pictures themselves.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from content.bundles.stream import sealed_size
from content.media.choose import PROFILES
from content.packages.manifest import Manifest

Change = Literal["added", "removed", "changed", "moved"]


@dataclass(frozen=True)
class UnitChange:
    """`members`: which of its own members differ (its title), apart from its blocks."""

    id: str
    change: Change
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class BlockChange:
    """`unit`: where it is now, or where it was. `members`: what differs (`html`, `asset`, `questions` …), and `unit` if it stood in another one."""

    id: str
    unit: str
    type: str
    change: Change
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class AssetChange:
    """An original. `before` and `after`: bytes of all of its renditions. `source`: whether the author's file is another one;
    where it is not, only what was made of it is."""

    id: str
    change: Change
    source: bool
    before: int
    after: int


@dataclass(frozen=True)
class Fetch:
    """What a device of a profile that holds the older version fetches for the newer one, and what one without anything
    does: encrypted files and the manifest, without the index, in bytes."""

    profile: str
    update: int
    whole: int


@dataclass(frozen=True)
class Changes:
    """`metadata`: members of the course itself that differ, such as `title` or `theme`."""

    metadata: tuple[str, ...]
    units: tuple[UnitChange, ...]
    blocks: tuple[BlockChange, ...]
    assets: tuple[AssetChange, ...]
    fetches: tuple[Fetch, ...]

    @property
    def same(self) -> bool:
        return not (self.metadata or self.units or self.blocks or self.assets)


def compare(old: Manifest, new: Manifest) -> Changes:
    """From `old` to `new`, which may be the earlier one: what going back would change."""
    return Changes(
        _members(old.document["metadata"], new.document["metadata"]),
        _units(old, new),
        _blocks(old, new),
        _assets(old, new),
        tuple(_fetch(old, new, profile) for profile in PROFILES),
    )


def _members(old: Mapping[str, Any], new: Mapping[str, Any], apart: Sequence[str] = ()) -> tuple[str, ...]:
    names = sorted({*old, *new} - set(apart))
    return tuple(name for name in names if old.get(name) != new.get(name))


def _units(old: Manifest, new: Manifest) -> tuple[UnitChange, ...]:
    before, after = ({unit["id"]: unit for unit in _structure(each)} for each in (old, new))
    moved = _moved(list(before), list(after))
    found = [UnitChange(name, "removed") for name in before if name not in after]
    for name, unit in after.items():
        if name not in before:
            found.append(UnitChange(name, "added"))
        elif members := _members(before[name], unit, ("blocks",)):
            found.append(UnitChange(name, "changed", members))
        elif name in moved:
            found.append(UnitChange(name, "moved"))
    return tuple(found)


def _blocks(old: Manifest, new: Manifest) -> tuple[BlockChange, ...]:
    before, after = _placed(old), _placed(new)
    found = [
        BlockChange(name, unit, block["type"], "removed") for name, (unit, block) in before.items() if name not in after
    ]
    moved = set[str]()
    for unit in {unit for unit, _ in after.values()}:
        here = [[name for name, (place, _) in each.items() if place == unit] for each in (before, after)]
        moved |= _moved(*here)
    for name, (unit, block) in after.items():
        if name not in before:
            found.append(BlockChange(name, unit, block["type"], "added"))
            continue
        place, earlier = before[name]
        members, elsewhere = _members(earlier, block), ("unit",) if place != unit else ()
        if members or elsewhere or name in moved:
            change: Change = "changed" if members else "moved"
            found.append(BlockChange(name, unit, block["type"], change, members + elsewhere))
    return tuple(found)


def _assets(old: Manifest, new: Manifest) -> tuple[AssetChange, ...]:
    before, after = old.document["assets"], new.document["assets"]
    found: list[AssetChange] = []
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        change: Change = "added" if was is None else "removed" if now is None else "changed"
        source = was is None or now is None or _original(was) != _original(now)
        found.append(AssetChange(name, change, source, _bytes(was), _bytes(now)))
    return tuple(found)


def _fetch(old: Manifest, new: Manifest, profile: str) -> Fetch:
    held = {file.digest for file in old.files_for(profile)}
    files = {file.digest: file.size_bytes for file in new.files_for(profile)}
    manifest = sealed_size(len(new.to_bytes()))
    whole = manifest + sum(sealed_size(size) for size in files.values())
    fresh = sum(sealed_size(size) for digest, size in files.items() if digest not in held)
    return Fetch(profile, fresh + (manifest if old.document != new.document else 0), whole)


def _structure(manifest: Manifest) -> Sequence[Mapping[str, Any]]:
    return manifest.units


def _original(asset: Mapping[str, Any]) -> Any:
    """What the author gave: a file of an imported package is kept as it came, so nothing else says it."""
    return asset["source"] if "source" in asset else asset["renditions"]


def _placed(manifest: Manifest) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Block id → (unit's id, block), in the course's order."""
    return {block["id"]: (unit["id"], block) for unit in _structure(manifest) for block in unit["blocks"]}


def _moved(before: Sequence[str], after: Sequence[str]) -> set[str]:
    """Which of those in both stand elsewhere among one another: as few as explain the new order.

    They are what is outside a longest common subsequence; by patience sorting, since ids are unique.
    """
    place = {name: at for at, name in enumerate(before)}
    both = [name for name in after if name in place]
    tails: list[str] = []  # the last of the best sequence of each length
    behind: dict[str, str | None] = {}
    for name in both:
        low = bisect_left(tails, place[name], key=place.__getitem__)
        behind[name] = tails[low - 1] if low else None
        tails[low : low + 1] = [name]
    kept = set[str]()
    at = tails[-1] if tails else None
    while at is not None:
        kept.add(at)
        at = behind[at]
    return set(both) - kept


def _bytes(asset: Mapping[str, Any] | None) -> int:
    return sum({each["digest"]: each["size_bytes"] for each in (asset or {}).get("renditions", ())}.values())
