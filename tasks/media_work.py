"""The work of a build that is spread over the pool's nodes, as Ray tasks: look at an original, make one rendition.

Tasks take and return values; originals come from media-service, results go to S3 by digest, so a task may run on any
node and twice. A task works in a folder of its job that the builder removes; on another node the sweep at a builder's
start does. Ray does not retry them (`max_retries=0`): the queue does.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from cluster import places, telemetry
from cluster.neighbours import Neighbours
from cluster.objects import Objects
from cluster.settings import Settings
from cluster.telemetry.traces import begin_span, end_span
from cluster.topology import BUILDER, GI
from content.errors import ContentError
from content.media import Kind, Probe, Recipe, Rendition
from tasks import render, workspace

PROGRESS_S = 0.5
SERVICE = "content-render"
GONE_S = 5.0
TASK_MEMORY = GI


@dataclass(frozen=True)
class Original:
    """A file at media-service. `digest` is what its bytes must have; `folder` is the job's."""

    tenant: str
    asset: str
    kind: Kind
    digest: str
    folder: str


@dataclass(frozen=True)
class Looked:
    """What an original is. `renditions`: in the order of its plan, stored, if they are made at once; else none."""

    size_bytes: int
    probe: Probe
    renditions: tuple[Rendition, ...] = ()


def look(original: Original, traceparent: str | None = None) -> Looked:
    """Look at an original. Raises ContentError as `tasks.render.look`, or of the fetch."""
    settings = Settings.load()
    telemetry.begin(SERVICE, settings)
    with telemetry.span("look at an original", parent=traceparent, tenant=original.tenant, kind_of_asset=original.kind):
        path = _fetched(original)
        watch = workspace.guard(path.parent, settings.workspace_max_bytes, original.asset)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            probe, made = render.look(path, original.kind, Path(folder), settings, original.asset, watch)
            for each in made:
                _store(_objects(), original.tenant, each.path, each.rendition)
        return Looked(path.stat().st_size, probe, tuple(each.rendition for each in made))


def make(
    original: Original, recipe: Recipe, duration_s: float = 0.0, traceparent: str | None = None
) -> Iterator[float | Rendition]:
    """Shares of the work done (0–1), then the rendition, stored under its digest. `duration_s`: of the original."""
    settings = Settings.load()
    telemetry.begin(SERVICE, settings)
    # Not made current: a generator's context is its caller's.
    span = begin_span("render", parent=traceparent, tenant=original.tenant, recipe=recipe.name)
    try:
        yield from _make_it(original, recipe, duration_s, settings)
    except BaseException as error:
        end_span(span, error)
        raise
    end_span(span)


def _make_it(original: Original, recipe: Recipe, duration_s: float, settings: Settings) -> Iterator[float | Rendition]:
    path = _fetched(original)
    watch = workspace.guard(path.parent, settings.workspace_max_bytes, original.asset)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        shares: SimpleQueue[float] = SimpleQueue()
        box: list[Any] = []

        def work(report: Callable[[float], None]) -> None:
            try:
                made = render.render(
                    path, recipe, Path(folder), report, settings, original.asset, duration_s=duration_s, watch=watch
                )
                _store(_objects(), original.tenant, made.path, made.rendition)
                box.append(made.rendition)
            except BaseException as error:  # noqa: BLE001 - carried to the caller below
                box.append(error)

        worker = Thread(target=work, args=(shares.put,), daemon=True)
        worker.start()
        while worker.is_alive():
            worker.join(PROGRESS_S)
            if (share := _last(shares)) is not None:
                yield share
        if isinstance(box[0], BaseException):
            raise box[0]
        yield box[0]


def _last(shares: SimpleQueue[float]) -> float | None:
    share = None
    while True:
        try:
            share = shares.get_nowait()
        except Empty:
            return share


@functools.cache
def _objects() -> Objects:
    """One client for the life of this worker: making one reads botocore's models for a quarter of a second."""
    return Objects(Settings.load())


@functools.cache
def _neighbours() -> Neighbours:
    return Neighbours(Settings.load())


def _store(objects: Objects, tenant: str, path: Path, rendition: Rendition) -> None:
    # Put even if it is there: an orphan of this digest could be garbage-collected before our row names it.
    with path.open("rb") as body:
        objects.put(places.asset(tenant, rendition.digest), body, rendition.media_type)


def _fetched(original: Original) -> Path:
    """The original on this node's disk: from the job's folder, or fetched, checked and put there whole.

    The folder is the job's, whose owner removes it. Raises ContentError `original-changed` (retryable), `workspace-full`.
    """
    folder = Path(original.folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Named by what it must be: what stands under the name has been checked.
    path = folder / hashlib.sha256(f"{original.asset}/{original.digest}".encode()).hexdigest()[:32]
    if path.exists():
        return path
    scratch = folder / f"{path.name}.{secrets.token_hex(4)}"
    limit = Settings.load().workspace_max_bytes
    room = max(limit - workspace.used_bytes(folder), 0)
    try:
        found = _neighbours().download_original(original.tenant, original.asset, scratch, room)
    except ContentError as error:
        if error.code == "neighbour-too-large" and room < Settings.load().original_max_bytes:
            raise workspace.full(limit, original.asset) from error
        raise
    if found.digest != original.digest:
        scratch.unlink()
        raise ContentError("original-changed", f"“{original.asset}” changed while it was built.", "", True)
    scratch.rename(path)
    return path


_look: Any = ray.remote(max_retries=0, num_cpus=1)(look)
_make: Any = ray.remote(max_retries=0, num_cpus=1)(make)


async def look_on_ray(original: Original) -> Looked:
    """`look` somewhere in the cluster."""
    reference: Any = _look.options(**_placement()).remote(original, telemetry.traceparent())
    try:
        return await reference
    except RayTaskError as error:
        raise _cause(error) from None
    except asyncio.CancelledError:
        await _end(reference, reference)
        raise


async def make_on_ray(original: Original, recipe: Recipe, duration_s: float) -> AsyncIterator[float | Rendition]:
    """`make` somewhere in the cluster; leaving early ends the work there."""
    # One CPU each: the encoder has one thread, and renditions go side by side.
    task: Any = _make.options(num_returns="streaming", **_placement())
    generator: Any = task.remote(original, recipe, duration_s, telemetry.traceparent())
    finished = False
    try:
        async for reference in generator:
            value = await reference
            finished = isinstance(value, Rendition)
            yield value
    except RayTaskError as error:
        finished = True
        raise _cause(error) from None
    finally:
        if not finished:
            await _end(generator, generator.completed())


async def _end(task: Any, over: Any) -> None:
    """End a task by force and wait until it is gone, so that nothing writes into the job's folder any more."""
    await asyncio.to_thread(ray.cancel, task, force=True)
    gone = asyncio.ensure_future(_outcome(over))
    await asyncio.wait({gone}, timeout=GONE_S)
    gone.cancel()


async def _outcome(over: Any) -> None:
    with contextlib.suppress(RayError):
        await over


def _placement() -> dict[str, Any]:
    """In production, on the pool's own nodes; a single machine has no labels to ask for."""
    if Settings.load().profile == "development":
        return {}
    return {"label_selector": {"pool": BUILDER.name}, "memory": TASK_MEMORY}


def _cause(error: RayTaskError) -> BaseException:
    return error.cause if isinstance(error.cause, ContentError) else error
