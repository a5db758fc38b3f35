"""The event log on its way to the object store: what is committed is archived once, whatever dies and however commits lie."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psycopg
import pytest

from cluster.eventlog.store import LogStore
from content.errors import ContentError
from content.eventlog import Change, latest
from tasks.archive import Archiver
from tests.support.light import Light
from tests.support.tenants import Tenant

pytestmark = pytest.mark.timeout(300)


def carried(running: Light) -> int:
    """Archive whatever waits."""

    async def carry() -> int:
        archiver = Archiver(running.settings, running.objects)
        try:
            return await archiver.carry()
        finally:
            await archiver.close()

    return asyncio.run(carry())


def archived(running: Light) -> list[tuple[int, Change]]:
    """Every change in the archive, in the order of its segments, which are checked against each other."""
    store = LogStore(running.objects, running.settings.region)
    return [
        (epoch, change)
        for epoch, last in store.path()
        for _, segment in store.read(epoch, last)
        for change in segment.parsed()
    ]


def test_what_is_committed_is_archived_once_and_leaves_the_database(bare: Light) -> None:
    tenant = Tenant(bare)
    assert carried(bare) > 0
    assert carried(bare) == 0
    assert bare.rows("select n from change_log") == []
    own = [change for _, change in archived(bare) if change.tenant == tenant.name]
    assert len({change.n for change in own}) == len(own)
    rows = latest((1, change) for change in own)
    kept = [json.loads(row[2]) for row in rows if row[1] == "signing_keys"]
    here = bare.rows("select tenant, kid from signing_keys where tenant = %s", tenant.name)
    assert sorted(kept, key=str) == sorted(here, key=str)
