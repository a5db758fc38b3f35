"""Films and sounds looked at through PyAV: what an original holds, and what became of it.

The same containers are read as by the encoder, and no others.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.error import FFmpegError

from content.errors import ContentError
from content.media import MediaLimits, Probe
from content.media.commands import CONTAINERS, PROTOCOLS
from content.media.probe import Kind

_OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": PROTOCOLS}
_MEDIA_TYPES = {"mov,mp4": "mp4", "matroska": "x-matroska", "webm": "webm", "avi": "x-msvideo"}


def probe_film(path: Path, kind: Kind, limits: MediaLimits, asset: str) -> Probe:
    """What the container says, and the first pictures if it says too little. Raises ContentError `media-unreadable`,
    `media-too-large`."""
    try:
        with av.open(f"file:{path}", options=_OPTIONS) as container:
            return _checked(_read(cast("Any", container), path, kind), limits, asset)
    except (FFmpegError, ValueError, OSError) as error:
        message = f"“{asset}” cannot be read as {'film' if kind == 'video' else 'sound'}: {error}"
        remedy = "Export it again, as MP4 for example, and upload it anew."
        raise ContentError("media-unreadable", message, remedy) from error


def codecs(path: Path) -> str:
    """The RFC 6381 codecs string of an MP4 of our own making, such as `avc1.4D401E, mp4a.40.2`."""
    found: list[str] = []
    with av.open(f"file:{path}", options=_OPTIONS) as container:
        for stream in cast("Any", container).streams:
            if stream.codec_context.name == "h264":
                # avcC (ISO 14496-15 §5.3.3.1): version, then profile, compatibility and level, one byte each.
                found.append("avc1." + bytes(stream.codec_context.extradata[1:4]).hex().upper())
            elif stream.codec_context.name == "aac":
                found.append("mp4a.40.2")
    return ", ".join(found)


def _read(container: Any, path: Path, kind: Kind) -> Probe:
    # A cover picture of a sound file also is a video stream, of a picture codec.
    pictures = [each for each in container.streams.video if not _is_cover(each)]
    sounds = list(container.streams.audio)
    if kind == "video" and not pictures:
        raise ValueError("it has no picture in it")
    if kind == "audio" and not sounds:
        raise ValueError("it has no sound in it")
    sound = sounds[0].codec_context if sounds else None
    base = {
        "kind": kind,
        "media_type": _media_type(container.format.name, kind),
        "duration_s": _duration(container, pictures if kind == "video" else sounds),
        "has_audio": bool(sounds),
        "channels": int(sound.channels) if sound else 0,
        "audio_codec": sound.name if sound else "",
        "size_bytes": path.stat().st_size,
    }
    if kind == "audio":
        return Probe(**base)
    picture = pictures[0]
    width, height, rotation = _shown(container, picture)
    fps = round(float(picture.average_rate or picture.guessed_rate or 0), 3)
    codec = picture.codec_context.name
    return Probe(**base, width=width, height=height, frames=picture.frames, fps=fps, rotation=rotation, codec=codec)


def _shown(container: Any, stream: Any) -> tuple[int, int, int]:
    """Width and height as a player shows them, and by how much it turns the coded picture."""
    width, height = stream.codec_context.width, stream.codec_context.height
    shape = Fraction(stream.sample_aspect_ratio or 1)
    if shape > 0:
        width = max(1, round(width * shape))
    # PyAV tells a rotation only with a decoded frame.
    first = next(iter(container.decode(stream)), None)
    rotation = int(getattr(first, "rotation", 0) or 0) % 360
    return (height, width, rotation) if rotation in (90, 270) else (width, height, rotation)


def _duration(container: Any, streams: list[Any]) -> float:
    if container.duration:
        return round(container.duration / 1_000_000, 3)
    stream = streams[0]
    return round(float(stream.duration * stream.time_base), 3) if stream.duration else 0.0


def _is_cover(stream: Any) -> bool:
    return stream.codec_context.name in ("mjpeg", "png", "gif", "bmp", "webp") and stream.frames <= 1


def _media_type(container: str, kind: Kind) -> str:
    known = next((name for start, name in _MEDIA_TYPES.items() if container.startswith(start)), container.split(",")[0])
    return f"{kind}/{known}"


def _checked(probe: Probe, limits: MediaLimits, asset: str) -> Probe:
    if probe.width * probe.height > limits.video_pixels:
        message = f"“{asset}” has more than {limits.video_pixels // 1_000_000} million pixels in a picture."
        raise ContentError("media-too-large", message, "Upload a smaller one.")
    return probe
