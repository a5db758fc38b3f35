"""What several routes take back in the same way: a version with its manifest, and the list that names what is revoked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog
from fastapi import Request

from cluster import database
from cluster.connections import Connections
from cluster.eventlog import slips
from cluster.invalidations import Changed
from cluster.telemetry import describe
from content.errors import ContentError
from serve_app.auth import Caller
from serve_app.idempotency import Replay
from serve_app.record import record
from tasks import revocations, withdrawal

log = structlog.get_logger()


async def withdraw_version(
    request: Request, platform: Connections, caller: Caller, package_id: str, version: int, reason: str, *, revoke: bool
) -> None:
    """Withdraw a version; with `revoke`, devices that have installed it are told to open it no more.

    Raises ContentError `not-found`, `version-not-published`, `storage-unavailable`.
    """
    tenant = caller.tenant
    if revoke:  # first and by itself: it must not wait for the store, which may be away
        async with platform.db.tenant(tenant) as tx:
            await withdrawal.require_published(tx, package_id, version)
            await revocations.version(tx, tenant, package_id, version, reason=reason)
            await record(tx, request, caller, "version.revoked", package_id=package_id, version=version, reason=reason)
        await list_now(platform, tenant)
    await withdrawal.prepare(platform, tenant, package_id, version)
    async with platform.db.tenant(tenant) as tx:
        if await withdrawal.withdraw(tx, tenant, package_id, version, reason, datetime.now(UTC)):
            await record(
                tx, request, caller, "version.withdrawn", package_id=package_id, version=version, reason=reason
            )
    word = Changed(tenant, package_id, version, withdrawn=True)
    request.app.state.manifests.forget(word)
    await request.app.state.invalidations.tell(word)
    await withdrawal.finish(platform, tenant, package_id, version)


@asynccontextmanager
async def archived_again(platform: Connections, tenant: str) -> AsyncIterator[None]:
    """Within it, an answer that was stored is given again only once it is in the archive: the first time `not-archived` may have
    been said in its place. Raises ContentError `not-archived`."""
    try:
        yield
    except Replay:
        await slips.keep(platform, tenant)
        raise


async def list_now(platform: Connections, tenant: str) -> None:
    """Sign the list that names what was just revoked, and have both in the archive before anybody is told that it is done. What
    cannot be signed now the bundler pool signs, in a moment. Whoever asks again calls it again, also where nothing is new.
    Raises ContentError `not-archived`."""
    try:
        async with platform.db.tenant(tenant) as tx:
            await revocations.publish(tx, platform, tenant, await database.now(tx))
    except ContentError as error:
        log.warning("revocations not listed yet", tenant=tenant, **describe(error))
    await slips.keep(platform, tenant)
