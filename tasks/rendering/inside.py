"""What is called inside the sandbox: JSON in, JSON out, files by path. Here and below it authors' bytes are parsed.

Imports of decoders stand in the functions: each kind of sandbox has its own ones loaded, and not the others'.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from content.errors import ContentError
from content.media import recipes
from content.media.probe import Kind


def probe(path: str, kind: Kind, max_pixels: int, asset: str) -> dict[str, Any]:
    """A `Probe` as JSON. Raises ContentError `media-unreadable` or `media-too-large`, naming `asset`."""
    if kind == "image":
        from tasks.rendering.pictures import probe_image

        return asdict(probe_image(Path(path), max_pixels, asset))
    from tasks.rendering.films import probe_film

    return asdict(probe_film(Path(path), kind, max_pixels, asset))


def follow(
    path: str,
    recipe: str,
    parameters: dict[str, Any],
    target: str,
    max_pixels: int,
    asset: str,
    progress: Callable[[float], None],
) -> None:
    """Follow the recipe of this class and these parameters; the result is `target`."""
    wanted = getattr(recipes, recipe)(**parameters)
    if isinstance(wanted, recipes.ImageRecipe):
        from tasks.rendering.pictures import render_image

        render_image(Path(path), wanted, Path(target), progress, max_pixels, asset)
    elif isinstance(wanted, recipes.CaptionsRecipe):
        _captions(Path(path), Path(target), asset)
    else:
        raise TypeError(f"{recipe} is not followed here")


def describe(path: str, kind: Kind, max_pixels: int, asset: str) -> dict[str, Any]:
    """Length in seconds and codecs (RFC 6381) of a film or sound of our own making: a taken-over encoder may have
    written it."""
    from tasks.rendering.films import codecs, probe_film

    film = probe_film(Path(path), kind, max_pixels, asset)
    return {"duration_s": film.duration_s, "codecs": codecs(Path(path))}


def _captions(path: Path, target: Path, asset: str) -> None:
    from content.media.captions import MAX_BYTES, to_webvtt

    with path.open("rb") as captions:
        data = captions.read(MAX_BYTES + 1)
    try:
        target.write_bytes(to_webvtt(data))
    except ContentError as error:
        raise ContentError(error.code, f"“{asset}”: {error.message}", error.remedy) from error
