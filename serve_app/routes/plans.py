"""What of a version fits a space, as its author or a device asks (ADR 0027). It is computed in a thread; nothing is stored."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from cluster.database import Transaction, fetch_one
from content.errors import ContentError
from content.media.choose import PROFILES
from content.packages import RATES, Manifest, Planner, parse
from content.packages.plan import seconds
from serve_app.auth import Authenticated, Platform
from serve_app.models.base import Id
from serve_app.models.plans import Plan, RateText, SizeText
from serve_app.problems import not_found, raises
from serve_app.routes.manifests import manifest_of

router = APIRouter(prefix="/v1/packages", tags=["plans"])
ENROLLED = """
    select 1 as x from enrolments e join packages p on p.course_id = e.course_id
    where p.package_id = %s and e.learner_id = %s and e.state = 'active' and (e.ends_at is null or e.ends_at > now())
"""


@router.get(
    "/{package_id}/plan",
    summary="What of a version fits a space, with bytes and time",
    responses=raises("unknown-profile", "space-too-small", "version-not-published", "version-withdrawn", "storage-unavailable"),
)  # fmt: skip
async def plan(
    package_id: Id,
    request: Request,
    caller: Authenticated,
    platform: Platform,
    space: Annotated[SizeText | None, Query(description="How much room there is; without it, all that the profile gets.")] = None,
    profile: Annotated[
        str | None, Query(max_length=64, description="A device's own if it asks itself, else phone.", examples=["phone"])
    ] = None,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="The newest one, if left out.")] = None,
    rate: Annotated[RateText | None, Query(description="A network to be told the time of, beside the usual ones.")] = None,
) -> Plan:  # fmt: skip
    """Nothing is stored: `POST /v1/bundles` has such a bundle made. A device may ask about what its learner is enrolled in."""
    if caller.device_id is None:
        caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        if caller.device_id is not None:
            await require_enrolled(tx, package_id, caller.subject)
            profile = profile or await _profile(tx, caller.device_id)
        number = version or await newest(tx, package_id)
    manifest = await parsed(request, caller.tenant, package_id, number)
    found = await asyncio.to_thread(_planned, manifest, profile or next(iter(PROFILES)), space)
    rates = {**RATES, **({"asked": rate} if rate else {})}
    times = [
        {"network": name, "bits_per_s": bits, "seconds": seconds(found.bytes, bits)} for name, bits in rates.items()
    ]
    named = {"plan_id": found.choices.id, "planned_profile": found.planned_profile, "downloads": times}
    told = {**vars(found), **named, "package_id": package_id, "version": number}
    return Plan.model_validate(told, from_attributes=True)  # fmt: skip


def _planned(manifest: Manifest, profile: str, space: int | None) -> Any:
    return Planner(manifest, profile).plan(space)


async def require_enrolled(tx: Transaction, package_id: str, learner_id: str) -> None:
    """A device is not told of courses that are not its learner's."""
    if await fetch_one(tx, ENROLLED, [package_id, learner_id]) is None:
        raise not_found("package")


async def _profile(tx: Transaction, device_id: str) -> str:
    row = await fetch_one(tx, "select profile from devices where device_id = %s", [device_id])
    assert row is not None
    return row["profile"]


async def newest(tx: Transaction, package_id: str) -> int:
    row = await fetch_one(
        tx,
        """select (select max(version) from package_versions v
                   where v.package_id = p.package_id and v.state = 'published') as version
           from packages p where p.package_id = %s""",
        [package_id],
    )
    if row is None:
        raise not_found("package")
    if row["version"] is None:
        raise ContentError("version-not-published", "Nothing of this package is published yet.", "Wait for its build.")
    return row["version"]


async def parsed(request: Request, tenant: str, package_id: str, version: int) -> Manifest:
    found = await manifest_of(request, tenant, package_id, version)
    return await asyncio.to_thread(parse, found.body)
