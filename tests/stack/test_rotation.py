"""Keys on their way through the years, and the night on which one is stolen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from cluster.connections import Connections
from cluster.keys import ServiceSigner
from content.bundles.lists import accept_lists
from content.bundles.open import open_bundle
from content.bundles.state import ReaderState
from content.signatures import head_kid, sign_documents
from content.trust.keys import TrustRefused
from content.trust.revocations import RevocationList
from serve_app.client import TrustLists
from tasks import lists, rotation
from tests.support.connected import with_connections
from tests.support.courses import Course
from tests.support.devices import Device, fetched
from tests.support.running import Running
from tests.support.tenants import Tenant, bearer
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)
DAY = timedelta(days=1)
ROOT = Path(__file__).resolve().parents[2]


def renew(running: Running, tenant: str, now: datetime) -> int:
    return with_connections(running, lambda connections: lists.renew(connections, tenant, now))


def accept(state: ReaderState, served: TrustLists, tenant: str, now: datetime) -> ReaderState:
    signed = served["revocations"]
    return accept_lists(
        state, served["chain"], signed["document"].encode(), signed["signature"], tenant=tenant, now=now
    ).state


def keys(tenant: Tenant, purpose: str = "signing") -> list[dict[str, Any]]:
    return tenant.running.rows(
        """select kid, status, not_before, not_after, dropped_at from signing_keys
           where tenant = %s and purpose = %s order by not_before, kid""",
        tenant.name,
        purpose,
    )


def one_bundle(tenant: Tenant) -> tuple[Course, Device]:
    course, learner = tenant.course().text(), "ada"
    tenant.publish(course)
    device = tenant.device(learner)
    tenant.enrol(course, learner)
    tenant.ready(course, 1)
    return course, device


def test_a_key_is_announced_begins_is_retired_and_leaves_by_the_calendar(running: Running) -> None:
    tenant, now = Tenant(running), datetime.now(UTC)
    settings = running.settings
    device = accept(ReaderState(), tenant.api.trust_lists(tenant.name), tenant.name, now)
    period = timedelta(seconds=settings.key_period_s)
    lead = timedelta(seconds=settings.key_lead_s)

    renew(running, tenant.name, now + period - lead - DAY)
    assert len(keys(tenant)) == 1
    announced = now + period - lead + DAY
    renew(running, tenant.name, announced)
    old, new = keys(tenant)
    assert (old["status"], new["status"]) == ("active", "active")
    assert new["not_before"] - announced >= timedelta(days=28)
    renew(running, tenant.name, announced + DAY)
    assert len(keys(tenant)) == 2, "announced once"

    begun = new["not_before"] + DAY
    renew(running, tenant.name, begun)
    old, new = keys(tenant)
    assert (old["status"], new["status"]) == ("retired", "active")
    assert old["not_after"] <= begun
    # Nothing it signed is in force, so it leaves the list; the reader follows the whole chain.
    assert old["dropped_at"] is not None or renew(running, tenant.name, begun + DAY) == 1
    later = accept(device, tenant.api.trust_lists(tenant.name), tenant.name, begun + 2 * DAY)
    assert later.trust is not None
    assert [key.kid for key in later.trust.latest.keys] == [new["kid"]]


def test_a_root_key_is_replaced_and_old_and_new_sign(tenant: Tenant) -> None:
    now = datetime.now(UTC)
    known = accept(ReaderState(), tenant.api.trust_lists(tenant.name), tenant.name, now)
    done = tenant.api.rotate_keys(tenant.name, "root", "yearly")
    served = tenant.api.trust_lists(tenant.name)
    assert len(served["chain"][-1]["signatures"]) == 2
    later = accept(known, served, tenant.name, now + DAY / 24)
    assert later.trust is not None
    assert later.trust.latest.root_ids == {done["kid"]}
    # Who begins today with the first root pinned gets there, too.
    assert known.trust is not None
    (first,) = known.trust.latest.root_ids
    fresh = accept_lists(
        ReaderState(), served["chain"], served["revocations"]["document"].encode(), served["revocations"]["signature"],
        tenant=tenant.name, now=now, pinned_root=first,
    )  # fmt: skip
    assert fresh.state.trust == later.trust
    assert {row["kid"]: row["status"] for row in keys(tenant, "root")} == {first: "retired", done["kid"]: "active"}


def test_an_emergency_is_in_both_lists_at_once_and_every_licence_and_manifest_is_signed_again(tenant: Tenant) -> None:
    course, device = one_bundle(tenant)
    (offer,) = device.offers()
    opened = device.open(offer)
    stolen = head_kid(offer["signature"])

    done = tenant.api.rotate_keys(tenant.name, "emergency", "found on a paste site")
    job = f"{tenant.running.settings.api_url}/v1/jobs/{done['job_id']}"
    answer = httpx.delete(job, headers=bearer(tenant, "content:write"), trust_env=False, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")  # an author cannot stop it
    assert done["replaced"] == stolen
    assert done["kid"] != stolen
    served = tenant.api.trust_lists(tenant.name)
    listed = RevocationList.parse(served["revocations"]["document"].encode())
    assert listed.kids == (stolen,)
    assert listed.version == (done["trust_version"], 1)
    job = tenant.api.wait(str(done["job_id"]))
    assert job["result"] is not None
    assert (job["result"]["licences"], job["result"]["manifests"], job["result"]["signatures"]) == (1, 1, 2)

    (again,) = device.offers()
    assert again["issue"] == 2
    assert again["index"]["path"] == offer["index"]["path"]
    assert head_kid(again["signature"]) == done["kid"]
    assert tenant.manifest(course) == device.read(device.open(again))[0] == opened.manifest()
    with pytest.raises(TrustRefused) as refused:  # the licence before it is no way back
        device.open(offer)
    assert refused.value.code == "kid-revoked"
    assert [event["data"]["issue"] for event in tenant.heard_of({offer["bundle_id"]})][-1] in (1, 2)
    actions = [entry["action"] for entry in tenant.api.audit()]
    assert actions[:3] == ["keys.signed-again", "keys.disabled", "keys.emergency"]
    with pytest.raises(Exception, match="revoked already"):
        tenant.api.rotate_keys(tenant.name, "emergency", "again", kid=stolen)

    def heard() -> Any:
        return running_revocations(tenant)

    (event,) = until("the revocation is heard of", heard)
    assert event["data"]["kids"] == [stolen]
    assert event["data"]["complete"] is True


def running_revocations(tenant: Tenant) -> list[dict[str, Any]]:
    return tenant.running.heard(tenant.name, "content.revocation.issued.v1")


def test_lists_on_a_stick_do_not_darken_a_class_until_its_grace_ends(tenant: Tenant) -> None:
    """The phone hears of the emergency from a stick alone: what was open goes on, what is new must be signed anew."""
    _, device = one_bundle(tenant)
    (offer,) = device.offers()
    device.open(offer)
    index, parts = fetched(offer["index"]["url"]), {p["path"]: fetched(p["url"]) for p in offer["parts"]}
    tenant.api.rotate_keys(tenant.name, "emergency", "a laptop was stolen")
    stick = tenant.api.trust_lists(tenant.name)

    def opened(state: ReaderState, now: datetime) -> ReaderState:
        return open_bundle(
            licence=offer["licence"].encode(), signature=offer["signature"], index=index, chain=stick["chain"],
            revocations=stick["revocations"]["document"].encode(),
            revocations_signature=stick["revocations"]["signature"], device=device.identity, state=state, now=now,
            read_range=lambda path, offset, length: parts[path][offset : offset + length],
        ).state  # fmt: skip

    now = datetime.now(UTC)
    state = opened(device.state, now)
    grace = timedelta(seconds=tenant.running.settings.offline_grace_s)
    opened(state, now + grace - DAY)
    with pytest.raises(TrustRefused) as refused:
        opened(state, now + grace + DAY)
    assert refused.value.code == "kid-revoked"
    with pytest.raises(TrustRefused) as refused:  # one that had not accepted it before
        opened(ReaderState(), now)
    assert refused.value.code == "kid-revoked"


def test_a_phone_that_slept_over_three_rotations_catches_up_from_one_stick(tenant: Tenant) -> None:
    _, device = one_bundle(tenant)
    (offer,) = device.offers()
    device.open(offer)
    tenant.api.rotate_keys(tenant.name, "root", "first")
    tenant.api.rotate_keys(tenant.name, "scheduled", "second", lead_s=0)
    tenant.api.rotate_keys(tenant.name, "root", "third")
    done = tenant.api.rotate_keys(tenant.name, "emergency", "fourth")
    tenant.api.wait(str(done["job_id"]))
    known = device.state.trust
    assert known is not None
    later = accept(device.state, tenant.api.trust_lists(tenant.name), tenant.name, datetime.now(UTC))
    assert later.trust is not None
    assert (known.version, later.trust.version) == (1, 5)


def test_a_thief_of_the_key_cannot_freeze_revocations(tenant: Tenant) -> None:
    """With the stolen key every version up to the largest is signed; the next trust list outranks them all."""
    running, now = tenant.running, datetime.now(UTC)
    served = tenant.api.trust_lists(tenant.name)
    state = accept(ReaderState(), served, tenant.name, now)
    honest = RevocationList.parse(served["revocations"]["document"].encode())

    async def steal(connections: Connections) -> ServiceSigner:
        async with connections.db.tenant(tenant.name) as tx:
            cursor = await tx.execute(b"select kid, key_name from signing_keys where purpose = 'signing'")
            row = await cursor.fetchone()
        assert row is not None
        return ServiceSigner(connections.keys, row["key_name"], row["kid"])

    thief = with_connections(running, steal)
    forged = replace(honest, version=(1, 2**53 - 1), expires=now.replace(microsecond=0) + 3650 * DAY)
    body = forged.to_bytes()
    (signature,) = sign_documents([body], thief, iss=tenant.name, iat=now)
    frozen = accept_lists(state, served["chain"], body, signature, tenant=tenant.name, now=now).state
    assert frozen.revocations == (1, 2**53 - 1)
    with pytest.raises(TrustRefused) as refused:
        accept(frozen, served, tenant.name, now)
    assert refused.value.code == "revocations-rollback"

    # A key that the thief has named revoked beforehand must not be the one that follows.
    announced = tenant.api.rotate_keys(tenant.name, "scheduled", "the yearly round")
    done = tenant.api.rotate_keys(tenant.name, "emergency", "the key was seen elsewhere")
    assert done["kid"] != announced["kid"]
    thawed = accept(frozen, tenant.api.trust_lists(tenant.name), tenant.name, now)
    assert thawed.revocations == (done["trust_version"], 1)
    with pytest.raises(TrustRefused) as refused:  # and the thief signs no more lists
        accept_lists(thawed, tenant.api.trust_lists(tenant.name)["chain"], body, signature, tenant=tenant.name, now=now)
    assert refused.value.code == "kid-revoked"


def test_what_is_being_signed_when_its_key_is_revoked_is_signed_anew(tenant: Tenant) -> None:
    """The bundler stands between signature and commit; the emergency passes; nothing of the old key comes in."""
    course = tenant.course().text()
    tenant.publish(course)
    tenant.built(course)
    device = tenant.device("ada")
    tenant.running.failpoints.arm("bundle.before_commit", "pause")
    tenant.enrol(course, "ada")
    tenant.running.failpoints.reached("bundle.before_commit")
    done = tenant.api.rotate_keys(tenant.name, "emergency", "just now")
    tenant.running.failpoints.release("bundle.before_commit")
    tenant.ready(course, 1)
    (offer,) = device.offers()
    assert head_kid(offer["signature"]) == done["kid"]
    device.open(offer)


def test_a_drill_needs_a_tenant_that_is_made_for_it(tenant: Tenant) -> None:
    with pytest.raises(Exception, match="not marked for drills"):
        tenant.api.rotate_keys(tenant.name, "drill", "quarterly")
    tenant.api.change_tenant(tenant.name, settings={"drill": True})
    done = tenant.api.rotate_keys(tenant.name, "drill", "quarterly")
    job = tenant.api.wait(str(done["job_id"]))
    assert job["result"] is not None and job["result"]["seconds"] >= 0
    told = [entry["action"] for entry in tenant.api.audit()][:4]
    assert told == ["keys.signed-again", "keys.drill-passed", "keys.disabled", "keys.drill"]


def test_an_emergency_without_the_key_service_changes_nothing(running: Running) -> None:
    """All or nothing: the lists are signed in the transaction that revokes."""
    tenant = Tenant(running)
    before = tenant.api.trust_lists(tenant.name)

    async def without_keys(connections: Connections) -> None:
        broken = replace(
            connections, settings=connections.settings.model_copy(update={"openbao_url": "http://127.0.0.1:9"})
        )
        from cluster.keys import connect

        broken = replace(broken, keys=connect(broken.settings))
        async with broken.db.tenant(tenant.name) as tx:
            await rotation.emergency(tx, broken, tenant.name, datetime.now(UTC), kid=None, reason="a test")

    with pytest.raises(Exception, match="key service"):
        with_connections(running, without_keys)
    assert tenant.api.trust_lists(tenant.name) == before
    assert [row["status"] for row in keys(tenant)] == ["active"]


def test_the_migration_reads_who_signed_out_of_a_signature(tenant: Tenant) -> None:
    """Licences of releases before have no kid of their own: the migration takes it out of the tree head's header."""
    one_bundle(tenant)
    function = next(
        part
        for part in (ROOT / "cluster/migrations/0009_trust.sql").read_text().split(";\n")
        if "create function pg_temp.kid_of" in part
    )
    with tenant.running.superuser() as connection:
        connection.execute(function[function.index("create function") :].encode())
        row = connection.execute(
            b"select count(*) as n, count(*) filter (where pg_temp.kid_of(signature) = kid) as same from licences where tenant = %s",
            [tenant.name],
        ).fetchone()
    assert row is not None
    assert (row["n"], row["same"]) == (1, 1)
