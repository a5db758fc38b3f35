"""How large an original may be, beyond which it is refused before it costs anything. The settings fill this in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MediaLimits:
    """Pixels count over all frames of a picture, and for one frame of a film; times in seconds, sizes in bytes."""

    image_pixels: int = 200_000_000
    image_frames: int = 2000
    video_pixels: int = 36_000_000
    video_duration_s: float = 4 * 3600.0
    audio_duration_s: float = 8 * 3600.0
    svg_bytes: int = 2 << 20
    svg_elements: int = 20_000
