"""What was read from an original before anything is made of it.

Width and height are as shown: after EXIF orientation, a film's rotation and its pixel shape. Before: `tasks.render`
opens the file. After: `content.media.plan`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

PROBE_VERSION = 3  # raised when a probe says more or other things: older ones are not used again
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
    rate: str = ""  # pictures a second at which all of a film's times fit, as a fraction
    rotation: int = 0
    interlaced: bool = False
    transfer: str = ""  # of brightness: "pq" or "hlg" for high dynamic range, else ""
    matrix: str = ""  # of colour, as ffmpeg calls it, where the film does not say
    has_alpha: bool = False
    has_audio: bool = False
    channels: int = 0
    picture: int = -1  # the track that is shown, of all tracks in the file
    sound: int = -1  # the track that is heard
    gain_db: float = 0.0  # brings the sound to the target loudness
    limited: bool = False  # its peaks then have to be held back
    codec: str = ""
    audio_codec: str = ""
    size_bytes: int = 0
    missing_s: float = 0.0  # what the file promises and does not hold
    removed: str = ""  # what had to be left out of it, by name
    scenes: tuple[float, ...] = ()  # when stills of a film are taken
    unshown: str = ""  # of a PDF: why no picture of it could be made
    overlaps: int = 0  # of captions: cues that begin while an earlier one is shown
    overlap_s: float = 0.0  # when the first of them begins

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Probe:
        """The reverse of `dataclasses.asdict`, through JSON."""
        told: dict[str, Any] = {**facts, "scenes": tuple(facts.get("scenes", ()))}
        return cls(**told)

    @property
    def animated(self) -> bool:
        return self.kind == "image" and self.frames > 1
