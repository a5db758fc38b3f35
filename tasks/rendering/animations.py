"""Animated pictures: counted without decoding, and written frame by frame, so that one frame is in memory at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from PIL import Image

_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
_SHORTEST_MS, _USUAL_MS = 20, 100  # what is shorter, browsers show for a tenth of a second
_ONCE, _FOR_EVER = 1, 0


def count_frames(image: Image.Image, limit: int) -> int:
    """Frames of the picture, at most `limit` + 1: a GIF says nowhere how many there are, and counting costs time."""
    if image.format not in _ANIMATED:
        return 1
    if image.format != "GIF":
        return min(int(getattr(image, "n_frames", 1)), limit + 1)
    counter, count = cast("Any", image), 1
    # Pillow's own walk over the blocks of a GIF, which decodes nothing; its `n_frames` would walk to the end.
    while count <= limit:
        try:
            counter._seek(count, False)
        except EOFError:
            break
        count += 1
    counter.seek(0)
    return count


def save_animation(
    image: Image.Image,
    frames: int,
    plain: Callable[[Image.Image], Image.Image],
    target: Path,
    options: dict[str, int],
    progress: Callable[[float], None],
) -> None:
    """Write `frames` frames, each through `plain`, as a WebP with the original's times and number of rounds."""
    # The first picture of an APNG may be for those who cannot animate, and no part of the animation.
    first = 1 if image.info.get("default_image") else 0
    moving = _Moving(image, range(first, frames), plain, progress)
    moving.save(target, "WEBP", save_all=True, duration=moving.times_ms, loop=_rounds(image), **options)


class _Moving(Image.Image):
    """Stands where Pillow's encoder expects a picture with all its frames: they are made when it asks for them."""

    def __init__(
        self,
        image: Image.Image,
        numbers: range,
        plain: Callable[[Image.Image], Image.Image],
        progress: Callable[[float], None],
    ) -> None:
        super().__init__()
        self._image, self._numbers, self._plain, self._progress = image, numbers, plain, progress
        self.times_ms: list[int] = []  # of the frames so far; the encoder reads a frame's after it has taken it
        self.n_frames = len(numbers)
        self.seek(0)

    def seek(self, frame: int) -> None:
        if frame < len(self.times_ms):
            return  # the frame that is there, or the encoder's way back at its end
        self._image.seek(self._numbers[frame])
        made = self._plain(self._image.convert("RGBA"))
        self._im, self._mode, self._size = made.im, made.mode, made.size
        time_ms = int(self._image.info.get("duration") or 0)
        self.times_ms.append(time_ms if time_ms >= _SHORTEST_MS else _USUAL_MS)
        self._progress(0.9 * len(self.times_ms) / self.n_frames)

    def tell(self) -> int:
        return 0


def _rounds(image: Image.Image) -> int:
    """How often WebP is to play it: a GIF names the rounds after the first one, and none if it plays once."""
    if image.format == "AVIF":
        return _FOR_EVER
    rounds = image.info.get("loop")
    if rounds is None:
        return _ONCE
    return int(rounds) + 1 if image.format == "GIF" and rounds else int(rounds)
