"""Where a film changes its scene: what ffmpeg wrote about its key frames, and which of them become stills.

Only key frames are looked at: encoders set one where the picture changes, and decoding the others would cost as much as
playing the film. Before: `tasks.rendering.scenes` has run the `SceneRecipe`. After: the times stand in the probe, and
`content.media.plan` makes a still of each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_STILLS = 12
STILL_EVERY_S = 15.0  # a film of a minute has four at most
MIN_GAP_S = 4.0  # a shorter scene is no more than a glance
MIN_LITE_S = 20.0  # a shorter film costs little, and has no lite edition
MAX_READ_BYTES = 8 << 20
MIN_CHANGE = 8.0  # of brightness, in per cent of its range; what moves within a scene stays below that mostly
_LINE = re.compile(
    rb"pts_time:(\d{1,9}(?:\.\d{1,9})?)[^\n]*\n(?:[^\n]*\n){0,4}?lavfi\.scd\.mafd=(\d{1,3}(?:\.\d{1,9})?)"
)


@dataclass(frozen=True)
class Scene:
    """A key frame: when it is shown, in seconds, and how much it differs from the one before (0 to 100)."""

    at_s: float
    change: float


def parse_scenes(written: bytes) -> list[Scene]:
    """What ffmpeg's filters `scdet` and `metadata` wrote: of each frame a line with its time, then one with its change."""
    return [Scene(float(at), float(change)) for at, change in _LINE.findall(written)]


def pick_scenes(found: list[Scene], duration_s: float) -> tuple[float, ...]:
    """When stills are taken: at the first frame, and at those that differ most, MIN_GAP_S from each other and from the
    film's end, at most MAX_STILLS and one for each STILL_EVERY_S."""
    if not found:
        return (0.0,)
    first = min(found, key=lambda each: each.at_s)
    picked = [first.at_s]
    most = min(MAX_STILLS, max(2, int(duration_s / STILL_EVERY_S)))
    changed = [each for each in found if each.change >= MIN_CHANGE and each.at_s <= duration_s - MIN_GAP_S]
    for each in sorted(changed, key=lambda each: (-each.change, each.at_s)):
        if len(picked) < most and all(abs(each.at_s - other) >= MIN_GAP_S for other in picked):
            picked.append(each.at_s)
    return tuple(round(at, 3) for at in sorted(picked))
