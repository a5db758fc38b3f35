"""The demo course built on the pools: processor time against ffmpeg and Pillow run bare, again without a change, on one core."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import uuid
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from bench import processor
from bench.build import render, together
from bench.course import publish, published
from bench.results import Result, at_most, fact
from bench.stack import new_tenant
from cluster.connections import Connections
from cluster.settings import Settings
from content.media import Kind, LoudnessRecipe, Probe, Recipe, SceneRecipe, Sound, plan
from content.media.scenes import MIN_LITE_S
from serve_app.demo.course import Media, RunCourse, make_run_course
from tasks.render import probe

ROUNDS = 3


def measure(home: Path, settings: Settings) -> list[Result]:
    return asyncio.run(_measure(home, settings))


async def _measure(home: Path, settings: Settings) -> list[Result]:
    folder = home / "bench-demo"
    connections = await Connections.open(settings)
    try:
        course = make_run_course(folder, uuid.uuid4().hex[:6])
        await _build(connections, home, await new_tenant(connections), course)  # warms pools, sandboxes and disk
        idle = await processor.idle()
        shares: list[tuple[float, float, float]] = []
        took, again = [], []
        for _ in range(ROUNDS):
            course = make_run_course(folder, uuid.uuid4().hex[:6])
            tenant = await new_tenant(connections)
            before = processor.used_s()
            began = time.perf_counter()
            first = await _build(connections, home, tenant, course)
            used = processor.used_s() - before - idle * (time.perf_counter() - began)
            bare_s = await asyncio.to_thread(bare, course.media)
            shares.append((used / bare_s, used, bare_s))
            took.append(first)
            again.append(await _build(connections, home, tenant, course, 2))
        one = await _on_one_core(connections, home, folder)
    finally:
        await connections.close()
    _, used, bare_s = sorted(shares)[len(shares) // 2]
    middle = sorted(range(ROUNDS), key=lambda number: again[number] / took[number])[ROUNDS // 2]
    return [
        at_most("build: demo course, processor time", used, "s", bare_s, 1.1),
        at_most("build: demo course, again without a change", again[middle], "s", took[middle], 0.02),
        fact("build: demo course, one core against two", one / sorted(took)[ROUNDS // 2], "x"),
    ]


async def _build(connections: Connections, home: Path, tenant: str, course: RunCourse, revision: int = 1) -> float:
    """Seconds from the job's row to the published version."""
    package = await publish(home, tenant, dict(course.draft), dict(course.media), course.course_id, revision)
    row = await published(connections, tenant, package, revision)
    return row["took"].total_seconds()


async def _on_one_core(connections: Connections, home: Path, folder: Path) -> float:
    """The same with all of Ray's processes on one core, and what they start."""
    every = os.sched_getaffinity(0)
    processor.pin({min(every)})
    try:
        course = make_run_course(folder, uuid.uuid4().hex[:6])
        return await _build(connections, home, await new_tenant(connections), course)
    finally:
        processor.pin(every)


def bare(media: Media) -> float:
    """Processor seconds of the same work in plain processes: what is measured of sounds and films, then every recipe. Captions
    are left out, which cost nothing."""
    work: list[tuple[Path, tuple[Recipe | SceneRecipe | LoudnessRecipe, ...]]] = []
    for path, media_type in media.values():
        kind: Kind | None = next((kind for kind in ("image", "video", "audio") if media_type.startswith(kind)), None)
        if kind is None:
            continue
        found = probe(path, kind)
        work += [(path, (each,)) for each in _measures(kind, found)]
        work += together(path, plan(kind, found))
    with ProcessPoolExecutor(os.cpu_count()) as pool, tempfile.TemporaryDirectory() as folder:
        return sum(pool.map(render, *zip(*((path, recipes, folder) for path, recipes in work), strict=True)))


def _measures(kind: Kind, found: Probe) -> list[SceneRecipe | LoudnessRecipe]:
    """The passes over an original that its recipes follow from."""
    passes: list[SceneRecipe | LoudnessRecipe] = []
    if kind == "video" and found.duration_s >= MIN_LITE_S:
        film = next(recipe.film for recipe in plan(kind, found) if recipe.base == "video-h264")  # pyright: ignore
        passes.append(SceneRecipe(replace(film, rate="")))
    if found.has_audio:
        sound = Sound(found.sound, min(max(found.channels, 1), 2), 0.0, False)
        passes += [LoudnessRecipe(sound)] * (2 if found.limited else 1)
    return passes
