"""What NATS told and Postgres has lost is heard again: after a restore into an empty database and after a reconcile, also where they
were killed before their end.

Two regions' NATS servers, linked, and a Postgres of the test's own; the store is in this process. `us` says, `eu` loses.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from nats.js.errors import NotFoundError
from pydantic import SecretStr

from cluster.connections import Connections
from cluster.events import DOMAIN, GLOBAL, Events
from cluster.local import nats as local_nats
from cluster.local.postgres import DATABASE
from content.errors import ContentError
from tasks import elsewhere
from tasks.elsewhere import Elsewhere
from tasks.intake import Intake
from tasks.recovery import hearing, restore
from tasks.recovery.reconcile import Reconciled, reconcile
from tasks.recovery.restore import Restore, Restored
from tests.cluster.test_region_links import World as Links
from tests.cluster.test_region_links import _world as linked
from tests.support.kept import COURSE, World, carried, copied, made, served, set_back
from tests.support.messages import event
from tests.support.plain_postgres import PlainPostgres

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("servers")]
PATIENCE_S = 150
NOW = "2026-11-27T08:00:00Z"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainPostgres]:
    with served(tmp_path_factory) as found:
        copied(found, DATABASE, "clean")
        yield found


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Links]:
    yield from linked(tmp_path_factory.mktemp("regions"), ("us", "eu"))


@pytest.fixture
def eu(postgres: PlainPostgres, links: Links) -> Iterator[World]:
    """A region with a tenant, all of it archived."""
    postgres.execute(f"drop database if exists {DATABASE}", database="postgres")
    copied(postgres, "clean", DATABASE)
    site = links["eu"].site
    login = {
        "region": "eu",
        "nats_url": local_nats.url(site),
        "nats_user": "content",
        "nats_password": SecretStr(site.secrets["nats_content"]),
    }
    with made(postgres) as found:
        world = replace(found, settings=found.settings.model_copy(update=login))
        world.do(("update signing_keys set status = 'retired'", []))
        carried(world)
        yield world


def emptied(world: World, postgres: PlainPostgres) -> World:
    """The same region with an empty database."""
    postgres.execute("drop database if exists restored", database="postgres")
    copied(postgres, "clean", "restored")

    def there(dsn: SecretStr) -> SecretStr:
        return SecretStr(urlunsplit(urlsplit(dsn.get_secret_value())._replace(path="/restored")))

    names = [f"postgres_{role}" for role in ("owner", "api", "worker", "relay", "ops")]
    update = {name: there(getattr(world.settings, name)) for name in names}
    return replace(world, settings=world.settings.model_copy(update=update))


def restored(world: World) -> Restored:
    return world.run(lambda connections: Restore(connections, world.objects, "s3://content", builds=False).run())


def reconciled(world: World, **how: bool) -> Reconciled:
    return world.run(lambda connections: reconcile(connections, **how))


# -- what is said and heard -------------------------------------------------------------------------------------------


def said_in_us(links: Links, tenant: str, device: str) -> None:
    """A tenant lives in us, and took a device back."""
    named = {"bundles": [], "devices": [device], "packages": [], "versions": [], "kids": [], "complete": True}
    bodies = [
        foreign("content.tenant.homed.v1", tenant, {"home_region": "us"}),
        foreign("content.revocation.issued.v1", tenant, {"version": [1, 1], "issued_at": NOW, **named}),
    ]

    async def publish() -> None:
        async with links["us"].client("content") as client:
            for body in bodies:
                await client.jetstream().publish(
                    body["type"], json.dumps(body).encode(), headers={"Nats-Msg-Id": body["id"]}
                )

    asyncio.run(publish())


def foreign(kind: str, tenant: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": str(uuid.uuid4()), "source": "/content-service/us", "type": kind, "subject": tenant,
        "time": NOW, "tenant_id": tenant, "data": {"tenant_id": tenant, **data},
    }  # fmt: skip


def enrolled(links: Links, tenant: str, enrolment: str) -> None:
    """A neighbour in eu says so."""
    body = event(
        "enrollment.created.v1", tenant, {"enrollment_id": enrolment, "learner_id": "carl", "course_id": COURSE}
    )

    async def publish() -> None:
        async with links["eu"].client("neighbours") as client:
            await client.jetstream().publish(
                body["type"], json.dumps(body).encode(), headers={"Nats-Msg-Id": body["id"]}
            )

    asyncio.run(publish())


def relayed(world: World, there: Callable[[], bool]) -> None:
    """A relay is at work until it is so; it begins anew, as its process does."""

    async def relay(connections: Connections) -> None:
        events = await Events.connect(world.settings)
        others, neighbours = Elsewhere(connections, events), Intake(connections, events)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await asyncio.to_thread(there):
                    await asyncio.gather(others.step(), neighbours.step())
        finally:
            await events.close()

    world.run(relay)


def is_revoked(world: World, tenant: str, device: str) -> bool:
    """What `GET /v1/tenants/{tenant}/revoked` looks at."""

    async def look(connections: Connections) -> bool:
        async with connections.db.tenant(tenant) as tx:
            home = await elsewhere.home_of(tx)
            return home == "us" and await elsewhere.revoked(tx, "device", device) is not None

    return world.run(look)


def enrolments(world: World) -> set[str]:
    return {row["enrollment_id"] for row in world.rows("select enrollment_id from enrolments")}


class Told:
    """What is told while a database knows it, and is lost from it."""

    def __init__(self, world: World, links: Links) -> None:
        self.tenant, self.device, self.enrolment = (f"{each}-{uuid.uuid4().hex[:8]}" for each in ("t", "d", "enr"))
        self._home = world.tenant
        said_in_us(links, self.tenant, self.device)
        enrolled(links, world.tenant, self.enrolment)
        relayed(world, lambda: self.is_heard(world) and self.is_taken(world))
        relayed(world, lambda: self._acknowledged(links))

    def is_heard(self, world: World) -> bool:
        return is_revoked(world, self.tenant, self.device)

    def is_taken(self, world: World) -> bool:
        return self.enrolment in enrolments(world)

    def _acknowledged(self, links: Links) -> bool:
        """NATS itself brings none of it again."""

        async def look() -> bool:
            async with links["eu"].client() as client:
                stream = client.jetstream()
                found = [await stream.consumer_info(*each) for each in ((GLOBAL, elsewhere.DURABLE), (DOMAIN, "content-intake"))]  # fmt: skip
            return not any(each.num_pending or each.num_ack_pending for each in found)

        return asyncio.run(look())


# -- restore ----------------------------------------------------------------------------------------------------------


def test_a_restored_region_hears_other_regions_from_the_beginning_and_what_the_log_lacked(
    eu: World, links: Links, postgres: PlainPostgres
) -> None:
    told = Told(eu, links)  # and nothing archived behind it
    again = emptied(eu, postgres)
    found = restored(again)
    assert found.events == 1 and "events" in found.seconds
    assert told.is_taken(again)
    relayed(again, lambda: told.is_heard(again))
    assert again.rows("select count(*) as n from inbox") == [{"n": 1}]
    assert restored(again).events == 1, "told again, not done again"


def test_what_the_log_has_is_not_taken_in_twice(eu: World, links: Links, postgres: PlainPostgres) -> None:
    told = Told(eu, links)
    eu.do(("update enrolments set state = 'cancelled' where enrollment_id = %s", [told.enrolment]))
    carried(eu)
    again = emptied(eu, postgres)
    assert restored(again).events == 0
    assert again.rows("select state from enrolments where enrollment_id = %s", told.enrolment) == [
        {"state": "cancelled"}
    ]


@pytest.mark.parametrize("where", ["before", "behind"])
def test_a_restore_that_is_killed_hears_again_when_it_goes_on(
    eu: World, links: Links, postgres: PlainPostgres, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    told, again = Told(eu, links), emptied(eu, postgres)

    async def killed(*_: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as death:
        if where == "before":
            death.setattr(hearing, "again", killed)
        else:
            death.setattr(restore.state, "begin_next", killed)
        with pytest.raises(KeyboardInterrupt):
            restored(again)
    if where == "behind":  # a relay that was not stopped has made the consumer anew meanwhile
        relayed(again, lambda: told.is_heard(again))
    restored(again)
    assert told.is_taken(again)
    relayed(again, lambda: told.is_heard(again))


def test_a_restore_without_nats_goes_on_when_it_is_called_again(
    eu: World, links: Links, postgres: PlainPostgres
) -> None:
    told, again = Told(eu, links), emptied(eu, postgres)
    nobody = replace(again, settings=again.settings.model_copy(update={"nats_url": "nats://127.0.0.1:9"}))
    with pytest.raises(ContentError, match="NATS does not answer") as refused:
        restored(nobody)
    assert refused.value.retryable
    restored(again)
    assert told.is_taken(again)
    relayed(again, lambda: told.is_heard(again))


def test_a_nats_that_never_heard_anything_holds_nothing_up(eu: World, links: Links, postgres: PlainPostgres) -> None:
    async def forget() -> None:
        async with links["eu"].client() as client:
            for stream, durable in ((GLOBAL, elsewhere.DURABLE), (DOMAIN, "content-intake")):
                with suppress(NotFoundError):
                    await client.jetstream().delete_consumer(stream, durable)

    asyncio.run(forget())
    assert restored(emptied(eu, postgres)).differing == []


def test_one_event_on_which_our_code_fails_does_not_hold_the_region(
    eu: World, links: Links, postgres: PlainPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Told(eu, links), Told(eu, links)
    receive = hearing.intake.receive

    async def fails(connections: Connections, body: bytes) -> bool:
        if first.enrolment.encode() in body:
            raise ValueError("a bug")
        return await receive(connections, body)

    monkeypatch.setattr(hearing.intake, "receive", fails)
    again = emptied(eu, postgres)
    assert restored(again).events == 1
    assert second.is_taken(again) and not first.is_taken(again)


# -- reconcile --------------------------------------------------------------------------------------------------------


def test_a_database_that_was_set_back_hears_other_regions_again(
    eu: World, links: Links, postgres: PlainPostgres
) -> None:
    with set_back(postgres):
        told = Told(eu, links)
    assert not told.is_heard(eu) and not told.is_taken(eu)
    assert reconciled(eu, anyway=True).events == 1
    assert told.is_taken(eu)
    relayed(eu, lambda: told.is_heard(eu))


@pytest.mark.parametrize("where", ["before", "behind"])
def test_a_reconcile_that_is_killed_hears_again_when_it_is_called_again(
    eu: World, links: Links, postgres: PlainPostgres, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Called without `--anyway`, as after an alert: what counts as done is not done again."""
    with set_back(postgres):
        told = Told(eu, links)
        carried(eu)
    again = hearing.again

    async def killed(connections: Connections, since: datetime) -> int:
        if where == "behind":
            await again(connections, since)
        raise KeyboardInterrupt

    with monkeypatch.context() as death:
        death.setattr(hearing, "again", killed)
        with pytest.raises(KeyboardInterrupt):
            reconciled(eu)
    done = reconciled(eu)
    assert done.behind and told.is_taken(eu)
    relayed(eu, lambda: told.is_heard(eu))
    assert reconciled(eu).behind == ""


def test_a_relay_at_work_hears_again_without_being_started_anew(
    eu: World, links: Links, postgres: PlainPostgres
) -> None:
    """A relay is not stopped for a reconcile: its consumer goes away under it."""
    with set_back(postgres):
        told = Told(eu, links)

    async def both(connections: Connections) -> None:
        events = await Events.connect(eu.settings)
        others = Elsewhere(connections, events)
        try:
            await others.step()
            work = asyncio.create_task(hearing.again(connections, datetime.now(UTC) - timedelta(minutes=1)))
            async with asyncio.timeout(PATIENCE_S):
                while not (work.done() and await asyncio.to_thread(told.is_heard, eu)):
                    try:
                        await others.step()
                    except ContentError as error:  # as the relay's loop does
                        assert error.retryable
                        await asyncio.sleep(0.1)
            await work
        finally:
            await events.close()

    eu.run(both)
