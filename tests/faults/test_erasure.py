"""A learner is erased: nothing anywhere names them any more, what is held stays without a name, and nothing late brings them back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import zlib
from typing import Any

import nats
import pytest

from cluster import places
from cluster.local.home import read_json
from cluster.objects import Objects
from content.canonical import derive_id
from content.documents import DocumentRefused
from content.errors import ContentError
from content.eventlog import parse_segment
from tests.support import messages
from tests.support.light import Light
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)
STREAMS = ("DOMAIN", "CONTENT_EVENTS", "CONTENT_GLOBAL", "CONTENT_DEAD")


@pytest.fixture
def tenant(bare: Light) -> Tenant:
    return Tenant(bare)


def someone() -> str:
    return f"learner-{secrets.token_hex(6)}"


# -- looking everywhere -----------------------------------------------------------------------------------------------


def in_tables(running: Light, word: str) -> list[str]:
    """Every column of every table, whatever its type, in which a word stands."""
    columns = running.rows(
        """select c.table_name as t, c.column_name as c from information_schema.columns c join information_schema.tables t
           using (table_schema, table_name) where table_schema = 'public' and t.table_type = 'BASE TABLE' order by 1, 2"""
    )
    assert len(columns) > 250
    found: list[str] = []
    for row in columns:
        name = f'"{row["t"]}"."{row["c"]}"'
        looked = f'select 1 as x from "{row["t"]}" where position(%s in cast({name} as text)) > 0'
        if running.rows(f"{looked} limit 1", word):
            found.append(f"{row['t']}.{row['c']}")
    return found


def said(segment: bytes) -> bytes:
    """What a segment or slip of the event log tells, which it holds packed.

    Other tests of this run spoil segments and put the right ones back; versions of a key stay, so of a spoilt one this is what
    anybody could still unpack.
    """
    try:
        return b"\n".join(parse_segment(segment).lines())
    except DocumentRefused:
        header, _, packed = segment.partition(b"\n")
        unpack = zlib.decompressobj()
        with contextlib.suppress(zlib.error):
            for at in range(0, len(packed), 64):
                header += unpack.decompress(packed[at : at + 64])
        return header


def in_the_store(running: Light, word: str) -> list[str]:
    """Every version of every blob, and every key, in which a word stands."""
    objects = Objects(running.settings)
    found: list[str] = []
    for page in objects.client.get_paginator("list_object_versions").paginate(Bucket=objects.bucket):
        for entry in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            if word in entry["Key"]:
                found.append(entry["Key"])
        for entry in page.get("Versions", []):
            answer = objects.client.get_object(Bucket=objects.bucket, Key=entry["Key"], VersionId=entry["VersionId"])
            body: bytes = answer["Body"].read()
            if word.encode() in (said(body) if entry["Key"].startswith("events/") else body):
                found.append(entry["Key"])
    return found


def on_the_streams(running: Light, word: str) -> list[str]:
    async def look() -> list[str]:
        secrets_ = read_json(running.home.keys / "secrets.json")
        client = await nats.connect(running.settings.nats_url, user="operator", password=secrets_["nats_operator"])
        found: list[str] = []
        try:
            stream_api = client.jetstream()
            for stream in STREAMS:
                state = (await stream_api.stream_info(stream)).state
                for sequence in range(max(1, state.first_seq), state.last_seq + 1):
                    try:
                        message = await stream_api.get_msg(stream, sequence)
                    except nats.js.errors.NotFoundError:
                        continue
                    if word.encode() in (message.data or b"") or word in json.dumps(message.headers or {}):
                        found.append(f"{stream} {sequence} {message.subject}")
        finally:
            await client.close()
        return found

    return asyncio.run(look())


def everywhere(running: Light, word: str) -> list[str]:
    return [*in_tables(running, word), *in_the_store(running, word), *on_the_streams(running, word)]


def bundles_of(running: Light, tenant: Tenant) -> set[str]:
    return {key for key, _ in running.objects.keys(f"bundles/{tenant.name}/")}


def erased(tenant: Tenant, learner: str, state: str = "done") -> dict[str, Any]:
    asked = tenant.api.erase_learner(learner)
    assert learner not in json.dumps(asked)

    def ended() -> Any:
        found = tenant.api.erasure(asked["erasure_id"])
        return found if found["state"] == state else None

    return until(f"the erasure {state}", ended, 60.0, lambda: tenant.api.job(asked["job_id"]))


def taught(bare: Light, tenant: Tenant, *learners: str) -> tuple[str, list[Any]]:
    """A course with a bundle for a device of each."""
    for kind in ("relay", "builder", "bundler", "exporter"):
        bare.worker(kind)
    course = tenant.course().text()
    devices = [tenant.device(learner) for learner in learners]
    for learner in learners:
        tenant.enrol(course, learner)
    tenant.publish(course)
    tenant.built(course)
    rows = tenant.ready(course, len(learners))
    tenant.heard_of({row["bundle_id"] for row in rows})
    return tenant.package(course), devices


# -- tests ------------------------------------------------------------------------------------------------------------


def test_after_an_erasure_nothing_anywhere_names_the_learner(bare: Light, tenant: Tenant) -> None:
    ada, bob = someone(), someone()
    package, devices = taught(bare, tenant, ada, bob)
    talkative = messages.event(
        "enrollment.created.v1",
        tenant.name,
        {"enrollment_id": "enr-more", "learner_id": ada, "course_id": "c", "email": f"{ada}@school.example"},
        "event-more",
    )
    messages.send(bare, "enrollment.created.v1", {**talkative, "subject": ada, "learner_name": ada})
    archived = "select 1 as x from inbox where event_id = 'event-more' and tenant = %s and not exists (select 1 from change_log where tenant = %s)"
    until("it was taken in and archived", lambda: bare.rows(archived, tenant.name, tenant.name), 30.0)
    (known,) = bare.rows(
        "select pseudonym, secret from learners where tenant = %s and learner_id = %s", tenant.name, ada
    )
    wrapped = bare.rows("select wrapped from content_keys where scope = %s", devices[0].id)[0]["wrapped"]
    assert in_the_store(bare, known["secret"]) == [places.identity(tenant.name, known["pseudonym"])]
    assert in_the_store(bare, known["pseudonym"]), "segments are looked into"
    assert {"devices.learner_id", "bundles.learner_id", "outbox.data"} <= set(in_tables(bare, ada))
    assert on_the_streams(bare, ada)
    bundle = next(row for row in tenant.api.bundles() if row["learner_id"] == ada)
    done = erased(tenant, ada)
    assert done["counts"]["bundles"] == 1 and done["counts"]["devices"] == 1
    assert everywhere(bare, ada) == []
    # Nor does anything tell what the content keys of the device were: the log has them sealed under what is gone.
    assert everywhere(bare, known["secret"]) == []
    assert in_tables(bare, wrapped) == [] and in_the_store(bare, wrapped) == []
    # What was made for their device alone is gone with it, row, key and blob; what is another's is not.
    assert bundle["bundle_id"] not in {row["bundle_id"] for row in tenant.api.bundles()}
    keys = bare.rows("select scope from content_keys where tenant = %s", tenant.name)
    assert [row["scope"] for row in keys] == [devices[1].id]
    assert bare.rows("select 1 as x from devices where device_id = %s", devices[0].id) == []
    named = bundles_of(bare, tenant)
    assert len(named) == 2  # index and part of the other's
    with pytest.raises(ContentError):
        list(devices[0].api.bundles())
    assert [row["learner_id"] for row in tenant.api.bundles(package_id=package)] == [bob]
    entries = [row for row in tenant.api.audit() if row["action"].startswith("learner.")]
    assert [row["action"] for row in entries] == ["learner.erased", "learner.erasure"]
    assert entries[1]["actor"] == "operator" and entries[1]["recorded_actor"].startswith("lrn_")
    assert tenant.api.verify_audit()["valid"]
    heard = bare.rows("select data from outbox where tenant = %s and type = 'content.learner.erased.v1'", tenant.name)
    assert heard[0]["data"]["device_ids"] == [devices[0].id] and ada not in json.dumps(heard[0]["data"])
    assert tenant.api.erase_learner(ada)["erasure_id"] == done["erasure_id"], "asked twice, it is one"


def test_what_is_held_stays_without_a_name_until_it_is_released(bare: Light, tenant: Tenant) -> None:
    ada = someone()
    package, devices = taught(bare, tenant, ada)
    hold = tenant.api.hold("Case 1", package)
    blobs = bundles_of(bare, tenant)
    found = erased(tenant, ada, "held")
    assert everywhere(bare, ada) == []
    assert bundles_of(bare, tenant) == blobs
    (row,) = bare.rows(
        "select signing_jwk, encryption_jwk, learner_id from devices where device_id = %s", devices[0].id
    )
    assert row == {"signing_jwk": {}, "encryption_jwk": {}, "learner_id": found["pseudonym"]}
    assert bare.rows("select 1 as x from content_keys where tenant = %s", tenant.name) == []
    tenant.api.release_hold(hold["hold_id"], "Closed")
    until("the erasure done", lambda: tenant.api.erasure(found["erasure_id"])["state"] == "done", 60.0)
    assert not bundles_of(bare, tenant)
    assert bare.rows("select 1 as x from devices where tenant = %s", tenant.name) == []


def test_an_enrolment_from_before_brings_nobody_back_and_one_from_after_is_somebody_new(
    bare: Light, tenant: Tenant
) -> None:
    ada = someone()
    bare.worker("relay")
    bare.worker("exporter")
    late = messages.event(
        "enrollment.created.v1", tenant.name, {"enrollment_id": "enr-late", "learner_id": ada, "course_id": "c"}
    )
    first = erased(tenant, ada)
    assert first["counts"] == {
        "bundles": 0,
        "content_keys": 0,
        "devices": 0,
        "enrolments": 0,
        "held_blobs": 0,
        "held_bundles": 0,
    }
    messages.send(bare, "enrollment.created.v1", {**late, "time": "2026-01-01T00:00:00Z"})
    until("it was seen", lambda: bare.rows("select 1 as x from inbox where tenant = %s", tenant.name), 30.0)
    assert in_tables(bare, ada) == []
    with pytest.raises(ContentError) as refused:
        tenant.device(ada)
    assert refused.value.code == "learner-erased"
    tenant.enrol(tenant.course(), ada)
    (row,) = until(
        "the new enrolment",
        lambda: bare.rows("select * from learners where tenant = %s and learner_id = %s", tenant.name, ada),
        30.0,
    )
    assert row["pseudonym"] != first["pseudonym"]
    assert erased(tenant, ada)["erasure_id"] != first["erasure_id"]


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("erasure.after_rows", marks=pytest.mark.slow),
        "erasure.after_blobs",
        pytest.param("erasure.before_end", marks=pytest.mark.slow),
    ],
)
def test_an_erasure_whose_worker_dies_is_ended_by_the_next(bare: Light, tenant: Tenant, point: str) -> None:
    ada = someone()
    taught(bare, tenant, ada)
    bare.failpoints.arm(point, "kill")
    asked = tenant.api.erase_learner(ada)
    bare.failpoints.reached(point)
    bare.worker("exporter")
    until("the erasure done", lambda: tenant.api.erasure(asked["erasure_id"])["state"] == "done", 90.0)
    assert not bundles_of(bare, tenant)
    assert derive_id("ers", tenant.name, asked["pseudonym"]) == asked["erasure_id"]
