"""The audit log of the caller's tenant, and the proof that nothing in it was changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from serve_app.auth import Authenticated, Platform
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import Page
from serve_app.models.storage import ArchiveVerification
from serve_app.models.tenants import Entry, Verification
from tasks import audit
from tasks.keeping import audit_archive

router = APIRouter(prefix="/v1/audit", tags=["audit"])
ENTRIES = Listing(
    "audit",
    """select n, at, coalesce((select l.learner_id from learners l where l.pseudonym = actor), actor) as actor,
              actor as recorded_actor, action, details, previous, hash from audit_log""",
    order=(Order("n", "n", int),),
)


@router.get("", summary="What was changed, by whom, newest first")
async def entries(paging: Paging, caller: Authenticated, platform: Platform) -> Page[Entry]:
    caller.require("audit:read")
    async with platform.db.tenant(caller.tenant) as tx:
        return Page[Entry].model_validate(await ENTRIES.page(tx, paging))


@router.get("/verify", summary="Whether the log's hash chain holds, a stretch at a time")
async def verify(
    caller: Authenticated,
    platform: Platform,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="`next` of the stretch before.")] = 0,
) -> Verification:
    """Go on with `next` until it is null. A log whose newest entries were cut off looks whole: compare `head` with one that
    you noted."""
    caller.require("audit:read")
    async with platform.db.tenant(caller.tenant) as tx:
        found = await audit.verify(tx, caller.tenant, after=after)
    following = found.last if found.more and found.broken_at is None else None
    return Verification(
        valid=found.broken_at is None, next=following, **{k: v for k, v in asdict(found).items() if k != "more"}
    )


@router.get("/archive/verify", summary="Whether the archive of the log is whole, and the log says the same")
async def verify_archive(caller: Authenticated, platform: Platform) -> ArchiveVerification:
    """Every segment is read, and the chains of segments and of entries are followed; then both ends are compared. The newest entries
    may not be archived yet: `last` says how far it goes."""
    caller.require("audit:read")
    found = await audit_archive.verify(platform, caller.tenant)
    return ArchiveVerification(valid=found.broken is None, **asdict(found))
