"""The object store answers 503, is slow, breaks off, or hands over other bytes: one right result, and nothing left."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import pytest

from cluster.local.home import read_json
from cluster.objects import Objects
from content.errors import ContentError
from tests.support import exports
from tests.support.light import Light
from tests.support.populated import Populated
from tests.support.s3_proxy import S3Proxy
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)

BODY = os.urandom(3 << 20)
KEY = "bundles/proxied/one"


@pytest.fixture
def objects(bare: Light) -> Iterator[Objects]:
    """The adapter behind the proxy, as the service makes it."""
    objects = Objects(bare.settings)
    yield objects
    objects.delete([KEY])


@pytest.fixture
def proxy(bare: Light) -> S3Proxy:
    assert bare.proxy is not None
    return bare.proxy


@pytest.mark.parametrize("kind", ["busy", "cut-put", "spoil-put", "slow"])
def test_an_upload_is_whole_or_an_error(objects: Objects, proxy: S3Proxy, kind: str) -> None:
    """A byte that changed on its way is refused by the store, since the checksum says otherwise."""
    times = 1 if kind in ("spoil-put", "slow") else 2
    with proxy.doing(kind, method="PUT", path=KEY, times=times, at=1_000_000, delay_s=0.01) as fault:
        try:
            objects.put(KEY, BODY)
        except ContentError as error:
            assert (kind, error.code, error.retryable) == ("spoil-put", "storage-unavailable", True)
            assert objects.size(KEY) is None
            objects.put(KEY, BODY)
    assert len(fault.hits) >= times
    assert hashlib.sha256(objects.get(KEY)).digest() == hashlib.sha256(BODY).digest()


@pytest.mark.parametrize("kind", ["busy", "cut-get", "slow"])
def test_a_download_is_whole(objects: Objects, proxy: S3Proxy, kind: str) -> None:
    objects.put(KEY, BODY)
    with proxy.doing(kind, path=KEY, times=2, at=1_000_000, delay_s=0.01) as fault:
        assert objects.get(KEY) == BODY
        assert len(fault.hits) == 2 if kind != "slow" else fault.hits


def test_a_stream_that_breaks_off_is_an_error_that_can_be_tried_again(objects: Objects, proxy: S3Proxy) -> None:
    objects.put(KEY, BODY)
    with proxy.doing("cut-get", path=KEY, at=2_500_000):
        with pytest.raises(ContentError) as caught:
            list(objects.read(KEY, [1 << 20] * 3))
    assert caught.value.retryable
    assert b"".join(objects.read(KEY, [1 << 20] * 3)) == BODY


@pytest.mark.parametrize("kind", ["busy", "cut-get", "spoil-get"])
def test_what_stays_broken_is_an_error_soon(objects: Objects, proxy: S3Proxy, kind: str) -> None:
    objects.put(KEY, BODY)
    with proxy.doing(kind, path=KEY, at=1_000_000):
        with pytest.raises(ContentError) as caught:
            objects.get(KEY)
    assert (caught.value.code, caught.value.retryable) == ("storage-unavailable", True)


STORY = (
    ("busy", "PUT", "/packages/", 3),
    ("cut-put", "PUT", "/packages/", 1),
    ("spoil-put", "PUT", "/packages/", 1),
    ("cut-get", "GET", "/packages/", 4),
    ("spoil-get", "GET", "/packages/", 1),
    ("busy", "PUT", "/bundles/", 6),
    ("cut-put", "PUT", r"\.part", 6),
    ("spoil-put", "PUT", r"index\.json", 1),
)


def test_a_course_gets_through_all_of_it(bare: Light, proxy: S3Proxy) -> None:
    """A build and a bundle, each request of which meets several faults on its way: one of each, and no blob too many."""
    tenant = Tenant(bare)
    course, device = tenant.course().text(), tenant.device("learner-1")
    for kind in ("relay", "builder", "bundler"):
        bare.worker(kind)
    tenant.enrol(course, "learner-1")
    for kind, method, path, times in STORY:
        proxy.begin(
            kind, method=method, path=path.replace("/packages/", f"/packages/{tenant.name}/"), times=times, at=100
        )
    try:
        tenant.publish(course)
        tenant.built(course, deadline_s=180)
        tenant.ready(course, 1, deadline_s=180)
        until("every fault met", lambda: all(fault.hits for fault in proxy.faults), 5, lambda: proxy.faults)
    finally:
        proxy.clear()
    assert_settled(tenant)
    (offer,) = device.offers()
    assert device.read(device.open(offer))[0] == tenant.manifest(course)


@pytest.mark.slow
def test_the_store_away_for_a_while(bare: Light, proxy: S3Proxy) -> None:
    """Builds wait for it; the API says 503 where it needs it, and when to come again."""
    tenant = Tenant(bare)
    course = tenant.course().text()
    for kind in ("relay", "builder"):
        bare.worker(kind)
    with proxy.doing("busy", method="PUT"), proxy.doing("busy", method="GET"):
        tenant.publish(course)
        until("the build put off", lambda: any("store" in str(job[2]) for job in tenant.jobs()), 120, tenant.jobs)
        assert tenant.version(course) is None
    tenant.built(course, deadline_s=120)
    assert_settled(tenant)


def test_the_proxy_passes_through_what_it_is_not_told_to_spoil(bare: Light, objects: Objects) -> None:
    direct = Objects(bare.settings.model_copy(update={"s3_endpoint": f"http://127.0.0.1:{bare.port('s3')}"}))
    objects.put(KEY, BODY)
    assert direct.get(KEY) == objects.get(KEY) == BODY
    assert read_json(bare.home.settings)["s3_endpoint"] != f"http://127.0.0.1:{bare.port('s3')}"


EXPORT_STORY = (
    ("cut-get", "GET", "/packages/{tenant}/", 4),
    ("busy", "GET", "/assets/{tenant}/", 6),
    ("cut-get", "GET", "/assets/{tenant}/", 1),
    ("spoil-get", "GET", "/assets/{tenant}/", 1),
    ("busy", "PUT", "/exports/{tenant}/", 6),
    ("cut-put", "PUT", "/exports/{tenant}/", 1),
    ("spoil-put", "PUT", "/exports/{tenant}/", 1),
)


@pytest.mark.slow
def test_an_export_gets_through_all_of_it(bare: Light, proxy: S3Proxy) -> None:
    """What breaks off, or comes with another byte, is never in the file; nothing of the attempts before is left."""
    owner = Populated(bare)
    for kind in ("relay", "exporter"):
        bare.worker(kind)
    for kind, method, path, times in EXPORT_STORY:
        proxy.begin(kind, method=method, path=path.format(tenant=owner.name), times=times, at=10)
    try:
        asked = owner.api.ask_export(owner.package_id, "html", video=False)
        owner.api.wait(asked["job_id"], deadline_s=120)
        until("every fault met", lambda: all(fault.hits for fault in proxy.faults), 5, lambda: proxy.faults)
    finally:
        proxy.clear()
    shown = owner.api.export(asked["export_id"])
    assert [name for name in exports.file_of(shown).namelist() if name.endswith(".webp")]
    assert owner.api.job(asked["job_id"])["attempt"] > 1
    assert len([key for key in exports.keys(owner) if asked["export_id"] in key]) == 1


@pytest.mark.slow
def test_an_asset_that_stays_damaged_fails_the_export_and_is_not_tried_for_ever(bare: Light, proxy: S3Proxy) -> None:
    owner = Populated(bare)
    bare.worker("exporter")
    with proxy.doing("spoil-get", path=f"/assets/{owner.name}/", at=10):
        asked = owner.api.ask_export(owner.package_id, "html", video=False)
        with pytest.raises(ContentError) as failed:
            owner.api.wait(asked["job_id"], deadline_s=120)
    assert failed.value.code == "asset-damaged"
    job = owner.api.job(asked["job_id"])
    assert (job["state"], job["attempt"]) == ("failed", bare.settings.job_max_attempts)
    assert owner.api.export(asked["export_id"])["state"] == "failed"
