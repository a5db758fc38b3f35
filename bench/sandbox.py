"""What a sandbox adds to a decoder's work on one picture, against the same functions called here; and how long each
backend takes to start one that has the decoders imported."""

from __future__ import annotations

import importlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from bench.results import Result, fact, limit, seconds
from cluster import sandbox
from cluster.sandbox.kind import Backend
from cluster.sandbox.pool import Pool, pool
from cluster.settings import Settings
from content.media import plan
from tasks import render
from tasks.rendering.decoders import PICTURES

ROUNDS, STARTS = 25, 5
PATIENCE_S = 30.0


def measure() -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="content-bench-") as name:
        folder = Path(name)
        added = _added(folder)
        found = [limit("sandbox: added to one call of a decoder", statistics.median(added), "ms", 30)]
        found += [fact("sandbox: the slowest tenth of them from", sorted(added)[len(added) * 9 // 10], "ms")]
        for backend in ("bubblewrap", "runsc"):
            if sandbox.find(backend).works:
                found.append(fact(f"sandbox: cold start with decoders, {backend}", _cold(backend, folder), "ms"))
        return found


def _added(folder: Path) -> list[float]:
    """Milliseconds, of each round: half of what a look and a rendition take longer in two sandboxes than without."""
    settings = Settings.load().model_copy(update={"workspace": folder / "work", "sandbox_ahead": 2})
    picture = folder / "picture.jpg"
    Image.effect_mandelbrot((1600, 1000), (-2, -1, 1, 1), 60).convert("RGB").save(picture)
    recipe = plan("image", render.probe(picture, "image", settings))[0]

    def work() -> float:
        return seconds(
            lambda: (
                render.probe(picture, "image", settings),
                render.render(picture, recipe, folder, lambda _: None, settings),
            )
        )

    added: list[float] = []
    for _ in range(ROUNDS):
        with _bare():
            without = work()
        _await_both(settings)
        added.append((work() - without) / 2 * 1000)
    return added


def _await_both(settings: Settings) -> None:
    """Until two sandboxes wait, so that it is the cost of one that was started ahead."""
    waiting, end = pool(settings.workspace, settings.sandbox_ahead), time.monotonic() + PATIENCE_S
    while waiting.ready(PICTURES, sandbox.backend(settings, PICTURES)) < 2:
        assert time.monotonic() < end, "no sandbox came up"
        time.sleep(0.005)


def _cold(backend: Backend, folder: Path) -> float:
    """Milliseconds from nothing to an interpreter with the decoders of pictures imported, the median of some."""
    took: list[float] = []
    for _ in range(STARTS):
        cold = Pool(folder / "cold", 1)
        try:
            began = time.perf_counter()
            started = cold.take(PICTURES, backend)
            took.append((time.perf_counter() - began) * 1000)
            cold.put_away(started)
        finally:
            cold.close()
    return statistics.median(took)


@contextmanager
def _bare() -> Iterator[None]:
    """Functions are called in this process, on the files themselves."""

    def call(
        job: sandbox.Job,
        function: str,
        arguments: Mapping[str, Any],
        settings: Settings,
        on_share: Callable[[float], None] | None = None,
    ) -> sandbox.Result:
        module, _, name = function.partition(":")
        known = {**arguments, "path": str(next(iter(job.read_only.values())))}
        if "target" in known:
            known["target"] = str(job.output / known["target"])
        if on_share is not None:
            known["progress"] = on_share
        value = getattr(importlib.import_module(module), name)(**known)
        return sandbox.Result(0, value=json.loads(json.dumps(value)))

    kept, sandbox.call = sandbox.call, call
    try:
        yield
    finally:
        sandbox.call = kept
