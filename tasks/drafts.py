"""A draft as builds and previews read it: fetched from authoring-service, judged, refused with everything that is wrong."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from cluster.neighbours import Neighbours
from content.canonical import canonical, digest
from content.drafts import Draft, DraftReport, validate
from content.drafts.report import parse


@dataclass(frozen=True)
class ReadDraft:
    """`digest` is of the canonical JSON of what authoring-service keeps; `report` has the warnings."""

    draft: Draft
    report: DraftReport
    digest: str


async def read(neighbours: Neighbours, tenant: str, draft_id: str, revision: int) -> ReadDraft:
    """Raises NeighbourError, or InvalidInput with every problem of a draft that cannot be built."""
    document = await asyncio.to_thread(neighbours.draft, tenant, draft_id, revision)
    report = await asyncio.to_thread(validate, document)
    draft = report.draft or parse(document)  # the second raises with every problem
    return ReadDraft(draft, report, digest(canonical(document)))
