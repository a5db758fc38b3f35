"""One original looked at, one rendition made: the only work of a build that costs time.

Plain functions on paths, without Ray and without storage: the build task fetches originals, wraps these as Ray tasks
(one per rendition), stores the results and removes the folder it handed in. Same original, recipe and toolchain give
the same bytes on one type of machine.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from shutil import copyfile

import PIL
from PIL import features

from cluster.settings import Settings
from content.errors import ContentError
from content.media import (
    AudioRecipe,
    CaptionsRecipe,
    ImageRecipe,
    PosterRecipe,
    Probe,
    Recipe,
    Rendition,
    VideoRecipe,
    ffmpeg_argv,
    to_webvtt,
)
from content.media.captions import MAX_BYTES
from content.media.probe import Kind
from tasks.rendering.encoder import Limits, encode, ffmpeg_path
from tasks.rendering.films import codecs, probe_film
from tasks.rendering.pictures import probe_image, render_image

_SUFFIXES = {"image/webp": ".webp", "video/mp4": ".mp4", "audio/mp4": ".m4a", "text/vtt": ".vtt"}
_TIMED = (VideoRecipe, AudioRecipe)


@dataclass(frozen=True)
class Rendered(Rendition):
    """A rendition and the file that holds it."""

    path: Path = field(kw_only=True)

    @property
    def rendition(self) -> Rendition:
        """Without the path: what the database and the manifest keep."""
        return Rendition(**{each.name: getattr(self, each.name) for each in fields(Rendition)})


def probe(path: Path, kind: Kind, settings: Settings | None = None, asset: str = "") -> Probe:
    """What the original is. Raises ContentError `media-unreadable` or `media-too-large`, naming `asset`."""
    settings, asset = settings or Settings.load(), asset or path.name
    if kind == "image":
        return probe_image(path, settings.image_max_pixels, asset)
    if kind in ("video", "audio"):
        return probe_film(path, kind, settings.image_max_pixels, asset)
    media_type = "text/vtt" if kind == "captions" else "application/octet-stream"
    return Probe(kind=kind, media_type=media_type, size_bytes=path.stat().st_size)


def render(
    path: Path,
    recipe: Recipe,
    workdir: Path,
    progress: Callable[[float], None],
    settings: Settings | None = None,
    asset: str = "",
) -> Rendered:
    """Follow one recipe; the file is `workdir/{recipe name}{suffix}`. `progress` gets a rising share, 0–1.

    Raises ContentError `media-unreadable`, `media-too-large`, `captions-unreadable` (the original's fault) or
    `render-failed`; then no file is left.
    """
    settings, asset = settings or Settings.load(), asset or path.name
    target = workdir / f"{recipe.name}{_SUFFIXES.get(recipe.media_type, '')}"
    try:
        _follow(path, recipe, target, progress, settings, asset)
        return _described(target, recipe, settings, asset)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


@functools.cache
def toolchain() -> str:
    """Names the encoders of this process: renditions and packages made with another are other ones."""
    with Path(ffmpeg_path()).open("rb") as binary:
        ffmpeg = hashlib.file_digest(binary, "sha256").hexdigest()[:12]
    return f"ffmpeg-{ffmpeg}+pillow-{PIL.__version__}+libwebp-{features.version('webp')}"


def _follow(
    path: Path, recipe: Recipe, target: Path, progress: Callable[[float], None], settings: Settings, asset: str
) -> None:
    if isinstance(recipe, ImageRecipe):
        render_image(path, recipe, target, progress, settings.image_max_pixels, asset)
    elif isinstance(recipe, (*_TIMED, PosterRecipe)):
        length = probe(path, "audio" if isinstance(recipe, AudioRecipe) else "video", settings, asset).duration_s
        limits = Limits(settings.ffmpeg_memory_bytes, settings.render_max_output_bytes, settings.ffmpeg_timeout_s)
        encode(ffmpeg_argv(recipe, path.absolute(), target.absolute()), length, progress, limits, asset)
    elif isinstance(recipe, CaptionsRecipe):
        with path.open("rb") as captions:
            target.write_bytes(_captions(captions.read(MAX_BYTES + 1), asset))
        progress(1.0)
    else:
        copyfile(path, target)
        progress(1.0)


def _captions(data: bytes, asset: str) -> bytes:
    try:
        return to_webvtt(data)
    except ContentError as error:
        raise ContentError(error.code, f"“{asset}”: {error.message}", error.remedy) from error


def _described(target: Path, recipe: Recipe, settings: Settings, asset: str) -> Rendered:
    size = target.stat().st_size if target.exists() else 0
    if size == 0 and recipe.role != "file":
        raise ContentError("render-failed", f"Nothing came of “{asset}” by the recipe {recipe.name}.")
    with target.open("rb") as made:
        found = f"sha256:{hashlib.file_digest(made, 'sha256').hexdigest()}"
    base = Rendition(recipe.role, recipe.name, recipe.media_type, found, size)
    known = {each.name: getattr(base, each.name) for each in fields(Rendition)}
    if isinstance(recipe, _TIMED):
        film = probe(target, "audio" if isinstance(recipe, AudioRecipe) else "video", settings, asset)
        known |= {"codecs": codecs(target), "duration_s": film.duration_s}
        known |= {"bitrate": round(size * 8 / film.duration_s) if film.duration_s else None}
    if isinstance(recipe, (ImageRecipe, PosterRecipe, VideoRecipe)):
        known |= {"width": recipe.width, "height": recipe.height}
    return Rendered(**known, path=target)
