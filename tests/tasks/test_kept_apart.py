"""What a segment of the event log must not hold, since nothing erases it there: who somebody is, what a neighbour says of them
beside the agreed fields, and keys that end with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

import psycopg
import pytest

from cluster import places
from cluster.connections import Connections
from cluster.database import fetch_all
from cluster.eventlog import settled, slips
from cluster.eventlog.store import LogStore
from cluster.keys import shredding
from cluster.release.expand import statements
from content.errors import ContentError
from content.eventlog import Change
from tasks.content_keys import content_keys
from tasks.intake import receive
from tasks.keeping import erasure, erasure_job, holds
from tasks.recovery import restore_epoch
from tasks.recovery.restore_log import ReadLog, load
from tasks.recovery.restore_rows import named_in
from tests.support.kept import ADA, BOB, PACKAGE, Keys, World, carried, made, served
from tests.support.plain_postgres import PlainPostgres
from tests.tasks.test_kept import named, without_streams

EVE, WRAPPED = "eve@school.example", "the-key-service-wrapped-this"
BACK = """
    select concat_ws(' ', value ->> 'scope', value ->> 'epoch') as name, value ->> 'wrapped' as wrapped from restore_rows
    where name = 'content_keys' and value is not null
"""


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainPostgres]:
    with served(tmp_path_factory) as found:
        yield found


@pytest.fixture
def world(postgres: PlainPostgres) -> Iterator[World]:
    """Its log begins here, as its bucket does."""
    postgres.execute("truncate event_log, change_log, restore_rows, restore_segments")
    with made(postgres) as found:
        yield found


def archived(world: World) -> list[Change]:
    store = LogStore(world.objects, world.settings.region)
    return [
        change
        for epoch, last in store.path()
        for _, segment in store.read(epoch, last)
        for change in segment.parsed()
        if change.tenant == world.tenant
    ]


def said(world: World, kind: str, **data: Any) -> None:
    event = {
        "specversion": "1.0", "id": f"event-{kind}-{len(data)}", "source": "/enrollment-service", "type": kind, "subject": EVE,
        "time": "2026-11-26T10:00:00Z", "datacontenttype": "application/json", "learner_name": "Eve Adams",
        "data": {"tenant_id": world.tenant, **data, "email": EVE, "profile": {"name": "Eve Adams"}},
    }  # fmt: skip
    assert world.run(lambda connections: receive(connections, json.dumps(event).encode()))


def test_what_a_neighbour_says_beside_the_agreed_fields_is_not_in_the_log(world: World) -> None:
    said(world, "enrollment.created.v1", enrollment_id="enr-eve", learner_id=EVE, course_id="course-9")
    said(world, "enrollment.cancelled.v1", enrollment_id="enr-eve", reason="moved")
    carried(world)
    everything = b"".join(change.line for change in archived(world)).decode()
    assert EVE not in everything and "Eve Adams" not in everything
    received = [change.value or {} for change in archived(world) if change.name == "received"]
    (row,) = world.rows("select pseudonym from learners where learner_id = %s", EVE)
    created, cancelled = (event["data"] for event in received)
    assert created == {
        "tenant_id": world.tenant, "enrollment_id": "enr-eve", "learner_id": row["pseudonym"], "course_id": "course-9"
    }  # fmt: skip
    assert cancelled == {"tenant_id": world.tenant, "enrollment_id": "enr-eve", "reason": "moved"}
    assert {name for event in received for name in event} == {
        "specversion", "id", "source", "type", "time", "datacontenttype", "data"
    }  # fmt: skip


class Wrapping(Keys):
    """Wraps so that it is to be recognized."""

    def wrap(self, tenant: str, keys: list[bytes]) -> list[str]:
        return [WRAPPED] * len(keys)

    def unwrap(self, tenant: str, texts: list[str]) -> list[bytes]:
        return [text.encode().ljust(32) for text in texts]


def with_keys(world: World) -> None:
    """A content key of each learner's device, and one that all devices of a profile share."""
    world.keys = Wrapping()
    scopes = {"device-a": 2, "device-b": 2, "phone": 1}
    found = world.run(lambda connections: content_keys(connections, world.tenant, PACKAGE, scopes))
    assert found["device-a"][0].key == WRAPPED.encode().ljust(32), "whoever encrypts has them as ever"
    carried(world)


def brought_back(world: World) -> dict[str, str]:
    """The wrapped key of each scope and epoch that a restore would make of the log, in a database that knows no secret."""

    async def staged(connections: Connections) -> list[dict[str, Any]]:
        store, found = LogStore(world.objects, world.settings.region), ReadLog()
        for epoch, last in store.path():
            for at, segment in store.read(epoch, last):
                await load(connections, at, segment, found.tenants, set())
        async with connections.db.tenant(world.tenant) as tx:
            await tx.execute(b"update learners set secret = null")
            await named_in(tx, world.objects, world.tenant)
            return await fetch_all(tx, BACK)

    return {row["name"]: row["wrapped"] for row in world.run(staged)}


def test_a_devices_content_key_is_sealed_in_the_log_and_comes_back_with_its_learner(world: World) -> None:
    with_keys(world)
    lines = [change.line.decode() for change in archived(world) if change.name == "content_keys"]
    told = [line for line in lines if WRAPPED in line]
    assert len(told) == 1 and '"phone"' in told[0], "a shared key is nobody's own"
    # Those of epoch 1 are as they were made before anything was sealed.
    assert brought_back(world) == {
        "device-a 1": "w", "device-a 2": WRAPPED, "device-b 1": "w", "device-b 2": WRAPPED, "phone 1": WRAPPED
    }  # fmt: skip


@pytest.mark.parametrize("hold", [False, True], ids=["free", "under hold"])
def test_what_the_log_has_of_a_learners_content_keys_opens_for_nobody_after_an_erasure(
    world: World, monkeypatch: pytest.MonkeyPatch, hold: bool
) -> None:
    without_streams(monkeypatch)
    with_keys(world)
    (row,) = world.rows("select pseudonym, secret from learners where learner_id = %s", ADA)
    assert secret_is_in(world, row["secret"])
    if hold:
        world.tx(lambda tx: holds.place(tx, world.tenant, PACKAGE, "Case", by_operator=False))
    found = world.tx(lambda tx: erasure.erase(tx, world.tenant, ADA))
    assert world.job(erasure_job, found.job_id)["state"] == "succeeded"
    carried(world)
    assert not secret_is_in(world, row["secret"])
    assert not world.rows("select 1 as x from learners where secret = %s", row["secret"])
    sealed = [change.value for change in archived(world) if change.name == "content_keys" and change.value]
    assert row["pseudonym"] in {shredding.whose(value["sealed"]) for value in sealed if value.get("sealed")}
    assert not [value for value in sealed if value["scope"] == "device-a" and WRAPPED in json.dumps(value)]
    assert brought_back(world) == {"device-b 1": "w", "device-b 2": WRAPPED, "phone 1": WRAPPED}


def test_who_may_read_the_log_alone_learns_nothing_from_a_key_whose_removal_it_lacks(world: World) -> None:
    """As when a region is lost before the erasure's own changes were archived: the secret decides."""
    with_keys(world)
    (row,) = world.rows("select pseudonym from learners where learner_id = %s", ADA)
    world.objects.erase(places.identity(world.tenant, row["pseudonym"]))
    assert "device-a 2" not in brought_back(world)


def secret_is_in(world: World, secret: str) -> bool:
    """Whether any version of any object holds it."""
    client = world.objects.client
    found = client.get_paginator("list_object_versions").paginate(Bucket="content")
    versions = [each for page in found for each in page.get("Versions", [])]
    bodies = [
        client.get_object(Bucket="content", Key=v["Key"], VersionId=v["VersionId"])["Body"].read() for v in versions
    ]
    return any(secret.encode() in body for body in bodies) or any(
        secret.encode() in change.line for change in archived(world)
    )


def test_an_erasure_is_in_the_store_before_it_is_acknowledged(world: World) -> None:
    """By pseudonym; no archiver has run."""
    found = world.tx(lambda tx: erasure.erase(tx, world.tenant, ADA))
    assert world.run(lambda connections: slips.keep(connections, world.tenant)) > 0
    store = LogStore(world.objects, world.settings.region)
    kept = [change for slip in settled.read_slips(store, store.slips()) for change in slip.changes]
    (erased,) = [change.value or {} for change in kept if change.name == "erasures"]
    assert (erased["erasure_id"], erased["pseudonym"]) == (found.erasure_id, found.pseudonym)
    assert ADA.encode() not in b"".join(change.line for change in kept)


def test_an_erasure_that_outlived_its_region_alone_is_done_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a slip brings back: the row of the erasure, and of the device what says that it was taken back. All else is lost: who
    the pseudonym was is known again, and there is no job."""
    without_streams(monkeypatch)
    (known,) = world.rows("select pseudonym from learners where learner_id = %s", ADA)
    world.do(
        ("insert into erasures (tenant, erasure_id, pseudonym, digest, job_id) values (%s, 'ers_1', %s, 'd', 'job_lost')", [world.tenant, known["pseudonym"]]),
        ("update devices set state = 'revoked', revoked_at = now(), signing_jwk = '{}', encryption_jwk = '{}', erased_at = now() where device_id = 'device-a'", []),
    )  # fmt: skip

    async def next_epoch(connections: Connections) -> None:
        async with connections.db.tenant(world.tenant) as tx:
            await restore_epoch.begin(tx, connections, world.tenant, "database.restored", {})

    world.run(next_epoch)
    assert named(world, ADA) == [] and named(world, BOB), "nobody else's name"
    assert [row["scope"] for row in world.rows("select scope from content_keys")] == ["device-b"]
    assert world.rows("select state from enrolments where enrollment_id = 'enr-a'") == [{"state": "cancelled"}]
    (event,) = world.rows("select data from outbox where type = 'content.learner.erased.v1'")
    assert (event["data"]["erasure_id"], event["data"]["device_ids"]) == ("ers_1", ["device-a"])
    assert world.job(erasure_job, "job_lost")["state"] == "succeeded"
    assert world.rows("select erasure_id, state from erasures") == [{"erasure_id": "ers_1", "state": "done"}]
    assert world.tx(lambda tx: erasure.repeat(tx, world.tenant)) == 0


def test_an_erasure_whose_job_was_lost_is_queued_again(world: World) -> None:
    world.do(("insert into erasures (tenant, erasure_id, pseudonym, job_id) values (%s, 'ers_1', %s, 'job_lost')", [world.tenant, f"lrn_{0:032x}"]))  # fmt: skip
    assert world.tx(lambda tx: erasure.resume(tx, world.tenant)) == 1
    (row,) = world.rows("select j.state from erasures e join jobs j on j.job_id = e.job_id")
    assert row == {"state": "queued"}
    assert world.tx(lambda tx: erasure.resume(tx, world.tenant)) == 0, "it is at work"


def test_whoever_was_here_before_there_were_secrets_gets_one_that_the_archiver_hears_of(world: World) -> None:
    """The migration on a database with learners, as the owner runs it."""
    world.do(("update learners set secret = null", []))
    carried(world)
    text = (resources.files("cluster.migrations") / "0022_shredding.sql").read_text()
    again = [statement for _, statement in statements(text) if "add column" not in statement]
    with psycopg.connect(world.settings.postgres_owner.get_secret_value()) as owner:
        for statement in again:
            owner.execute(statement.encode())
    known = world.rows("select pseudonym, secret from learners")
    assert len({row["secret"] for row in known if len(row["secret"]) == 64}) == len(known) == 2
    carried(world)
    kept = [json.loads(world.objects.get(places.identity(world.tenant, row["pseudonym"]))) for row in known]
    assert [row["secret"] for row in kept] == [row["secret"] for row in known]
    forced = world.rows("select relforcerowsecurity as f from pg_class where relname in ('learners', 'change_log')")
    assert [row["f"] for row in forced] == [True, True]


def test_what_was_sealed_opens_with_its_own_secret_and_as_its_own_key_alone() -> None:
    sealed = shredding.seal("lrn_1", "secret", "key_1", WRAPPED)
    assert (shredding.whose(sealed), shredding.unseal("secret", "key_1", sealed)) == ("lrn_1", WRAPPED)
    assert WRAPPED not in sealed and sealed != shredding.seal("lrn_1", "secret", "key_1", WRAPPED)
    for secret, kid, text in (
        ("other", "key_1", sealed),
        ("secret", "key_2", sealed),
        ("secret", "key_1", sealed[:-8]),
    ):
        with pytest.raises(ContentError) as refused:
            shredding.unseal(secret, kid, text)
        assert refused.value.code == "key-refused"
