"""The lite edition of a unit with films: what is said, stills of where the scene changes, captions and transcript.

For devices that have no room for the films themselves; the planner offers it before a unit has to go. Pictures are those of
a phone, whatever the profile; the rest of the unit is as it was. Before: a manifest whose films have the renditions for it
(`content.media.plan`). After: `content.packages.planner` chooses, `tasks.contents` packs.
"""

from __future__ import annotations

from typing import Final

from content.media.choose import LITE_ROLES, choose
from content.packages.assets import AssetFile
from content.packages.choices import Variant
from content.packages.manifest import Manifest
from content.packages.menu import Menu

LITE: Final = "lite"
LOSS: Final = 4.0
"""For each film of the unit: more than all rungs of its ladder (`content.packages.steps`), less than leaving the unit out."""
MOST_LOSS: Final = 9.0
_PHONE: Final = "phone"


def lite_variants(manifest: Manifest, menu: Menu) -> tuple[Variant, ...]:
    """One for each unit that has a film with stills, in the order of the course."""
    found: list[Variant] = []
    for unit, assets in menu.units.items():
        light = {asset: _files(manifest, asset) for asset in assets}
        films = sum(any(file.role == "still" for file in files) for files in light.values())
        if films:
            files = tuple(file for asset in assets for file in light[asset])
            found.append(Variant(unit, LITE, files, min(LOSS * films, MOST_LOSS)))
    return tuple(found)


def _files(manifest: Manifest, asset: str) -> tuple[AssetFile, ...]:
    renditions = manifest.renditions(asset)
    chosen = choose(renditions, _PHONE)
    if any(each.role == "still" for each in renditions):
        chosen = (
            *(each for each in chosen if each.role != "video"),
            *(each for each in renditions if each.role in LITE_ROLES),
        )
    return tuple(AssetFile(asset, each.role, each.media_type, each.digest, each.size_bytes) for each in chosen)
