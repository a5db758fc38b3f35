"""The event log on its way to the object store: what is committed is archived once, whatever dies and however commits lie."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from cluster import places
from cluster.eventlog import tables
from cluster.eventlog.store import LogStore
from cluster.objects import Objects
from content.errors import ContentError
from content.eventlog import Change, latest, parse_segment
from serve_app.client import ApiError
from tasks.recovery.archive import Archiver
from tests.support.light import Light
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)


def carried(running: Light) -> int:
    """Archive whatever waits."""

    async def carry() -> int:
        # A session is ended when it is idle for a lease, and all that the archive holds may be read meanwhile.
        archiver = Archiver(running.settings.model_copy(update={"lease_s": 60.0}), running.objects)
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


def test_transactions_that_commit_in_another_order_than_they_began(bare: Light) -> None:
    """The older transaction changes the row last: positions, and ids of transactions, both lie the other way round."""
    tenant = Tenant(bare)
    carried(bare)

    def connected() -> psycopg.Connection[Any]:
        connection = psycopg.connect(bare.settings.postgres_worker.get_secret_value(), autocommit=True)
        connection.execute("select set_config('app.tenant', %s, false)", [tenant.name])
        return connection

    insert = "insert into outbox_keys (tenant, key, sequence) values (%s, %s, 1)"
    change = "update outbox_keys set sequence = sequence + 1 where key = 'row'"
    with connected() as slow, connected() as old, connected() as young:
        slow.execute(b"begin")
        slow.execute(insert, [tenant.name, "slow"])  # as long as it lasts, no horizon moves
        young.execute(insert, [tenant.name, "row"])
        old.execute(b"begin")
        old.execute(insert, [tenant.name, "old"])  # has its id now
        young.execute(change)  # a younger id, an earlier change
        old.execute(change)
        old.execute(b"commit")
        assert carried(bare) > 0, "nobody waits for the transaction that goes on"
        young.execute(change)
        slow.execute(b"commit")
    assert carried(bare) > 0
    found = latest((epoch, change) for epoch, change in archived(bare) if change.tenant == tenant.name)
    keys = {change.key["key"]: change.value for change in found.values() if change.name == "outbox_keys"}
    assert {name: value and value["sequence"] for name, value in keys.items()} == {"slow": 1, "old": 1, "row": 4}


@pytest.mark.parametrize("point", ["archive.before_put", "archive.after_put"])
def test_an_archiver_that_dies_forgets_nothing_and_forks_nothing(bare: Light, point: str) -> None:
    carried(bare)
    tenant = Tenant(bare)
    bare.failpoints.arm(point, "kill")
    bare.worker("relay")
    bare.failpoints.reached(point)
    bare.end_workers()
    # Until Postgres has noticed that the dead one is gone, it is the one that archives.
    until("all archived", lambda: carried(bare) or not bare.rows("select 1 as x from change_log"))
    own = [change for _, change in archived(bare) if change.tenant == tenant.name]
    assert len({change.n for change in own}) == len(own) > 0, "once, and not twice"
    assert bare.rows("select 1 from change_log") == []


def test_one_of_two_archivers_works(bare: Light) -> None:
    async def both() -> list[int]:
        # An archiver's session is ended when it is idle for a lease.
        settings = bare.settings.model_copy(update={"lease_s": 60.0})
        first, second = (Archiver(settings, bare.objects) for _ in range(2))
        try:
            await first.carry()
            Tenant(bare)
            return [(await second.step()).changes, (await first.step()).changes]
        finally:
            await first.close()
            await second.close()

    idle, worked = asyncio.run(both())
    assert idle == 0
    assert worked > 0


def test_an_archiver_that_the_store_refuses_lets_another_go_on(bare: Light) -> None:
    """As one whose clock is wrong: it would hold the lock, and the region's archive would stand still with it."""

    async def go() -> int:
        wrong = bare.settings.model_copy(update={"s3_secret_key": SecretStr("another")})
        refused, right = Archiver(wrong, Objects(wrong)), Archiver(bare.settings, bare.objects)
        try:
            with pytest.raises(ContentError):
                await refused.step()
            return await right.carry()
        finally:
            await refused.close()
            await right.close()

    Tenant(bare)
    assert asyncio.run(go()) > 0


def test_a_burst_of_learners_is_no_standstill(bare: Light) -> None:
    """Each is an object of its own that lies in the store before the segment does: signs of life come meanwhile, or the replica
    that is at it would be replaced, and its successor too."""
    carried(bare)
    tenant, store, signs = Tenant(bare), LogStore(bare.objects, bare.settings.region), list[tuple[int, int]]()
    for number in range(5):
        tenant.device(f"learner-{number}")
    before = max(store.epochs().items())

    async def carry() -> None:
        archiver = Archiver(bare.settings, bare.objects, lambda: signs.append(max(store.epochs().items())))
        try:
            assert await archiver.carry() > 0
        finally:
            await archiver.close()

    asyncio.run(carry())
    assert signs.count(before) >= 5
    assert signs[-1] > before


def test_what_is_revoked_is_in_the_store_before_it_is_acknowledged(bare: Light) -> None:
    """No archiver runs here, and still the slip is there; without the store the caller is told so, and asks again."""
    tenant = Tenant(bare)
    device = tenant.device("learner-1")
    store = LogStore(bare.objects, bare.settings.region)
    prefix = f"{places.slips(bare.settings.region)}"
    assert [key for key, _ in store.slips() if f"/{tenant.name}/" in key], "the tenant's keys"
    before = {key for key, _ in store.slips()}
    tenant.api.revoke("device", device.id, "lost on a bus")
    (slip,) = {key for key, _ in store.slips()} - before
    assert slip.startswith(prefix)
    changes = list(parse_segment(bare.objects.get(slip)).parsed())
    told = {(change.name, change.value and change.value.get("subject")) for change in changes}
    assert ("revocations", device.id) in told

    other = tenant.device("learner-2")
    bare.stop_part("s3")
    try:
        with pytest.raises(ApiError) as refused:
            tenant.api.revoke("device", other.id, "lost on a ship")
        assert refused.value.code == "not-archived"
        assert bare.rows("select 1 from revocations where subject = %s", other.id), "it holds all the same"
    finally:
        bare.start_part()
    assert tenant.api.revoke("device", other.id, "lost on a ship")["subject"] == other.id


def test_who_a_pseudonym_is_stands_apart_and_can_be_forgotten(bare: Light) -> None:
    tenant = Tenant(bare)
    tenant.device("ada@school.example")
    carried(bare)
    known = "select pseudonym from learners where tenant = %s and learner_id = 'ada@school.example'"
    (row,) = bare.rows(known, tenant.name)
    key = places.identity(tenant.name, row["pseudonym"])
    assert json.loads(bare.objects.get(key))["learner_id"] == "ada@school.example"
    everything = b"".join(change.line for _, change in archived(bare))
    assert b"ada@school.example" not in everything
    assert row["pseudonym"].encode() in everything
    with bare.superuser() as connection:
        connection.execute(
            "select set_config('app.tenant', %s, false)", [tenant.name]
        )  # within which changes are logged
        connection.execute("delete from learners where pseudonym = %s", [row["pseudonym"]])
    carried(bare)
    assert bare.objects.size(key) is None


def test_every_table_of_a_tenant_is_logged_or_explained(bare: Light) -> None:
    rows = bare.rows(
        """select c.relname as name, exists (select 1 from pg_attribute a where a.attrelid = c.oid and attname = 'tenant'
                                             and not attisdropped) as tenant,
                  (select count(*) from pg_trigger t where t.tgrelid = c.oid and tgname in ('log_changes', 'log_removals'))
                      as triggers
           from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where nspname = 'public' and relkind in ('r', 'p') and relname !~ '^pgqueuer'"""
    )
    logged = {row["name"] for row in rows if row["triggers"]}
    assert all(row["triggers"] in (0, 2) for row in rows)
    assert {row["name"] for row in rows if row["tenant"]} - logged == set(tables.UNTOLD), (
        "call log_changes in its migration, or say in cluster/eventlog/tables.py from what it follows"
    )
    assert {row["name"] for row in rows if not row["tenant"]} == set(tables.WORK)
    assert logged.isdisjoint(tables.UNTOLD)
    assert set(tables.PERSONAL) <= logged
