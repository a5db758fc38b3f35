"""What is called inside the sandbox: JSON in, JSON out, files by path. Here and below it authors' bytes are parsed.

Imports of decoders stand in the functions: each kind of sandbox has its own ones loaded, and not the others'.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from content.errors import ContentError
from content.media import MediaLimits, Probe, made_at_once, plan, recipes
from content.media.captions import MAX_BYTES, Captions, read_captions
from content.media.probe import Kind
from content.media.sniff import HEAD_BYTES, is_svg, refuse_strangers


def probe(path: str, kind: Kind, limits: dict[str, Any], asset: str) -> dict[str, Any]:
    """A `Probe` as JSON. Raises ContentError `media-unreadable`, `media-unsupported`, `media-too-large` or
    `captions-unreadable`, naming `asset`."""
    file, most = Path(path), MediaLimits(**limits)
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    refuse_strangers(head, kind, asset)
    if kind == "captions":
        read = _captions(file, asset)
        found = Probe(
            kind,
            "text/vtt",
            duration_s=read.end_s,
            frames=read.cues,
            codec=read.encoding,
            size_bytes=file.stat().st_size,
            overlaps=len(read.overlaps),
            overlap_s=min(read.overlaps, default=0.0),
        )
        return asdict(found)
    if kind == "file":
        from tasks.rendering.documents import probe_pdf

        return asdict(probe_pdf(file, asset))
    if kind == "image" and is_svg(head):
        from tasks.rendering.vectors import probe_svg

        return asdict(probe_svg(file, most, asset))
    if kind == "image":
        from tasks.rendering.pictures import probe_image

        return asdict(probe_image(file, most, asset))
    from tasks.rendering.films import probe_film

    return asdict(probe_film(file, kind, most, asset))


def look(path: str, kind: Kind, targets: list[str], limits: dict[str, Any], asset: str) -> dict[str, Any]:
    """A `Probe` as JSON, after its renditions were made where that costs little (`made_at_once`): of its plan the first
    one is the first of `targets`, and so on."""
    found = probe(path, kind, limits, asset)
    seen = Probe.from_dict(found)
    if made_at_once(seen):
        _follow_all(dict(zip(targets, plan(kind, seen), strict=False)), path, limits, asset)
    return found


def _follow_all(wanted: dict[str, recipes.Recipe], path: str, limits: dict[str, Any], asset: str) -> None:
    """Follow all recipes of a plan; those of pictures of one size together."""
    sizes: dict[tuple[int, int], dict[Path, recipes.ImageRecipe | recipes.AvifRecipe]] = {}
    for target, recipe in wanted.items():
        if isinstance(recipe, (recipes.ImageRecipe, recipes.AvifRecipe)):
            sizes.setdefault((recipe.width, recipe.height), {})[Path(target)] = recipe
        else:
            _follow(recipe, path, target, limits, asset, lambda _: None)
    for together in sizes.values():
        from tasks.rendering.pictures import render_image

        render_image(Path(path), together, lambda _: None, MediaLimits(**limits), asset)


def follow(
    path: str,
    recipe: str,
    parameters: dict[str, Any],
    target: str,
    limits: dict[str, Any],
    asset: str,
    progress: Callable[[float], None],
) -> None:
    """Follow the recipe of this class and these parameters; the result is `target`."""
    _follow(getattr(recipes, recipe)(**parameters), path, target, limits, asset, progress)


def _follow(
    wanted: recipes.Recipe,
    path: str,
    target: str,
    limits: dict[str, Any],
    asset: str,
    progress: Callable[[float], None],
) -> None:
    if isinstance(wanted, (recipes.ImageRecipe, recipes.AvifRecipe)):
        from tasks.rendering.pictures import render_image

        render_image(Path(path), {Path(target): wanted}, progress, MediaLimits(**limits), asset)
    elif isinstance(wanted, recipes.SvgRecipe):
        from tasks.rendering.vectors import render_svg

        render_svg(Path(path), Path(target), MediaLimits(**limits), asset)
    elif isinstance(wanted, recipes.ThumbnailRecipe):
        from tasks.rendering.documents import render_thumbnail

        render_thumbnail(Path(path), wanted, Path(target), progress, asset)
    elif isinstance(wanted, recipes.CaptionsRecipe):
        Path(target).write_bytes(_captions(Path(path), asset).webvtt)
    else:
        raise TypeError(f"{wanted.name} is not followed here")


def describe(path: str, kind: Kind, limits: dict[str, Any], asset: str) -> dict[str, Any]:
    """Length in seconds and codecs (RFC 6381) of a film or sound of our own making: a taken-over encoder may have
    written it."""
    from tasks.rendering.films import codecs, probe_film

    film = probe_film(Path(path), kind, MediaLimits(**limits), asset)
    return {"duration_s": film.duration_s, "codecs": codecs(Path(path))}


def _captions(path: Path, asset: str) -> Captions:
    with path.open("rb") as captions:
        data = captions.read(MAX_BYTES + 1)
    try:
        return read_captions(data)
    except ContentError as error:
        raise ContentError(error.code, f"“{asset}”: {error.message}", error.remedy) from error
