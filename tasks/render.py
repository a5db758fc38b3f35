"""One original looked at, one rendition made: the only work of a build that costs time.

Plain functions on paths, without Ray and without storage: the build task fetches originals, wraps these as Ray tasks
(one per rendition), stores the results and removes the folder it handed in. Whatever parses an author's bytes, or what
an encoder made of them, runs in a sandbox (`tasks.rendering.inside`); this module only hands out the work. Same
original, recipe and toolchain give the same bytes on one type of machine.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import metadata
from pathlib import Path
from shutil import copyfile

import PIL
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]  # it has no stubs
from PIL import features

from cluster.settings import Settings
from content.errors import ContentError
from content.media import (
    MOST_AT_ONCE,
    AudioRecipe,
    AvifRecipe,
    CaptionsRecipe,
    ImageRecipe,
    PdfRecipe,
    PosterRecipe,
    Probe,
    Recipe,
    Rendition,
    StillRecipe,
    SvgRecipe,
    ThumbnailRecipe,
    VideoRecipe,
    made_at_once,
    plan,
)
from content.media.probe import Kind
from content.media.scenes import MIN_LITE_S
from content.media.sniff import HEAD_BYTES, is_pdf
from tasks.rendering.decoders import DOCUMENTS, FILMS, PICTURES, Decoding, ffmpeg_path, media_limits, target
from tasks.rendering.encoder import encode
from tasks.rendering.levels import levelled
from tasks.rendering.scenes import with_scenes

_SUFFIXES = {
    "image/webp": ".webp",
    "image/avif": ".avif",
    "application/pdf": ".pdf",
    "image/svg+xml": ".svg",
    "video/mp4": ".mp4",
    "audio/mp4": ".m4a",
    "audio/ogg": ".opus",
    "text/vtt": ".vtt",
}
_TIMED = (VideoRecipe, AudioRecipe)
_SIZED = (ImageRecipe, AvifRecipe, PosterRecipe, SvgRecipe, ThumbnailRecipe, VideoRecipe)


@dataclass(frozen=True)
class Rendered(Rendition):
    """A rendition and the file that holds it."""

    path: Path = field(kw_only=True)

    @property
    def rendition(self) -> Rendition:
        """Without the path: what the database and the manifest keep."""
        return Rendition(**{each.name: getattr(self, each.name) for each in fields(Rendition)})


@dataclass(frozen=True)
class _Described:
    duration_s: float
    codecs: str


def probe(path: Path, kind: Kind, settings: Settings | None = None, asset: str = "") -> Probe:
    """What the original is. Raises ContentError `media-unreadable`, `media-unsupported`, `media-too-large` or
    `captions-unreadable`, naming `asset`, or `sandbox-unavailable`."""
    settings = settings or Settings.load()
    decoding = Decoding(path, path.parent, asset or path.name, settings)
    if kind == "file":
        return _file(decoding)
    found = _looked_at(decoding, kind)
    if kind == "video" and found.duration_s >= MIN_LITE_S:
        found = with_scenes(decoding, found)
    return levelled(decoding, found) if found.has_audio else found


def look(
    path: Path,
    kind: Kind,
    workdir: Path,
    settings: Settings | None = None,
    asset: str = "",
    watch: Callable[[], None] | None = None,
) -> tuple[Probe, tuple[Rendered, ...]]:
    """What the original is, and its renditions in the order of its plan if they are made at once, else none.

    Files are made in `workdir` under the names of `render`. Raises as `probe` and `render` do; then no file is left.
    """
    settings, asset = settings or Settings.load(), asset or path.name
    if kind not in ("image", "captions"):
        return probe(path, kind, settings, asset), ()
    decoding = Decoding(path, workdir, asset, settings, watch)
    # The names are fixed before anything is known of the original: what comes out is agreed with the sandbox ahead.
    names = [f"made-{number}" for number in range(MOST_AT_ONCE)]
    arguments = {"kind": kind, "targets": [target(name) for name in names], "limits": asdict(media_limits(settings))}
    made: list[Rendered] = []
    try:
        found = decoding.call(PICTURES, "look", arguments, Probe, results=tuple(names))
        if made_at_once(found):
            for name, recipe in zip(names, plan(kind, found), strict=False):
                made.append(_described(decoding, recipe, _named(workdir, name, recipe)))
    except BaseException:
        for each in made:
            each.path.unlink(missing_ok=True)
        raise
    finally:
        for name in names:
            (workdir / name).unlink(missing_ok=True)
    return found, tuple(made)


def _named(workdir: Path, name: str, recipe: Recipe) -> Path:
    path = workdir / _file_name(recipe)
    if (workdir / name).exists():
        (workdir / name).rename(path)
    return path


def _file_name(recipe: Recipe) -> str:
    return f"{recipe.name}{_SUFFIXES.get(recipe.media_type, '')}"


def _file(decoding: Decoding) -> Probe:
    """A file is passed on as it is. Of a PDF a small picture is made too, if it can be: what stands in the way of that is
    kept, and never stops a build."""
    size = decoding.path.stat().st_size
    with decoding.path.open("rb") as opened:
        if not is_pdf(opened.read(HEAD_BYTES)):
            return Probe("file", "application/octet-stream", size_bytes=size)
    try:
        return _looked_at(decoding, "file")
    except ContentError as error:
        # What may go better another time is no fact about the file.
        if error.retryable or error.code not in ("media-unreadable", "render-failed"):
            raise
        return Probe("file", PdfRecipe.media_type, unshown=error.message, size_bytes=size)


def _looked_at(decoding: Decoding, kind: Kind) -> Probe:
    """A probe without the measures that cost more than a look."""
    arguments = {"kind": kind, "limits": asdict(media_limits(decoding.settings))}
    sandbox = {"video": FILMS, "audio": FILMS, "file": DOCUMENTS}.get(kind, PICTURES)
    return decoding.call(sandbox, "probe", arguments, Probe)


def render(
    path: Path,
    recipe: Recipe,
    workdir: Path,
    progress: Callable[[float], None],
    settings: Settings | None = None,
    asset: str = "",
    *,
    duration_s: float | None = None,
    watch: Callable[[], None] | None = None,
) -> Rendered:
    """Follow one recipe; the file is `workdir/{recipe name}{suffix}`. `progress` gets a rising share, 0–1.

    `duration_s`: what the original's probe said, if the caller has it. `watch` is called often; what it raises ends the
    work. Raises ContentError `media-unreadable`, `media-too-large`, `captions-unreadable` (the original's fault),
    `render-failed` or `sandbox-unavailable`; then no file is left.
    """
    settings, asset = settings or Settings.load(), asset or path.name
    decoding = Decoding(path, workdir, asset, settings, watch)
    name = _file_name(recipe)
    try:
        _follow(decoding, recipe, name, progress, duration_s)
        return _described(decoding, recipe, workdir / name)
    except BaseException:
        (workdir / name).unlink(missing_ok=True)
        raise


@functools.cache
def toolchain() -> str:
    """Names the encoders of this process: renditions and packages made with another are other ones."""
    with Path(ffmpeg_path()).open("rb") as binary:
        ffmpeg = hashlib.file_digest(binary, "sha256").hexdigest()[:12]
    pdfium = metadata.version("pypdfium2")
    pillow = f"pillow-{PIL.__version__}+libwebp-{features.version('webp')}+libavif-{features.version('avif')}"
    libxml2 = ".".join(str(each) for each in etree.LIBXML_VERSION)
    return f"ffmpeg-{ffmpeg}+{pillow}+libxml2-{libxml2}+pdfium-{pdfium}"


def _follow(
    decoding: Decoding, recipe: Recipe, name: str, progress: Callable[[float], None], duration_s: float | None
) -> None:
    if isinstance(recipe, (*_TIMED, PosterRecipe)):
        if duration_s is None:
            kind: Kind = "audio" if isinstance(recipe, AudioRecipe) else "video"
            duration_s = _looked_at(decoding, kind).duration_s
        encode(decoding, recipe, name, duration_s, progress)
        if isinstance(recipe, PosterRecipe) and recipe.at_s and not (decoding.output / name).exists():
            # Not every container can be entered at any time; its beginning is always there.
            encode(decoding, replace(recipe, at_s=0.0), name, duration_s, progress)
    elif isinstance(recipe, (ImageRecipe, AvifRecipe, SvgRecipe, CaptionsRecipe, ThumbnailRecipe)):
        arguments = {
            "recipe": type(recipe).__name__,
            "parameters": asdict(recipe),
            "target": target(name),
            "limits": asdict(media_limits(decoding.settings)),
        }
        sandbox = DOCUMENTS if isinstance(recipe, ThumbnailRecipe) else PICTURES
        decoding.call(sandbox, "follow", arguments, type(None), results=(name,), on_share=progress)
        progress(1.0)
    else:
        copyfile(decoding.path, decoding.output / name)
        progress(1.0)


def _described(decoding: Decoding, recipe: Recipe, made: Path) -> Rendered:
    size = made.stat().st_size if made.exists() else 0
    if size == 0 and recipe.role != "file":
        raise ContentError("render-failed", f"Nothing came of “{decoding.asset}” by the recipe {recipe.name}.")
    with made.open("rb") as file:
        found = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    base = Rendition(recipe.role, recipe.name, recipe.media_type, found, size)
    known = {each.name: getattr(base, each.name) for each in fields(Rendition)}
    if isinstance(recipe, _TIMED):
        kind: Kind = "audio" if isinstance(recipe, AudioRecipe) else "video"
        arguments = {"kind": kind, "limits": asdict(media_limits(decoding.settings))}
        known |= asdict(replace(decoding, path=made).call(FILMS, "describe", arguments, _Described))
        known |= {"bitrate": round(size * 8 / known["duration_s"]) if known["duration_s"] else None}
    if isinstance(recipe, StillRecipe):
        known |= {"at_s": recipe.at_s}
    if isinstance(recipe, _SIZED):
        known |= {"width": recipe.width, "height": recipe.height}
    return Rendered(**known, path=made)
