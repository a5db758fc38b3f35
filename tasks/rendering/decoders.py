"""The sandboxes of rendering: which kinds there are, under which limits, and what their ends mean for an author.

What comes out is checked for its shape before anybody uses it: the code in there may have been taken over by a file.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import imageio_ffmpeg
from pydantic import TypeAdapter, ValidationError

from cluster import sandbox
from cluster.sandbox import IN, OUT, Job, Kind, Limits, Result
from cluster.settings import Settings
from content.errors import ContentError
from content.media import MediaLimits

T = TypeVar("T")
INSIDE = "tasks.rendering.inside"
ORIGINAL = "original"
_TOO_LARGE = "the result would be larger than is allowed"

# What `content.media` imports, whoever needs it; then each kind's own decoders.
_BASE = ("rfc8785", "webvtt", "ffmpeg", "future", "past")
_SOURCES = ("content", "tasks.rendering")
# Pillow imports these when it first meets a picture, and all forty of its formats where one of them is still missing:
# a quarter of a second in every job.
_PLUGINS = ("Avif", "Bmp", "Gif", "Jpeg", "Mpo", "Png", "Ppm", "Tiff", "WebP")
PICTURES = Kind(
    "pictures",
    preload=(
        INSIDE,
        "tasks.rendering.pictures",
        *(f"PIL.{name}ImagePlugin" for name in _PLUGINS),
    ),
    packages=(*_BASE, "PIL", "pillow.libs", "lxml"),
    sources=_SOURCES,
)
DOCUMENTS = Kind(
    "documents",
    preload=(INSIDE, "tasks.rendering.documents", "pypdfium2.raw", "PIL.WebPImagePlugin"),
    packages=(*_BASE, "PIL", "pillow.libs", "pypdfium2", "pypdfium2_raw", "pypdfium2_cfg"),
    sources=_SOURCES,
)
FILMS = Kind(
    "films",
    preload=(INSIDE, "tasks.rendering.films", "av.subtitles.stream"),
    packages=(*_BASE, "av", "av.libs"),
    sources=_SOURCES,
)


@functools.cache
def ffmpeg_path() -> str:
    """The ffmpeg binary that came with the installed package; it has the same path in the sandbox."""
    return imageio_ffmpeg.get_ffmpeg_exe()


@functools.cache
def encoder() -> Kind:
    """The kind that becomes ffmpeg."""
    return Kind("encoder", programs=(ffmpeg_path(),))


@dataclass(frozen=True)
class Decoding:
    """One original, the folder where results go, and the settings that bound the work. `watch` ends it by raising."""

    path: Path
    output: Path
    asset: str
    settings: Settings
    watch: Callable[[], None] | None = field(default=None)

    def call(
        self,
        kind: Kind,
        function: str,
        arguments: Mapping[str, Any],
        shape: type[T],
        *,
        results: tuple[str, ...] = (),
        on_share: Callable[[float], None] | None = None,
    ) -> T:
        """Call a function of `inside` with the original's path, and have its value in this shape.

        Raises the ContentError that the function raised, `sandbox-unavailable`, or `render-failed`.
        """
        settings = self.settings
        limits = Limits(
            settings.decode_memory_bytes,
            settings.decode_timeout_s,
            settings.render_max_output_bytes,
            settings.render_max_output_bytes,
        )
        job = Job(kind, limits, self.output, {ORIGINAL: self.path}, results, self.watch)
        known = {"path": f"{IN}/{ORIGINAL}", "asset": self.asset, **arguments}
        result = sandbox.call(job, f"{INSIDE}:{function}", known, settings, on_share)
        if result.refusal is not None:
            raise self._refused(result.refusal)
        if result.stopped or result.code != 0:
            raise self.failed(result)
        try:
            # Through JSON, since only there a strict check takes an object for a dataclass.
            return TypeAdapter(shape).validate_json(json.dumps(result.value), strict=True)
        except ValidationError as error:
            raise self._failed("the decoder gave an answer of another shape") from error

    def failed(self, result: Result) -> ContentError:
        """What the end of a sandbox by a limit, or of its code by itself, is called."""
        limit = self.settings.decode_timeout_s
        match result.stopped:
            case "time":
                return self._failed(f"it took longer than {limit:g} s", "Upload a smaller one.")
            case "output":
                return self._failed(_TOO_LARGE, "Upload a smaller one.")
            case "threads" | "answer":
                return self._failed("the decoder did what it never should")
            case "":
                said = result.said.splitlines()[-1] if result.said else ""
                return self._failed(f"the decoder ended with {result.code} {said[:300]}".strip(), retryable=True)

    def _refused(self, error: ContentError) -> ContentError:
        if error.code == "out-of-memory":
            return self._failed("it needs more memory than is allowed", "Upload a smaller one.")
        if error.code == "output-too-large":
            return self._failed(_TOO_LARGE, "Upload a smaller one.")
        return error

    def _failed(self, why: str, remedy: str = "", *, retryable: bool = False) -> ContentError:
        message = f"“{self.asset}” could not be made ready for playing: {why}."
        return ContentError("render-failed", message, remedy, retryable)


def media_limits(settings: Settings) -> MediaLimits:
    """The settings' limits on originals, as a value that goes wherever they are read."""
    return MediaLimits(
        image_pixels=settings.image_max_pixels,
        image_frames=settings.image_max_frames,
        video_pixels=settings.video_max_pixels,
        video_duration_s=settings.video_max_duration_s,
        audio_duration_s=settings.audio_max_duration_s,
        svg_bytes=settings.svg_max_bytes,
        svg_elements=settings.svg_max_elements,
    )


def target(name: str) -> str:
    """Where a result of this name is written, seen from inside."""
    return name if OUT == "." else f"{OUT}/{name}"
