"""Imports: packages of other tools, uploaded past this API straight into quarantine, and made versions by a job."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from cluster import places
from cluster.database import Transaction, fetch_one
from content.errors import ContentError
from serve_app.auth import Authenticated, Caller, Platform
from serve_app.conditions import UNCHANGED
from serve_app.idempotency import Idempotent
from serve_app.import_report_page import import_report_page
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import Before, Given, Id, Page, Since
from serve_app.models.imports import (
    MOST_PIECES,
    Completion,
    Import,
    ImportAsked,
    ImportReport,
    ImportShown,
    ImportState,
    NewImport,
    Part,
    Parts,
    PieceDigest,
    UploadState,
    WantedParts,
)
from serve_app.problems import not_found, raises
from serve_app.problems.pages import preferred
from serve_app.record import record
from serve_app.report_answers import PAGE, report_answer
from tasks import steering
from tasks.importing import imports
from tasks.importing.imports import Upload
from tasks.keeping import holds

router = APIRouter(prefix="/v1/imports", tags=["imports"])
COLUMNS = """import_id, file_name, size_bytes, digest, course_id, state, job_id, edition, title, package_id, version, problem,
             created_at, completed_at, ended_at, removed_at"""
IMPORTS = Listing(
    "imports",
    f"select {COLUMNS} from imports",
    filters={
        "course_id": "course_id = %(course_id)s",
        "state": "state = %(state)s",
        "created_from": "created_at >= %(created_from)s",
        "created_before": "created_at < %(created_before)s",
    },
    order=(Order("created_at", "created_at", datetime), Order("import_id", "import_id", str)),
)


@router.get("", summary="Imports, newest first")
async def list_imports(
    paging: Paging,
    caller: Authenticated,
    platform: Platform,
    course_id: Given = None,
    state: ImportState | None = None,
    created_from: Since = None,
    created_before: Before = None,
) -> Page[Import]:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        found = await IMPORTS.page(
            tx, paging, course_id=course_id, state=state, created_from=created_from, created_before=created_before
        )
    return Page[Import].model_validate({**found, "items": [Import.row(row) for row in found["items"]]})


@router.post(
    "",
    status_code=201,
    response_model=ImportAsked,
    summary="Begin to upload a package of another tool",
    responses=raises(
        "import-too-large",
        "import-pieces",
        "course-built",
        "too-many-waiting",
        "importer-missing",
        "storage-unavailable",
    ),
)
async def ask(
    body: NewImport, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """The file goes to the object store in pieces, each by an address of its own that takes just those bytes: its SHA-256 and
    size are part of it. Name the pieces here, or later with `parts`; send them in any order and several at once, then
    `complete`. Whatever breaks off goes on: `uploaded` says what is there, and expired addresses are made anew."""
    caller.require("content:write")
    settings, tenant = platform.settings, caller.tenant
    if not settings.importer_url:
        raise ContentError("importer-missing", "Nothing is imported by this service.", "Have importer_url set.")
    if body.size_bytes > settings.import_zip_bytes:
        told = f"The file has {body.size_bytes:,} bytes; {settings.import_zip_bytes:,} are possible."
        raise ContentError("import-too-large", told, "Leave out what is not needed, or split the course.")
    wanted = Upload(
        body.file_name, body.size_bytes, body.piece_bytes or settings.import_piece_bytes, body.digest, body.course_id
    )
    if wanted.pieces > MOST_PIECES:
        told = f"There would be {wanted.pieces:,} pieces; {MOST_PIECES:,} are possible."
        raise ContentError("import-pieces", told, "Use larger ones.")
    digests = _digests(wanted, body.pieces)
    async with platform.db.tenant(tenant) as tx:
        await once.begin(tx)
        import_id = await imports.begin(tx, platform.objects, tenant, wanted, settings.imports_waiting_max)
        await imports.announce(tx, tenant, import_id, digests)
        row = await _row(tx, import_id)
        await record(tx, request, caller, "import.begun", import_id=import_id, file_name=body.file_name)
        parts = await asyncio.to_thread(_sign, platform, tenant, row, wanted, digests)
        upload = UploadState(piece_bytes=wanted.piece_bytes, pieces=wanted.pieces, uploaded=())
        told = {**Import.row(row), "upload": upload, "parts": parts, "expires_in_s": settings.import_url_ttl_s}
        answer = ImportAsked.model_validate(told)
        return await once.answer(tx, 201, answer, {"Location": answer.links["self"]})


@router.get(
    "/{import_id}", summary="One import, and what of its upload is there", responses=raises("storage-unavailable")
)
async def show(import_id: Id, caller: Authenticated, platform: Platform) -> ImportShown:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        row = await _row(tx, import_id)
        digests = await imports.announced(tx, import_id) if row["state"] == "uploading" else {}
    upload = None
    if row["state"] == "uploading":
        key, wanted = places.uploaded(caller.tenant, import_id), Upload.of(row)
        there = await asyncio.to_thread(platform.objects.pieces, key, row["upload_id"])
        uploaded = [
            {"number": each.number, "size_bytes": each.size_bytes, "digest": digests.get(each.number)}
            for each in there or ()
        ]
        upload = {"piece_bytes": wanted.piece_bytes, "pieces": wanted.pieces, "uploaded": uploaded}
    return ImportShown.model_validate({**Import.row(row), "upload": upload})


@router.post(
    "/{import_id}/parts",
    summary="Addresses for pieces, for the first time or because those before have expired",
    responses=raises("import-pieces", "import-ended"),
)
async def parts(import_id: Id, body: WantedParts, caller: Authenticated, platform: Platform) -> Parts:
    """As often as needed. Whoever names another digest for a piece than before must send that piece again."""
    caller.require("content:write")
    async with platform.db.tenant(caller.tenant) as tx:
        row = await _row(tx, import_id)
        if row["state"] != "uploading":
            raise ContentError("import-ended", f"The import is {row['state']}.", "Begin a new one.")
        wanted = Upload.of(row)
        digests = _digests(wanted, body.pieces)
        await imports.announce(tx, caller.tenant, import_id, digests)
    signed = await asyncio.to_thread(_sign, platform, caller.tenant, row, wanted, digests)
    return Parts(parts=tuple(signed), expires_in_s=platform.settings.import_url_ttl_s)


@router.post(
    "/{import_id}/complete",
    status_code=202,
    response_model=Import,
    summary="The upload is complete: import the package",
    responses=raises("upload-incomplete", "import-ended", "storage-unavailable"),
)
async def complete(
    import_id: Id,
    request: Request,
    caller: Authenticated,
    platform: Platform,
    once: Idempotent,
    body: Completion | None = None,
) -> Response:
    """All pieces must be there, with the sizes and digests that were said; else 409 `upload-incomplete` names those that are
    missing. Follow and cancel the job like any other. It succeeds also where the package is refused: that is an answer, and
    the report says why (`result.accepted`). Completing again gives the same answer."""
    caller.require("content:write")
    tenant = caller.tenant
    async with platform.db.tenant(tenant) as tx:
        row = await _row(tx, import_id)
        digests = await imports.announced(tx, import_id)
    if row["state"] == "uploading":
        key, wanted = places.uploaded(tenant, import_id), Upload.of(row)
        await asyncio.to_thread(imports.assemble, platform.objects, key, row["upload_id"], wanted, digests)
    async with platform.db.tenant(tenant) as tx:
        await once.begin(tx)
        if await imports.hand_in(tx, tenant, import_id, body.digest if body else None):
            await record(tx, request, caller, "import.requested", import_id=import_id, file_name=row["file_name"])
        row = await _row(tx, import_id)
        if row["job_id"] is None:  # nobody completed it in time
            raise ContentError("import-ended", f"The import is {row['state']}.", "Begin a new one.")
        answer = Import.model_validate(Import.row(row))
        return await once.answer(tx, 202, answer, {"Location": answer.links["job"]})


@router.delete(
    "/{import_id}",
    status_code=204,
    summary="Give an import up",
    responses=raises("import-ended", "held", "storage-unavailable"),
)
async def remove(import_id: Id, request: Request, caller: Authenticated, platform: Platform) -> None:
    """What was uploaded is removed, its job is cancelled if it has not ended, and its report is forgotten. One from which a
    version came answers 409 `import-ended`: take back the version instead."""
    caller.require("content:write")
    tenant = caller.tenant
    async with platform.db.tenant(tenant) as tx:
        row = await _row(tx, import_id)
        if row["job_id"] is not None:
            try:
                await steering.cancel(tx, tenant, row["job_id"])
            except ContentError as error:
                if error.code != "job-ended":
                    raise
            row = await _row(tx, import_id)  # its job is locked now: what it came to has been committed
        if row["state"] in ("accepted", "superseded"):
            raise ContentError("import-ended", f"The import is {row['state']}.", "Withdraw the version instead.")
        await holds.require_free(tx, tenant, whole=True)
        await imports.remove(tx, import_id)
        await record(tx, request, caller, "import.removed", import_id=import_id, file_name=row["file_name"])
    await imports.remove_files(platform, tenant, import_id, row["upload_id"])


@router.get(
    "/{import_id}/report",
    summary="What its author should know of a package",
    response_model=ImportReport,
    responses={
        200: {"description": "As JSON, or as a page for the author, by `Accept`.", "content": PAGE},
        **UNCHANGED,
        **raises("not-acceptable", "report-not-ready"),
    },
)
async def report(import_id: Id, request: Request, caller: Authenticated, platform: Platform) -> Response:
    """Accepted or why not, edition, tool, tree, launch, sizes, everything that was assumed, and what matters offline."""
    return await _report(import_id, request, caller, platform, html=preferred(request) == "text/html")


@router.get(
    "/{import_id}/report.html",
    summary="The same as a page, whatever `Accept` says",
    response_class=HTMLResponse,
    responses={**UNCHANGED, **raises("not-found", "report-not-ready")},
)
async def report_page(import_id: Id, request: Request, caller: Authenticated, platform: Platform) -> Response:
    """Holds no script and no style of its own."""
    return await _report(import_id, request, caller, platform, html=True)


async def _report(import_id: str, request: Request, caller: Caller, platform: Any, *, html: bool) -> Response:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        row = await fetch_one(tx, "select state, file_name, report from imports where import_id = %s", [import_id])
    if row is None:
        raise not_found("import")
    if row["report"] is None:
        raise ContentError("report-not-ready", f"The import is {row['state']}.", "Wait for the end of its job.")
    found = ImportReport.model_validate({"import_id": import_id, "file_name": row["file_name"], **row["report"]})
    return report_answer(request, found, import_report_page, html=html)


def _digests(wanted: Upload, pieces: Iterable[PieceDigest]) -> dict[int, str]:
    """By their numbers, each of which there is. Raises ContentError `import-pieces`."""
    found = {each.number: each.digest for each in pieces}
    for number in found:
        wanted.piece_size(number)
    return found


def _sign(platform: Any, tenant: str, row: dict[str, Any], wanted: Upload, digests: dict[int, str]) -> list[Part]:
    key, ttl_s, outside = (
        places.uploaded(tenant, row["import_id"]),
        platform.settings.import_url_ttl_s,
        platform.outside,
    )
    made: list[Part] = []
    for number, found in sorted(digests.items()):
        size = wanted.piece_size(number)
        signed = outside.piece(key, row["upload_id"], number, size, found, ttl_s)
        made.append(Part(number=number, size_bytes=size, url=signed.url, headers=signed.headers))
    return made


async def _row(tx: Transaction, import_id: str) -> dict[str, Any]:
    row = await fetch_one(
        tx, f"select {COLUMNS}, piece_bytes, upload_id from imports where import_id = %s", [import_id]
    )
    if row is None:
        raise not_found("import")
    return row
