"""The assets of a build: each original looked at, and every rendition that is not there yet made of it, on Ray.

Renditions are committed as they come, so a retry begins where the last attempt was killed, and no original of a tenant
is looked at, or made into the same rendition, twice (ADR 0011).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from psycopg.types.json import Jsonb

from cluster import failpoints
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.neighbours import Neighbours
from cluster.telemetry.metrics import RENDITIONS
from content.drafts import Draft, OriginalRef
from content.errors import ContentError, Problem
from content.media import PROBE_VERSION, Probe, Recipe, Rendition, plan, worth_keeping
from content.packages import AssetResult, invalid_media, media_findings
from tasks.media_work import Looked, Original, look_on_ray, make_on_ray
from tasks.progress import Progress

T = TypeVar("T")


@dataclass(frozen=True)
class _Usable:
    """An original that can be used, and what is to be made of it."""

    original: Original
    looked: Looked
    recipes: tuple[Recipe, ...]


@dataclass(frozen=True)
class Made:
    """What became of the originals, by asset id, and what their author should know of them."""

    assets: dict[str, AssetResult]
    probes: dict[str, Probe]
    problems: list[Problem]


class Media:
    """The media of one attempt at a version. `reused` and `made` count the renditions of the version."""

    def __init__(
        self,
        connections: Connections,
        tenant: str,
        neighbours: Neighbours,
        folder: str,
        toolchain: str,
        progress: Progress,
    ) -> None:
        self._connections, self._tenant, self._neighbours = connections, tenant, neighbours
        self._folder, self._toolchain, self._progress = folder, toolchain, progress
        self.reused, self.made = 0, 0

    async def assets(self, draft: Draft) -> Made:
        """Every original looked at, then every rendition made. What is wrong with files is told of all of them at once,
        and before the dear part begins; what may be better in a minute is raised as it is."""
        # Films first: they take longest, and a film begun last would be waited for alone.
        refs = sorted(draft.originals(), key=lambda original: original.kind != "video")
        self._progress.expect([ref.asset for ref in refs])
        usable = await _all_or_faults(draft, {}, {ref.asset: self._look(ref) for ref in refs})
        probes = {asset: each.looked.probe for asset, each in usable.items()}
        results = await _all_or_faults(draft, probes, {name: self._result(each) for name, each in usable.items()})
        return Made(results, probes, list(media_findings(draft, probes)))

    async def _look(self, ref: OriginalRef) -> _Usable:
        """What media-service says of an original, what it is, and the recipes that follow from it."""
        facts = await asyncio.to_thread(self._neighbours.original, self._tenant, ref.asset)
        original = Original(self._tenant, ref.asset, ref.kind, facts.digest, self._folder)
        looked = await self._known(original)
        if looked is not None:  # nothing is fetched
            return _Usable(original, looked, plan(ref.kind, looked.probe))
        looked = await look_on_ray(original)
        usable = _Usable(original, looked, plan(ref.kind, looked.probe))
        async with self._connections.db.tenant(self._tenant) as tx:
            await self._keep_looked(tx, original, looked)
            await self._keep(tx, original, list(zip(usable.recipes, looked.renditions, strict=False)))
        return usable

    async def _result(self, usable: _Usable) -> AssetResult:
        """The renditions of an original's plan that are worth keeping; those alone are counted."""
        original, looked = usable.original, usable.looked
        self._progress.planned(original.asset, [recipe.name for recipe in usable.recipes])
        renditions, cached = looked.renditions, dict[str, Rendition]()
        if renditions:
            for recipe in usable.recipes:
                self._done(original, recipe, reused=False)
        else:
            cached = await self._cached(original.digest, [recipe.digest(self._toolchain) for recipe in usable.recipes])
            renditions = await _together(
                self._rendition(original, looked.probe, recipe, cached) for recipe in usable.recipes
            )
        kept = worth_keeping(renditions)
        reused = sum(each in cached.values() for each in kept)
        self.reused, self.made = self.reused + reused, self.made + len(kept) - reused
        return AssetResult(original.digest, looked.size_bytes, kept)

    async def _known(self, original: Original) -> Looked | None:
        """What was found when an original of this digest was looked at before."""
        async with self._connections.db.tenant(self._tenant) as tx:
            row = await fetch_one(
                tx,
                """select facts from probes where source_digest = %s and kind = %s
                   and facts ->> 'version' = %s""",
                [original.digest, original.kind, str(PROBE_VERSION)],
            )
        return Looked(row["facts"]["size_bytes"], Probe.from_dict(row["facts"]["probe"])) if row else None

    async def _keep_looked(self, tx: Transaction, original: Original, looked: Looked) -> None:
        facts = {"version": PROBE_VERSION, "probe": asdict(looked.probe), "size_bytes": looked.size_bytes}
        await tx.execute(
            b"""insert into probes (tenant, source_digest, kind, facts) values (%s, %s, %s, %s)
                on conflict (tenant, source_digest, kind) do update set facts = excluded.facts""",
            [self._tenant, original.digest, original.kind, Jsonb(facts)],
        )

    async def _cached(self, source: str, recipes: list[str]) -> dict[str, Rendition]:
        async with self._connections.db.tenant(self._tenant) as tx:
            rows = await fetch_all(
                tx,
                "select recipe_digest, facts from renditions where source_digest = %s and recipe_digest = any(%s)",
                [source, recipes],
            )
        return {row["recipe_digest"]: Rendition.from_dict(row["facts"]) for row in rows}

    async def _rendition(
        self, original: Original, probe: Probe, recipe: Recipe, cached: dict[str, Rendition]
    ) -> Rendition:
        if (found := cached.get(recipe.digest(self._toolchain))) is not None:
            self._done(original, recipe, reused=True)
            return found
        async for value in make_on_ray(original, recipe, probe.duration_s):
            if isinstance(value, Rendition):
                async with self._connections.db.tenant(self._tenant) as tx:
                    await self._keep(tx, original, [(recipe, value)])
                self._done(original, recipe, reused=False)
                return value
            self._progress.share(original.asset, recipe.name, value)
            await asyncio.to_thread(failpoints.hit, "build.mid_transcode", self._connections.settings)
        raise ContentError("render-failed", f"Nothing came of “{original.asset}”.", "Try again.", True)

    async def _keep(self, tx: Transaction, original: Original, made: Sequence[tuple[Recipe, Rendition]]) -> None:
        for recipe, rendition in made:
            await tx.execute(
                b"""insert into assets (tenant, digest, media_type, size_bytes) values (%s, %s, %s, %s)
                    on conflict do nothing""",
                [self._tenant, rendition.digest, rendition.media_type, rendition.size_bytes],
            )
            await tx.execute(
                b"""insert into renditions (tenant, source_digest, recipe_digest, asset_digest, facts)
                    values (%s, %s, %s, %s, %s) on conflict do nothing""",
                [
                    self._tenant,
                    original.digest,
                    recipe.digest(self._toolchain),
                    rendition.digest,
                    Jsonb(rendition.as_dict()),
                ],
            )

    def _done(self, original: Original, recipe: Recipe, *, reused: bool) -> None:
        RENDITIONS.add(result="reused" if reused else "made")
        self._progress.done(original.asset, recipe.name, reused=reused)


async def _all_or_faults(draft: Draft, probes: Mapping[str, Probe], work: Mapping[str, Awaitable[T]]) -> dict[str, T]:
    """The result of each asset's work. Raises InvalidInput with the fault of every asset that has one; what can be
    retried cancels the rest."""

    async def kept(each: Awaitable[T]) -> T | ContentError:
        try:
            return await each
        except ContentError as error:
            if error.retryable:
                raise
            return error

    ended = dict(zip(work, await _together(kept(each) for each in work.values()), strict=True))
    faults = {asset: each for asset, each in ended.items() if isinstance(each, ContentError)}
    if faults:
        raise invalid_media(draft, faults, media_findings(draft, probes))
    return ended


async def _together(work: Any) -> list[Any]:
    """All at once, in order; the first error cancels the rest and is raised as it is."""
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
