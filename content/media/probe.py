"""What was read from an original before anything is made of it.

Width and height are as shown: after EXIF orientation, a film's rotation and its pixel shape. Before: `tasks.render`
opens the file. After: `content.media.plan`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["image", "video", "audio", "captions", "file"]


@dataclass(frozen=True)
class Probe:
    """Sizes in pixels, times in seconds; 0 or "" where the kind has no such thing or the file does not say."""

    kind: Kind
    media_type: str
    width: int = 0
    height: int = 0
    duration_s: float = 0.0
    frames: int = 0
    fps: float = 0.0
    rotation: int = 0
    has_alpha: bool = False
    has_audio: bool = False
    channels: int = 0
    codec: str = ""
    audio_codec: str = ""
    size_bytes: int = 0
    removed: str = ""  # what had to be left out of it, by name

    @property
    def animated(self) -> bool:
        return self.kind == "image" and self.frames > 1
