"""Which rendition a device gets: one per role of an asset, by the device's profile.

Before: the renditions of one asset, from the manifest. After: the bundler packs the files chosen here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from content.errors import ContentError
from content.media.recipes import AvifRecipe, ImageRecipe, OpusRecipe
from content.media.renditions import Rendition


@dataclass(frozen=True)
class Profile:
    """How large a picture (its width) and a film (its shorter side) a device of this sort shows well, in pixels."""

    name: str
    image_width: int
    video_side: int


_NO_LIMIT = 1 << 30
# Of the same role there is always another one, which every player shows: AAC, WebP.
LITE_ROLES = frozenset(("still", "audio"))
"""Of a film: what stands in for it in a lite edition (`content.packages.lite`)."""
NOT_EVERYWHERE = frozenset((OpusRecipe.media_type, AvifRecipe.media_type))
PROFILES = {
    profile.name: profile
    for profile in (Profile("phone", 960, 240), Profile("tablet", 1280, 480), Profile("desktop", _NO_LIMIT, _NO_LIMIT))
}


def choose(renditions: Iterable[Rendition], profile: str) -> tuple[Rendition, ...]:
    """The largest rendition of each role that the profile allows, or the smallest there is; in order of role. Of sounds
    and pictures the one that every player can show: a bundle carries one, and nobody knows yet what will open it. Of films
    nothing that only stands in for them. Of an embedded package every file, since each expects the others.

    Raises ContentError `unknown-profile`.
    """
    if profile not in PROFILES:
        known = ", ".join(PROFILES)
        raise ContentError("unknown-profile", f"There is no device profile “{profile}”.", f"Use one of {known}.")
    by_role: dict[str, list[Rendition]] = {}
    placed: list[Rendition] = []
    for rendition in renditions:
        if rendition.package_path is not None:
            placed.append(rendition)
        else:
            by_role.setdefault(rendition.role, []).append(rendition)
    skipped = LITE_ROLES if "video" in by_role else frozenset[str]()
    return (*(_best(by_role[role], PROFILES[profile]) for role in sorted(by_role.keys() - skipped)), *placed)


def worth_keeping(renditions: Iterable[Rendition]) -> tuple[Rendition, ...]:
    """Without the AVIF pictures that take no less than the WebP of their width."""
    made = tuple(renditions)
    webp = {each.width: each.size_bytes for each in made if each.media_type == ImageRecipe.media_type}
    return tuple(
        each
        for each in made
        if each.media_type != AvifRecipe.media_type or each.size_bytes < webp.get(each.width, each.size_bytes + 1)
    )


def ladder(renditions: Iterable[Rendition], chosen: Rendition) -> tuple[Rendition, ...]:
    """What a device may have in the place of `chosen`, itself first, then each smaller one: of the same role and type, with
    less to see or hear, in fewer bytes."""
    rungs = [chosen]
    if chosen.package_path is not None:
        return (chosen,)
    below = [each for each in renditions if (each.role, each.media_type) == (chosen.role, chosen.media_type)]
    for each in sorted(below, key=lambda each: (-measure(each), each.size_bytes, each.digest)):
        if measure(each) < measure(rungs[-1]) and each.size_bytes < rungs[-1].size_bytes:
            rungs.append(each)
    return tuple(rungs)


def measure(rendition: Rendition) -> int:
    """How much there is to see or hear: pixels, else bits a second, else bytes."""
    return (rendition.width or 0) * (rendition.height or 0) or rendition.bitrate or rendition.size_bytes


def _best(candidates: list[Rendition], profile: Profile) -> Rendition:
    # The digest last, so that equals are told apart the same way everywhere.
    ordered = sorted(
        candidates,
        key=lambda each: (_size(each), each.media_type not in NOT_EVERYWHERE, each.size_bytes, each.digest),
    )
    fitting = [each for each in ordered if _size(each) <= _limit(each, profile)]
    return fitting[-1] if fitting else ordered[0]


def _size(rendition: Rendition) -> int:
    width, height = rendition.width or 0, rendition.height or 0
    return min(width, height) if rendition.role == "video" else width


def _limit(rendition: Rendition, profile: Profile) -> int:
    return profile.video_side if rendition.role == "video" else profile.image_width
