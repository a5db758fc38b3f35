"""Bundles: for the tenant's operators, and for a device that proves itself with its own key (it sees its own alone)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from cluster import database
from cluster.database import fetch_all, fetch_one
from cluster.edge.cdn import UrlSigner
from content.errors import ContentError
from serve_app.auth import Authenticated, Caller, Platform
from serve_app.cold_answers import RESTORING, Tier
from serve_app.idempotency import Idempotent
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import Before, Given, Id, Page, Since
from serve_app.models.bundles import Bundle, BundleOffer, BundleState
from serve_app.problems import not_found, raises
from serve_app.record import record
from tasks import replanning, signed_lists
from tasks.keeping import cold
from tasks.keeping.cold import Unit
from tasks.signed_lists import LIST_VERSION

router = APIRouter(prefix="/v1/bundles", tags=["bundles"])
COLUMNS = """bundle_id, package_id, version, enrollment_id, learner_id, device_id, profile, policy, state, total_bytes,
             (select s.index_digest from seals s where s.seal_id = bundles.seal_id) as index_digest, problem, created_at, ready_at"""
ENROLLED = (
    """exists (select 1 from enrolments e where e.enrollment_id = bundles.enrollment_id and e.state = 'active')"""
)
OFFERED = """(bundles.registered_at is not null or exists (
                     select 1 from package_versions v where v.package_id = bundles.package_id
                     and v.version = bundles.version and v.state <> 'withdrawn'))"""
"""What was withdrawn goes on opening where it is installed, and so goes on getting its licences."""
TAKEN_BACK = """exists (select 1 from revocations r where (r.kind, r.subject) in (('bundle', bundles.bundle_id),
                     ('package', bundles.package_id), ('version', bundles.package_id || '/' || bundles.version)))"""
BUNDLES = Listing(
    "bundles",
    f"select {COLUMNS} from bundles",
    filters={
        "device_id": "device_id = %(device_id)s",
        "own": f"device_id = %(own)s and {ENROLLED} and {OFFERED} and not {TAKEN_BACK}",
        "state": "state = %(state)s",
        "package_id": "package_id = %(package_id)s",
        "enrollment_id": "enrollment_id = %(enrollment_id)s",
        "learner_id": "learner_id = %(learner_id)s",
        "created_from": "created_at >= %(created_from)s",
        "created_before": "created_at < %(created_before)s",
    },
    order=(Order("created_at", "created_at", datetime), Order("bundle_id", "bundle_id", str)),
)


@router.get("", summary="Bundles, newest first (a device sees its own)")
async def list_bundles(
    paging: Paging,
    caller: Authenticated,
    platform: Platform,
    state: BundleState | None = None,
    package_id: Given = None,
    device_id: Given = None,
    enrollment_id: Given = None,
    learner_id: Given = None,
    created_from: Since = None,
    created_before: Before = None,
) -> Page[Bundle]:
    """A device does not see bundles of an enrolment that has ended, of a version that was withdrawn, or that were taken
    back."""
    own = _reader(caller)
    async with platform.db.tenant(caller.tenant) as tx:
        found = await BUNDLES.page(
            tx,
            paging,
            own=own,
            state=state,
            package_id=package_id,
            device_id=device_id,
            enrollment_id=enrollment_id,
            learner_id=learner_id,
            created_from=created_from,
            created_before=created_before,
        )
    return Page[Bundle].model_validate(found)


@router.get(
    "/{bundle_id}",
    summary="Licence, signature, and signed URLs of index and parts",
    responses={
        **RESTORING,
        **raises(
            "bundle-not-ready",
            "bundle-failed",
            "bundle-superseded",
            "bundle-revoked",
            "enrolment-cancelled",
            "version-withdrawn",
        ),
    },
)
async def show(
    bundle_id: Id,
    request: Request,
    caller: Authenticated,
    platform: Platform,
    lists_since: Annotated[
        str | None,
        Query(
            pattern=LIST_VERSION,
            description="Send the lists along if there is a newer revocation list than this; 0.0: in any case.",
            examples=["1.4"],
        ),
    ] = None,
    tier: Tier = None,
) -> BundleOffer:
    own = _reader(caller)
    async with platform.db.tenant(caller.tenant, snapshot=True) as tx:
        row = await fetch_one(
            tx,
            f"""select {COLUMNS}, seal_id, {ENROLLED} as enrolled, {OFFERED} as offered,
                       {TAKEN_BACK} as taken_back
                from bundles where bundle_id = %s""",
            [bundle_id],
        )
        if row is None or (own is not None and row["device_id"] != own):
            raise not_found("bundle")
        if own is not None and not row["enrolled"]:
            raise ContentError("enrolment-cancelled", "The enrolment of this bundle has ended.", "Enrol again.")
        if own is not None and not row["offered"]:
            raise ContentError("version-withdrawn", "The version in this bundle was withdrawn.", "List bundles again.")
        if own is not None and row["taken_back"]:
            raise ContentError("bundle-revoked", "This bundle was taken back.", "List the bundles again.")
        if row["state"] != "ready":
            raise _not_ready(row)
        known = signed_lists.version(lists_since)
        lists = await signed_lists.newer(tx, known) if known is not None else None
        licence = await fetch_one(
            tx,
            "select issue, document, signature from licences where bundle_id = %s order by issue desc limit 1",
            [bundle_id],
        )
        now = await database.now(tx)
        index = await fetch_one(
            tx,
            "select index_path as path, index_size as size, index_digest as digest, new_bytes from seals where seal_id = %s",
            [row["seal_id"]],
        )
        parts = await fetch_all(
            tx,
            """select p.path, p.size_bytes as size, p.digest from seal_parts s join parts p on p.path = s.path
               where s.seal_id = %s order by s.number""",
            [row["seal_id"]],
        )
        await cold.require_hot(tx, Unit("seal", row["seal_id"]))
    if licence is None or index is None:
        raise not_found("licence")
    if await request.app.state.uses.touch(caller.tenant, "seal", row["seal_id"]):
        async with platform.db.tenant(caller.tenant) as tx:  # what was not being moved by now is not moved any more
            await cold.require_hot(tx, Unit("seal", row["seal_id"]))
    settings = platform.settings
    pem = settings.edge_private_key.get_secret_value()
    sign = UrlSigner.of(settings.edge_url, settings.edge_key_id, pem, settings.edge_ttl_s)

    def on_edge(blob: dict[str, Any]) -> dict[str, Any]:
        return {**blob, "url": sign.url(f"/bundles/{caller.tenant}/{blob['path']}", now)}

    offer = {
        **row,
        "issue": licence["issue"],
        "licence": licence["document"],
        "signature": licence["signature"],
        "new_bytes": index["size"] + index["new_bytes"],
        "index": on_edge(index),
        "parts": [on_edge(part) for part in parts],
        "urls_expire_in_s": settings.edge_ttl_s,
        "lists": lists,
    }
    return BundleOffer.model_validate(offer)


@router.post(
    "/{bundle_id}/retry",
    status_code=202,
    response_model=Bundle,
    summary="Make a failed bundle again",
    responses=raises("bundle-not-failed", "device-revoked", "enrolment-cancelled", "version-withdrawn"),
)
async def retry(
    bundle_id: Id, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """It is planned anew; one that waits or is under way already is answered as it is. Any other state answers 409
    `bundle-not-failed`."""
    caller.require("content:write")
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        again = await replanning.retry(tx, caller.tenant, bundle_id)
        row = await fetch_one(tx, f"select {COLUMNS} from bundles where bundle_id = %s", [bundle_id])
        if row is None:
            raise not_found("bundle")
        if again:
            await record(tx, request, caller, "bundle.retried", bundle_id=bundle_id)
        return await once.answer(tx, 202, Bundle.model_validate(row), {"Location": f"/v1/bundles/{bundle_id}"})


def _reader(caller: Caller) -> str | None:
    """The device whose bundles alone may be seen, or None for a token that may read all of its tenant."""
    if caller.device_id is None:
        caller.require("content:read")
    return caller.device_id


def _not_ready(row: dict[str, Any]) -> ContentError:
    match row["state"]:
        case "superseded":
            return ContentError(
                "bundle-superseded", "A newer version took this bundle's place.", "List the bundles again."
            )
        case "failed":
            return ContentError("bundle-failed", "This bundle could not be made.", "See its problem in the list.")
        case state:
            return ContentError("bundle-not-ready", f"This bundle is {state}.", "Ask again in a moment.")
