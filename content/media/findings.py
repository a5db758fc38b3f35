"""What an author should know about an original, though it does not stop the build."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from content.errors import Problem
from content.media.captions import GUESSED
from content.media.probe import Probe

LARGE_VIDEO_SIDE = 2160  # 4K: its shorter side
SMALL_IMAGE_WIDTH = 320
LONG_VIDEO_S = 3600


def findings(asset: str, probe: Probe, pointers: Sequence[str]) -> Iterator[Problem]:
    """Warnings about one original, placed where the draft names it first."""
    pointer = pointers[0] if pointers else ""
    if probe.kind == "video" and min(probe.width, probe.height) >= LARGE_VIDEO_SIDE:
        message = f"“{asset}” is a 4K film; devices get it much smaller, and a smaller upload would build faster."
        yield Problem(pointer, "video-4k", message, "warning")
    if probe.kind == "video" and probe.duration_s > LONG_VIDEO_S:
        message = f"“{asset}” runs for {probe.duration_s / 60:.0f} minutes; shorter films are easier to learn from."
        yield Problem(pointer, "video-long", message, "warning")
    if probe.kind == "captions" and probe.codec == GUESSED:
        message = (
            f"“{asset}” is not in UTF-8; it was read as {GUESSED}. See whether accents and quotation marks are right, or "
            "save it as UTF-8."
        )
        yield Problem(pointer, "captions-encoding", message, "warning")
    if probe.overlaps:
        others = f", and so do {probe.overlaps - 1} more" if probe.overlaps > 1 else ""
        message = (
            f"The captions “{asset}” show two cues at once from {clock(probe.overlap_s)}: one begins before the one in "
            f"front of it has ended{others}. End each cue where the next begins."
        )
        yield Problem(pointer, "captions-overlap", message, "warning")
    if probe.unshown:
        message = f"No picture could be made of the PDF: {probe.unshown} Learners get the file as it is."
        yield Problem(pointer, "pdf-unreadable", message, "warning")
    if probe.missing_s:
        message = (
            f"“{asset}” ends {probe.missing_s:.1f} s before it says; its upload or export may have been cut short."
        )
        yield Problem(pointer, "media-incomplete", message, "warning")
    if probe.removed:
        message = f"Left out of “{asset}”, since pictures here may not hold it: {probe.removed}. See how it looks now."
        yield Problem(pointer, "svg-reduced", message, "warning")
    if probe.kind == "image" and probe.width < SMALL_IMAGE_WIDTH and probe.codec != "svg":
        message = f"“{asset}” is only {probe.width} pixels wide and will look coarse."
        yield Problem(pointer, "image-small", message, "warning")


def clock(seconds: float) -> str:
    """A time in a film as players show it, in minutes and whole seconds."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
