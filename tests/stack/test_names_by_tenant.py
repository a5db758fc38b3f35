"""What is not a table is told apart by tenant, too: blobs by prefix, keys by name and context, events by their data; and a
NATS user may do what its program needs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import nats
import pytest

from cluster.keys import connect
from cluster.local.home import read_json
from content.errors import ContentError
from tests.support.populated import Populated
from tests.support.running import KINDS, Running


@pytest.fixture(scope="module")
def tenant(running: Running) -> Populated:
    return Populated(running)


def test_every_blob_lies_below_its_kind_and_a_tenant(running: Running, tenant: Populated) -> None:
    known = {row["tenant"] for row in running.rows("select tenant from tenants")}
    keys = [key for key, _ in running.objects.keys("")]
    assert any(key.split("/")[1] == tenant.name for key in keys)
    # The same keys again, cold or kept by a hold; copies of audit logs; who is behind a pseudonym. Segments are of all tenants.
    names = {key: key.removeprefix("cold/").removeprefix("held/").removeprefix("archive/") for key in keys}
    kinds = (*KINDS, "sites/", "audit/", "identities/")
    strays = [key for key, name in names.items() if not name.startswith(kinds) or name.split("/")[1] not in known]
    assert [key for key in strays if not key.startswith("events/")] == []


def test_every_key_of_the_key_service_is_named_after_its_tenant(running: Running, tenant: Populated) -> None:
    rows = running.rows("select tenant, key_name from signing_keys")
    assert {row["tenant"] for row in rows} >= {tenant.name, "demo"}
    assert [row for row in rows if not row["key_name"].startswith(f"{row['tenant']}.")] == []


def test_a_content_key_is_unwrapped_for_its_tenant_alone(running: Running) -> None:
    keys = connect(running.settings)
    wrapped = keys.wrap("one", [b"k" * 32])
    assert keys.unwrap("one", wrapped) == [b"k" * 32]
    with pytest.raises(ContentError) as refused:
        keys.unwrap("two", wrapped)
    assert refused.value.code == "key-refused"


def test_every_event_carries_the_tenant_of_its_row(running: Running, tenant: Populated) -> None:
    tenant.api.withdraw(tenant.package_id, 1, "To have an event.")
    rows = running.rows("select tenant, data ->> 'tenant_id' as told, type from outbox")
    assert "content.play_package.withdrawn.v1" in [row["type"] for row in rows if row["tenant"] == tenant.name]
    assert [row for row in rows if row["tenant"] != row["told"]] == []


MARK = "nobody.may.hear.this"


async def _refused(running: Running, user: str, publish: Sequence[str], hear: Sequence[str]) -> list[str]:
    """The subjects that NATS refused to this user. The last asked for is one that nobody may use: refusals come in order,
    so when that one is there, all are. (A flush is no such mark: its answer may overtake them.)"""
    refused: list[str] = []
    all_told = asyncio.Event()

    async def note(error: Exception) -> None:
        refused.append(str(error))
        if MARK in refused[-1]:
            all_told.set()

    password = read_json(running.home.keys / "secrets.json")[f"nats_{user}"]
    client = await nats.connect(
        running.settings.nats_url, user=user, password=password, error_cb=note, max_reconnect_attempts=0
    )
    try:
        for subject in publish:
            await client.publish(subject, b"{}")
        for subject in hear:
            await client.subscribe(subject)
        await client.flush(timeout=60)  # what is published is sent before what is subscribed to
        await client.subscribe(MARK)
        await asyncio.wait_for(all_told.wait(), 10)
    finally:
        await client.close()
    return [subject for subject in (*publish, *hear) if any(f'"{subject}"'.lower() in text.lower() for text in refused)]


WORDS = ["cache.invalidate.v1.*", "content.play_package.withdrawn.v1"]


@pytest.mark.parametrize(
    ("user", "may", "may_not"),
    [
        ("content", (["cache.invalidate.v1.nobody"], WORDS), (["authoring.x", "enrollment.created.v1"], ["authoring.>", "content.>"])),
        ("edge", ([], WORDS), (["cache.invalidate.v1.nobody", "content.x", "authoring.x"], ["content.>", "cache.>", "_INBOX.>"])),
        (
            "erasure", (["$JS.API.STREAM.INFO.CONTENT_EVENTS"], ["_INBOX.mine"]),
            (["content.x", "dead.x", "$JS.API.STREAM.PURGE.CONTENT_EVENTS", "$JS.API.STREAM.MSG.DELETE.CONTENT_GLOBAL"], ["content.>"]),
        ),
        ("neighbours", ([], ["_INBOX.mine"]), (["cache.invalidate.v1.nobody", "content.x", "dead.x"], WORDS)),
    ],
)  # fmt: skip
def test_a_nats_user_may_do_what_its_program_needs(
    running: Running, user: str, may: tuple[list[str], list[str]], may_not: tuple[list[str], list[str]]
) -> None:
    assert asyncio.run(_refused(running, user, *may)) == []
    assert asyncio.run(_refused(running, user, *may_not)) == [*may_not[0], *may_not[1]]
