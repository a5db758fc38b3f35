"""The whole way of the data with the keys in AWS KMS (moto, two regions): draft to opened bundle, a region lost on the way, a stolen
key, a webhook's secret. Only what speaks to KMS differs from the rest of the suite, so one long test is enough."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from content.signatures import head_kid
from content.trust.keys import TrustRefused
from tests.support.faulty_keys import FaultyKeys
from tests.support.key_services import moto, two_regions
from tests.support.light import Light, light
from tests.support.tenants import Tenant

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]


@pytest.fixture(scope="module")
def regions() -> Iterator[tuple[FaultyKeys, FaultyKeys]]:
    with moto() as url, two_regions(url) as both:
        yield both


@pytest.fixture(scope="module")
def stack(regions: tuple[FaultyKeys, FaultyKeys], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Light]:
    given = {
        "key_service": "kms", "kms_endpoint": regions[0].url, "kms_replica_endpoint": regions[1].url,
        "kms_access_key": "test", "kms_secret_key": "test", "kms_account": "123456789012", "kms_timeout_s": 2.0,
        # Nothing is kept, so that each batch meets KMS.
        "kms_batch_key_ttl_s": 0.0, "kms_rest_s": 1.0,
    }  # fmt: skip
    with light(tmp_path_factory.mktemp("kms") / "home", tmp_path_factory.mktemp("kms-media"), **given) as found:
        for kind in ("relay", "builder", "bundler"):
            found.worker(kind)
        yield found


def test_from_a_draft_to_an_opened_bundle_though_a_region_is_lost_and_a_key_is_stolen(
    stack: Light, regions: tuple[FaultyKeys, FaultyKeys]
) -> None:
    first, second = regions
    tenant = Tenant(stack)
    course = tenant.course().text()
    tenant.publish(course)
    tenant.built(course)
    phone = tenant.device("ada")
    tenant.enrol(course, "ada")
    tenant.ready(course, 1)
    (offer,) = phone.offers()
    phone.read(phone.open(offer))
    assert first.of("Sign") and first.of("GenerateDataKey") and first.of("Decrypt")
    assert {call.parameters["EncryptionContext"]["tenant"] for call in first.of("Decrypt")} >= {tenant.name}
    elsewhere = {call.action for call in second.calls}
    assert not elsewhere & {"Sign", "Decrypt", "GenerateDataKey"}, "asked while the first one answers"

    with first.broken("broken"):  # the first region is away
        later = tenant.course().text()
        tenant.publish(later)
        tenant.built(later)
        tenant.enrol(later, "ada")
        tenant.ready(later, 1)
        assert second.of("Sign") and second.of("Decrypt")
        offers = {entry["package_id"]: entry for entry in phone.offers()}
        made_there = offers[tenant.package(later)]
        assert head_kid(made_there["signature"]) == head_kid(offer["signature"]), "the same key signs in both regions"
        phone.read(phone.open(made_there))
        stolen = head_kid(offer["signature"])
        done = tenant.api.rotate_keys(tenant.name, "emergency", "seen elsewhere")
        assert done["replaced"] == stolen
        job = tenant.api.wait(str(done["job_id"]))
        assert job["result"] is not None and job["result"]["licences"] == 2
    again = [entry for entry in phone.offers() if head_kid(entry["signature"]) == done["kid"]]
    assert len(again) == 2
    for entry in again:
        phone.read(phone.open(entry))
    with pytest.raises(TrustRefused) as refused:
        phone.open(offer)
    assert refused.value.code == "kid-revoked"
