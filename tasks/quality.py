"""The quality report of a build: written with the limits of the settings, and measured by what the tenant does not publish.

Before: the manifest is built, nothing is signed. After: the report is kept with the version (`report` of
`package_versions`, member `quality`), or the build has ended with `quality-refused`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from cluster.connections import Connections
from cluster.database import fetch_one
from cluster.settings import Settings
from content.drafts import Draft
from content.errors import Problem
from content.media import Probe
from content.packages import Manifest
from content.quality import QualityLimits, Report, assess, refuse_findings


def quality_limits(settings: Settings) -> QualityLimits:
    """The settings' limits as a value."""
    course = {
        "phone": settings.quality_phone_bytes,
        "tablet": settings.quality_tablet_bytes,
        "desktop": settings.quality_desktop_bytes,
    }
    return QualityLimits(course, settings.quality_picture_bytes, settings.quality_film_bytes)


async def judge(
    connections: Connections,
    draft: Draft,
    manifest: Manifest,
    problems: Sequence[Problem],
    probes: Mapping[str, Probe],
) -> Report:
    """The report, whatever it holds."""
    return await asyncio.to_thread(assess, draft, manifest, problems, probes, quality_limits(connections.settings))


async def require_publishable(connections: Connections, tenant: str, report: Report) -> None:
    """Raises InvalidInput `quality-refused` if the report has a finding that this tenant does not publish."""
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(tx, "select settings -> 'failing_findings' as codes from tenants")
    refuse_findings(report, _codes(row))


def _codes(row: Mapping[str, Any] | None) -> list[str]:
    return list(row["codes"] or ()) if row else []
