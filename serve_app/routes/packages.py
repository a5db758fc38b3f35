"""Packages and their versions: listed, asked to be built, withdrawn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from cluster.database import Transaction, fetch_one
from content.errors import ContentError
from content.events.types import CourseDraftPublishedData
from serve_app.auth import Authenticated, Platform
from serve_app.conditions import UNCHANGED, etag_of, not_modified
from serve_app.idempotency import Idempotent
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import Before, Given, Id, Number, Page, Since
from serve_app.models.packages import (
    BuildAccepted,
    BuildRequest,
    Package,
    PackagePatch,
    Report,
    Version,
    VersionState,
    Withdrawal,
)
from serve_app.models.trust import Epoch, NewEpoch
from serve_app.problems import not_found, raises
from serve_app.record import record
from serve_app.taking_back import withdraw_version
from tasks import epochs, intake, jobs

router = APIRouter(prefix="/v1/packages", tags=["packages"])

PACKAGE = """select p.package_id, p.course_id, p.kind, p.created_at, p.policy,
                    (select max(version) from package_versions v
                     where v.package_id = p.package_id and v.state = 'published') as version
             from packages p"""
PACKAGES = Listing(
    "packages",
    PACKAGE,
    filters={
        "course_id": "p.course_id = %(course_id)s",
        "created_from": "p.created_at >= %(created_from)s",
        "created_before": "p.created_at < %(created_before)s",
    },
    order=(Order("p.created_at", "created_at", datetime), Order("p.package_id", "package_id", str)),
)
COLUMNS = """package_id, version, state, draft_id, revision, import_id, title, languages, manifest_digest, manifest_bytes, total_bytes,
             created_at, published_at, withdrawn_at, withdrawn_reason"""
VERSIONS = Listing(
    "versions",
    f"select {COLUMNS} from package_versions",
    filters={"package_id": "package_id = %(package_id)s", "state": "state = %(state)s"},
    order=(Order("version", "version", int),),
)


@router.get("", summary="Packages of the tenant, newest first")
async def list_packages(
    paging: Paging,
    caller: Authenticated,
    platform: Platform,
    course_id: Given = None,
    created_from: Since = None,
    created_before: Before = None,
) -> Page[Package]:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        found = await PACKAGES.page(
            tx, paging, course_id=course_id, created_from=created_from, created_before=created_before
        )
    return Page[Package].model_validate(found)


@router.post(
    "",
    status_code=202,
    response_model=BuildAccepted,
    summary="Build a revision of a draft that authoring-service holds",
    responses=raises("not-found", "revision-outdated", "course-imported"),
)
async def build(
    body: BuildRequest, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """Does what the event `authoring.course_draft.published.v1` does: the next version of the course's package is planned
    and its build queued. Asking for a revision again gives the same job; one whose build failed is built anew. A revision
    older than one that was taken in answers 409 `revision-outdated`."""
    caller.require("content:write")
    now = datetime.now(UTC).replace(microsecond=0)
    data = CourseDraftPublishedData(tenant_id=caller.tenant, **body.model_dump(), published_at=now)
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        await _known_tenant(tx)
        made = await intake.draft_published(tx, caller.tenant, data)
        row = await fetch_one(
            tx,
            """select v.package_id, v.version from package_versions v join packages p on p.package_id = v.package_id
               where p.course_id = %s and v.draft_id = %s and v.revision = %s order by v.version desc limit 1""",
            [body.course_id, body.draft_id, body.revision],
        )
        if row is None:
            raise ContentError(
                "revision-outdated", "A newer revision of this draft was taken in already.", "Ask for the newest one."
            )
        if made is not None:
            await record(tx, request, caller, "build.requested", draft_id=body.draft_id, revision=body.revision, **row)
        job = jobs.job_id(caller.tenant, "build", row["package_id"], row["version"])
        return await once.answer(tx, 202, BuildAccepted(job_id=job, **row), {"Location": f"/v1/jobs/{job}"})


@router.get("/{package_id}", summary="One package")
async def show(package_id: Id, caller: Authenticated, platform: Platform) -> Package:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        return await _package(tx, package_id)


@router.patch("/{package_id}", summary="Decide how the bundles of one package are encrypted")
async def change(
    package_id: Id, body: PackagePatch, request: Request, caller: Authenticated, platform: Platform
) -> Package:
    """It counts for what is planned from now on; bundles that are there stay as they are. Outranks tenant and catalog."""
    caller.require("tenant:admin")
    async with platform.db.tenant(caller.tenant) as tx:
        await tx.execute(b"update packages set policy = %s where package_id = %s", [body.policy, package_id])
        found = await _package(tx, package_id)
        await record(tx, request, caller, "package.changed", package_id=package_id, policy=body.policy or "default")
    return found


@router.get("/{package_id}/versions", summary="Versions of a package, newest first")
async def versions(
    package_id: Id, paging: Paging, caller: Authenticated, platform: Platform, state: VersionState | None = None
) -> Page[Version]:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        if await fetch_one(tx, "select 1 as x from packages where package_id = %s", [package_id]) is None:
            raise not_found("package")
        found = await VERSIONS.page(tx, paging, package_id=package_id, state=state)
    return Page[Version].model_validate(found)


@router.get(
    "/{package_id}/versions/{version}",
    response_model=Version,
    summary="One version, with its build's report",
    responses=UNCHANGED,
)
async def show_version(
    package_id: Id, version: Number, request: Request, response: Response, caller: Authenticated, platform: Platform
) -> Any:
    """Has an `ETag`: with `If-None-Match` a build is watched at the cost of a 304."""
    caller.require("content:read")
    found = await _version(platform, caller.tenant, package_id, version)
    headers = {"ETag": etag_of(found.model_dump(mode="json")), "Cache-Control": "private, no-cache"}
    if (same := not_modified(request, headers)) is not None:
        return same
    response.headers.update(headers)
    return found


@router.get("/{package_id}/versions/{version}/report", summary="What its author should know of a build")
async def report(package_id: Id, version: Number, caller: Authenticated, platform: Platform) -> Report:
    """Every finding with its place in the draft. Empty as long as the build is under way."""
    caller.require("content:read")
    found = await _version(platform, caller.tenant, package_id, version)
    return found.report or Report.model_validate({})


@router.post(
    "/{package_id}/versions/{version}/withdraw",
    summary="Take a published version back",
    responses=raises("version-not-published", "storage-unavailable"),
)
async def withdraw(
    package_id: Id, version: Number, body: Withdrawal, request: Request, caller: Authenticated, platform: Platform
) -> Version:
    """Its manifest answers 410 from every replica and the edge within two seconds, and nothing new is made of it or handed
    out. Devices without anything newer get the version before. What a device has installed goes on opening, unless the
    version is revoked (`POST /v1/revocations`). A version that is withdrawn already is answered as it is; one that was never
    published answers 409 `version-not-published`."""
    caller.require("content:write")
    await withdraw_version(request, platform, caller, package_id, version, body.reason, revoke=False)
    return await _version(platform, caller.tenant, package_id, version)


@router.post(
    "/{package_id}/epochs",
    status_code=202,
    response_model=Epoch,
    summary="Use other content keys from the next version on, since one may have leaked",
    responses=raises("not-found"),
)
async def begin_epoch(
    package_id: Id, body: NewEpoch, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """What is encrypted already stays as it is and counts as disclosed to whoever has the key. The next version is encrypted
    under a new key for each scope; files of the key before stay for one more version, so that it is still a delta."""
    caller.require("tenant:admin")
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        if await fetch_one(tx, "select 1 as x from packages where package_id = %s", [package_id]) is None:
            raise not_found("package")
        scopes = await epochs.begin(tx, package_id, body.reason)
        await record(tx, request, caller, "package.epoch-begun", package_id=package_id, reason=body.reason)
        return await once.answer(tx, 202, Epoch(package_id=package_id, scopes=scopes))


async def _package(tx: Transaction, package_id: str) -> Package:
    row = await fetch_one(tx, f"{PACKAGE} where p.package_id = %s", [package_id])
    if row is None:
        raise not_found("package")
    return Package.model_validate(row)


async def _version(platform: Platform, tenant: str, package_id: str, version: int) -> Version:
    async with platform.db.tenant(tenant) as tx:
        row = await fetch_one(
            tx,
            # The quality report is large and has an address of its own.
            f"select {COLUMNS}, report - 'quality' as report from package_versions where package_id = %s and version = %s",
            [package_id, version],
        )
    if row is None:
        raise not_found("version")
    return Version.model_validate(row)


async def _known_tenant(tx: Transaction) -> None:
    if await fetch_one(tx, "select 1 as x from tenants") is None:
        raise not_found("tenant")
