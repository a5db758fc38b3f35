"""How far a job is, written a few times a second; of a build it is the mean over its originals of the mean over their
renditions.

It is also how a worker hears that its job was cancelled: the row is looked at as often as it is written.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import structlog

from cluster.connections import Connections
from cluster.ending import end
from cluster.telemetry import describe
from content.errors import ContentError
from tasks import jobs

EVERY_S = 0.5
MOST_UNDER_WAY = 20  # originals named at once: a row is written twice a second
Stages = Mapping[str, tuple[float, float]]
"""The parts of a job's work in their order, each with its share of the whole (from, to)."""
BUILD: Stages = {"draft": (0.0, 0.05), "media": (0.05, 0.95), "publish": (0.95, 1.0)}
log = structlog.get_logger()
T = TypeVar("T")


class JobCancelled(ContentError):
    """The work was stopped because its job is to end."""


def job_cancelled() -> JobCancelled:
    return JobCancelled(jobs.CANCELLED["code"], jobs.CANCELLED["title"], jobs.CANCELLED["detail"])


class Progress:
    """Collects shares in memory and mirrors them to the job's row; telling it never waits for the database."""

    def __init__(self, connections: Connections, tenant: str, job: str, stages: Stages = BUILD) -> None:
        self._connections, self._tenant, self._job = connections, tenant, job
        self._message = ""
        self._bounds, self._stages = stages, dict.fromkeys(stages, 0.0)
        self._shares: dict[str, dict[str, float]] = defaultdict(dict)
        self._changed = False
        self._cancelled = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._over = False

    async def __aenter__(self) -> Progress:
        self._writer = asyncio.create_task(self._mirror())
        return self

    async def __aexit__(self, *_: object) -> None:
        # A cancel that meets a statement may come out as that one's failure, and would be lost.
        self._over = True
        await end(self._writer)

    async def unless_cancelled(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work returns or raises. Raises JobCancelled as soon as the job is to end, when the work has stopped."""
        task, told = asyncio.ensure_future(work), asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise job_cancelled()
            return await task
        finally:
            told.cancel()
            task.cancel()
            await asyncio.gather(task, told, return_exceptions=True)

    def tell(self, stage: str, share: float, message: str) -> None:
        """How much of a stage is done, 0 to 1; the stages before it are."""
        for name in self._bounds:
            if name == stage:
                break
            self._stages[name] = 1.0
        self._stages[stage] = max(self._stages[stage], min(share, 1.0))
        self._message, self._changed = message, True

    def expect(self, assets: Sequence[str]) -> None:
        self._shares = defaultdict(dict, {asset: {} for asset in assets})

    def planned(self, asset: str, recipes: Sequence[str]) -> None:
        """What is to be made of an original, so that it is done when all of that is."""
        for recipe in recipes:
            self._shares[asset].setdefault(recipe, 0.0)

    def share(self, asset: str, recipe: str, share: float) -> None:
        self._shares[asset][recipe] = share
        parts = self._parts()
        self.tell("media", sum(parts.values()) / len(parts), f"{asset}: {recipe} {share:.0%}")

    def done(self, asset: str, recipe: str, *, reused: bool) -> None:
        self.share(asset, recipe, 1.0)
        self._message = f"{asset}: {recipe} {'reused' if reused else 'made'}"

    def stages(self) -> list[dict[str, Any]]:
        """The stages as they are written; the one that works on originals says how far each of these is."""
        told: list[dict[str, Any]] = [
            {"name": name, "progress": round(share, 3)} for name, share in self._stages.items()
        ]
        parts = self._parts()
        for stage in told:
            if stage["name"] == "media" and parts:
                going = sorted(
                    (asset for asset in parts if 0 < parts[asset] < 1), key=lambda asset: (-parts[asset], asset)
                )
                stage["assets"] = {
                    "all": len(parts),
                    "done": sum(share >= 1 for share in parts.values()),
                    "under_way": [
                        {"asset": asset, "progress": round(parts[asset], 3)} for asset in going[:MOST_UNDER_WAY]
                    ],
                }
        return told

    def _parts(self) -> dict[str, float]:
        """Of each original the share that is done: the mean over what is made of it."""
        return {asset: sum(own.values()) / len(own) if own else 0.0 for asset, own in self._shares.items()}

    def overall(self) -> float:
        """The share of the whole, 0 to 1."""
        return max((start + (end - start) * self._stages[name] for name, (start, end) in self._bounds.items() if self._stages[name]), default=0.0)  # fmt: skip

    async def _mirror(self) -> None:
        while not self._over:
            try:
                async with self._connections.db.tenant(self._tenant) as tx:
                    if self._changed:
                        self._changed = False
                        await jobs.progress(tx, self._job, self.overall(), self._message[:200], self.stages())
                    if await jobs.cancel_requested(tx, self._job):
                        self._cancelled.set()
            except Exception as error:  # noqa: BLE001 - whatever it is: without this nobody hears of a cancel
                if self._over:
                    return
                log.warning("progress not written", **describe(error))
            await asyncio.sleep(EVERY_S)
