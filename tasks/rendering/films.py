"""Films and sounds looked at through PyAV: what an original holds, and what became of it.

The same containers are read as by the encoder, and no others. A file is read to its end once, without decoding: only so
it shows that it was cut off, or how long it is where it does not say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.error import FFmpegError
from av.stream import Disposition

from content.errors import ContentError
from content.media import MediaLimits, Probe
from content.media.commands import CONTAINERS, PROTOCOLS
from content.media.probe import Kind
from tasks.rendering.headers import codec_names, is_cut_short

_OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": PROTOCOLS}
_MEDIA_TYPES = {"mov,mp4": "mp4", "matroska": "x-matroska", "webm": "webm", "avi": "x-msvideo"}
_STILLS = ("mjpeg", "png", "gif", "bmp", "webp", "tiff")
_TRANSFERS = {16: "pq", 18: "hlg"}  # ITU-T H.273, table 3
_UNKNOWN_MATRIX = 2
_HD_SIDE = 720  # who says nothing of colour means BT.709 from here on, BT.601 below
_MAX_PIXEL_SHAPE = 8
# Containers that say how long they are before their content; the rest is estimated or written last.
_PROMISING = ("mov,", "matroska", "avi")
MAX_MISSING, SLACK_S = 0.05, 0.25
_REMEDY = "Export it again, as MP4 for example, and upload it anew."


def probe_film(path: Path, kind: Kind, limits: MediaLimits, asset: str) -> Probe:
    """What the container says, and the first picture. Raises ContentError `media-unreadable`, `media-truncated` or
    `media-too-large`."""
    try:
        with av.open(f"file:{path}", options=_OPTIONS) as container:
            found = _read(cast("Any", container), path, kind, limits, asset)
        return _whole(path, found, asset)
    except (FFmpegError, ValueError, OSError) as error:
        if is_cut_short(path):
            raise _truncated(asset, "the end of the file is missing") from error
        why = str(error).split(" avcodec_")[0].split(": 'file:")[0]
        message = f"“{asset}” cannot be read as {'film' if kind == 'video' else 'sound'}: {why}."
        raise ContentError("media-unreadable", message, _REMEDY) from error


def codecs(path: Path) -> str:
    """The RFC 6381 codecs string of a file of our own making, such as `avc1.4D401E, mp4a.40.2`."""
    found: list[str] = []
    with av.open(f"file:{path}", options=_OPTIONS) as container:
        for stream in cast("Any", container).streams:
            if stream.codec_context.name == "h264":
                # avcC (ISO 14496-15 §5.3.3.1): version, then profile, compatibility and level, one byte each.
                found.append("avc1." + bytes(stream.codec_context.extradata[1:4]).hex().upper())
            elif stream.codec_context.name == "aac":
                found.append("mp4a.40.2")
            elif stream.codec_context.name in ("opus", "libopus"):
                found.append("opus")
    return ", ".join(found)


def _read(container: Any, path: Path, kind: Kind, limits: MediaLimits, asset: str) -> Probe:
    picture = _chosen(each for each in container.streams.video if not _is_cover(each))
    sound = _chosen(container.streams.audio)
    if kind == "video" and picture is None:
        raise ValueError(
            "it has sound but no picture; use it in an audio block" if sound else "it has no picture in it"
        )
    if kind == "audio" and sound is None:
        raise ValueError("it has no sound in it")
    for track, what in ((picture if kind == "video" else None, "pictures"), (sound, "sound")):
        if track is not None and track.codec_context is None:
            names = ", ".join(codec_names(path)) or "no name"
            raise ValueError(f"its {what} are in a codec that is not known here (the file names {names})")
    probe = Probe(
        kind=kind,
        media_type=_media_type(container.format.name, kind),
        duration_s=round(container.duration / 1_000_000, 3) if container.duration else 0.0,
        has_audio=sound is not None,
        channels=int(sound.codec_context.channels) if sound else 0,
        sound=sound.index if sound else -1,
        audio_codec=sound.codec_context.name if sound else "",
        size_bytes=path.stat().st_size,
    )
    longest = limits.video_duration_s if kind == "video" else limits.audio_duration_s
    if probe.duration_s > longest:
        message = f"“{asset}” runs for {probe.duration_s / 3600:.1f} hours; at most {longest / 3600:g} are taken."
        raise ContentError("media-too-large", message, "Cut it into parts.")
    return probe if kind == "audio" else _pictured(container, picture, probe, limits, asset)


def _pictured(container: Any, track: Any, probe: Probe, limits: MediaLimits, asset: str) -> Probe:
    """With what the track of pictures says, and its first picture, which is decoded here."""
    context = track.codec_context
    if context.width * context.height > limits.video_pixels:
        raise _too_many_pixels(asset, limits)
    context.options = {"max_pixels": str(limits.video_pixels)}  # the pictures may be larger than the container says
    first = next(iter(container.decode(track)), None)
    if first is None:
        raise ValueError("not one picture of it can be decoded")
    width, height = first.width, first.height
    shape = Fraction(track.sample_aspect_ratio or 1)
    if 1 / _MAX_PIXEL_SHAPE <= shape <= _MAX_PIXEL_SHAPE:
        width = max(1, round(width * shape))
    rotation = int(first.rotation or 0) % 360
    if rotation in (90, 270):
        width, height = height, width
    told = int(first.colorspace or 0) not in (0, _UNKNOWN_MATRIX) or first.format.name.startswith(("rgb", "bgr", "gbr"))
    hd = max(width, height) >= _HD_SIDE * 16 // 9 or min(width, height) >= _HD_SIDE
    return replace(
        probe,
        width=width,
        height=height,
        frames=track.frames,
        fps=round(float(track.average_rate or track.guessed_rate or 0), 3),
        rate=str(track.base_rate or track.average_rate or ""),
        rotation=rotation,
        interlaced=bool(first.interlaced_frame),
        transfer=_TRANSFERS.get(int(first.color_trc or 0), ""),
        matrix="" if told else "bt709" if hd else "smpte170m",
        codec=context.name,
        picture=track.index,
    )


def _whole(path: Path, probe: Probe, asset: str) -> Probe:
    """With the length that is there. Raises `media-truncated` if the file promises much more than that."""
    with av.open(f"file:{path}", options=_OPTIONS) as opened:
        container = cast("Any", opened)
        main = container.streams[probe.picture if probe.kind == "video" else probe.sound]
        extents = _extents(container, [each for each in (probe.picture, probe.sound) if each >= 0])
        begin, end = min(each[0] for each in extents.values()), max(each[1] for each in extents.values())
        promised, there = 0.0, end - begin
        if container.format.name.startswith(_PROMISING):
            promised = probe.duration_s
            if main.duration:
                promised, there = float(main.duration * main.time_base), extents[main.index][1] - extents[main.index][0]
    missing = max(0.0, promised - there)
    if missing > MAX_MISSING * promised + SLACK_S:
        raise _truncated(asset, f"{there:.1f} of {promised:.1f} seconds are there")
    missing = missing if missing > SLACK_S else 0.0
    duration = end - begin if missing or not probe.duration_s else probe.duration_s
    return replace(probe, duration_s=round(duration, 3), missing_s=round(missing, 3))


def _extents(container: Any, tracks: list[int]) -> dict[int, tuple[float, float]]:
    """For each of these tracks, when its first packet begins and its last one ends, in seconds."""
    extents: dict[int, tuple[float, float]] = {}
    try:
        for packet in container.demux([container.streams[each] for each in tracks]):
            if packet.pts is None or packet.size == 0:
                continue
            begin = float(packet.pts * packet.time_base)
            end = begin + float((packet.duration or 0) * packet.time_base)
            known = extents.get(packet.stream_index, (begin, end))
            extents[packet.stream_index] = min(known[0], begin), max(known[1], end)
    except FFmpegError:
        pass  # what comes after a broken place is not there
    return {each: extents.get(each, (0.0, 0.0)) for each in tracks}


def _chosen(tracks: Iterable[Any]) -> Any | None:
    """The track that a player takes: marked as the default one, else the first; what can be decoded before the rest."""
    every = list(tracks)
    known = [each for each in every if each.codec_context is not None] or every
    marked = [each for each in known if each.disposition & Disposition.default]
    return next(iter(marked or known), None)


def _is_cover(stream: Any) -> bool:
    if stream.disposition & Disposition.attached_pic:
        return True
    context = stream.codec_context
    return context is not None and context.name in _STILLS and stream.frames == 1


def _media_type(container: str, kind: Kind) -> str:
    known = next((name for start, name in _MEDIA_TYPES.items() if container.startswith(start)), container.split(",")[0])
    return f"{kind}/{known}"


def _too_many_pixels(asset: str, limits: MediaLimits) -> ContentError:
    message = f"“{asset}” has more than {limits.video_pixels // 1_000_000} million pixels in a picture."
    return ContentError("media-too-large", message, "Upload a smaller one.")


def _truncated(asset: str, why: str) -> ContentError:
    remedy = "Upload it again; an upload or an export was probably interrupted."
    return ContentError("media-truncated", f"“{asset}” was cut off: {why}.", remedy)
