"""One ffmpeg process in a sandbox of its own: its progress, and what its end means.

Its progress is read from its standard output (`-progress pipe:1`), what it said on standard error goes into the error.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from cluster import sandbox
from cluster.sandbox import IN, Job, Limits, Result
from content.errors import ContentError
from content.media import Recipe, ffmpeg_argv
from tasks.rendering.decoders import ORIGINAL, Decoding, encoder, ffmpeg_path, media_limits, target

_OUT_OF_MEMORY = ("Cannot allocate memory", "malloc of size", "get_buffer() failed")
_UNREADABLE = (
    "Invalid data found",
    "moov atom not found",
    "not in allowed_formats",
    "not on whitelist",
    "matches no streams",
)


def encode(decoding: Decoding, recipe: Recipe, name: str, duration_s: float, progress: Callable[[float], None]) -> None:
    """Follow a recipe by ffmpeg; the result is `decoding.output / name`. `progress` gets a rising share, 0–1.

    Raises ContentError `media-unreadable` if ffmpeg cannot read the original, `render-failed` for everything else.
    """
    settings, asset = decoding.settings, decoding.asset
    limits = Limits(
        settings.ffmpeg_memory_bytes,
        settings.ffmpeg_timeout_s,
        settings.render_max_output_bytes,
        settings.render_max_output_bytes,
    )
    job = Job(encoder(), limits, decoding.output, {ORIGINAL: decoding.path}, (name,), decoding.watch)
    argv = ffmpeg_argv(recipe, Path(IN, ORIGINAL), Path(target(name)), media_limits(settings))

    told = 0.0

    def report(line: bytes) -> None:
        nonlocal told
        word, _, value = line.partition(b"=")
        # `out_time_ms` is in microseconds too (ffmpeg ticket 7345), and either is "N/A" before the first frame.
        if word == b"out_time_us" and duration_s > 0 and len(value) < 20 and value.strip().isdigit():
            told = max(told, min(int(value) / 1e6 / duration_s, 0.999))  # its own time goes back when it flushes
            progress(told)

    result = sandbox.run(job, [ffmpeg_path(), *argv[1:]], settings, report)
    if result.stopped or result.code != 0:
        raise _refused(asset, result, settings.ffmpeg_timeout_s)
    progress(1.0)


def _refused(asset: str, result: Result, wall_s: float) -> ContentError:
    code, said = result.code, result.said
    if result.stopped == "time":
        return _failed(asset, f"it took longer than {wall_s:g} s", "", "Upload a shorter or smaller film.")
    # What runs out first is followed by complaints about everything else, also about the data: so limits come first.
    if result.stopped == "output" or code == -signal.SIGXFSZ or "File too large" in said:
        return _failed(asset, "the result would be larger than is allowed", said, "Upload a shorter film.")
    if result.stopped:
        return _failed(asset, "the encoder did what it never should", "", "")
    if any(sign in said for sign in _OUT_OF_MEMORY):
        return _failed(asset, "it needs more memory than is allowed", said, "Upload a smaller film.")
    if "Resource temporarily unavailable" in said:
        return _failed(asset, "memory or threads ran out", said, "", retryable=True)
    if any(sign in said for sign in _UNREADABLE):
        first = said.splitlines()[0]
        message = f"“{asset}” cannot be read as film or sound: {first}"
        return ContentError("media-unreadable", message, "Export it again, as MP4 for example, and upload it anew.")
    how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return _failed(asset, f"ffmpeg: {how}", said, "", retryable=code == -signal.SIGKILL)


def _failed(asset: str, why: str, said: str, remedy: str, *, retryable: bool = False) -> ContentError:
    end = f"; it said: {said[:300]} … {said[-300:]}" if len(said) > 600 else f"; it said: {said}" if said else ""
    return ContentError(
        "render-failed", f"“{asset}” could not be made ready for playing: {why}{end}.", remedy, retryable
    )
