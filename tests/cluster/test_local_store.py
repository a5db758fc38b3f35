"""What storage needs of the local store, on the real one: locks that nobody goes around, cold storage by prefix, erasure of versions."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr

from cluster.archive import Archive
from cluster.cold_store import ColdStore
from cluster.local import s3
from cluster.local.configuration import PASSWORDS
from cluster.local.home import Home
from cluster.local.part import Site
from cluster.local.ports import choose
from cluster.objects import Objects
from cluster.settings import Settings
from content.errors import ContentError, ObjectCold

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = Home(Path(tmp_path_factory.mktemp("store")) / "home")
    home.prepare()
    part = s3.S3()
    site = Site(home, choose(list(part.ports), set()), {name: secrets.token_hex(8) for name in PASSWORDS})
    part.before_start(site)
    plan = part.plan(site)
    with home.log("s3").open("ab") as out:
        process = subprocess.Popen(list(plan.argv), stdout=out, stderr=out, cwd=plan.cwd)
    end = time.monotonic() + 60
    while part.unhealthy(site) is not None:
        assert time.monotonic() < end and process.poll() is None, home.log("s3").read_text()[-2000:]
        time.sleep(0.05)
    part.set_up(site)
    yield Settings(
        s3_endpoint=site.url("s3"), s3_bucket=s3.BUCKET, cold_storage="prefix",
        s3_access_key=SecretStr(site.secrets["s3_access"]), s3_secret_key=SecretStr(site.secrets["s3_secret"]),
    )  # fmt: skip
    process.kill()
    process.wait(60)
    part.after_stop(site)


@pytest.fixture
def objects(settings: Settings) -> Objects:
    return Objects(settings)


def test_what_is_cold_is_said_to_be_and_comes_back_as_it_was(objects: Objects, settings: Settings) -> None:
    key, store = f"assets/{secrets.token_hex(4)}/0a", ColdStore(objects, settings)
    objects.put(key, b"pixels", "image/webp", file_name="a.webp")
    assert store.cool(key) and store.cool(key)
    for read in (lambda: objects.get(key), lambda: list(objects.read(key, [6])), lambda: objects.copy(key, "x", "y")):
        with pytest.raises(ObjectCold):
            read()
    assert objects.size(key) is None and store.ready(key)
    assert store.warm(key) and store.warm(key)
    found = objects.head(key)
    assert found is not None and (found["ContentType"], found["ContentDisposition"]) == ("image/webp", 'attachment; filename="a.webp"')  # fmt: skip
    assert objects.get(key) == b"pixels" and objects.head("cold/" + key) is None
    with pytest.raises(ContentError) as none:
        objects.get(f"{key}-never")
    assert none.value.code == "object-missing"


def test_a_lock_holds_against_whoever_has_the_credentials_and_goes_along(objects: Objects, settings: Settings) -> None:
    key, store = f"bundles/{secrets.token_hex(4)}/part", ColdStore(objects, settings)
    objects.put(key, b"evidence")
    assert objects.lockable and objects.lock(key, on=True) and not objects.lock(f"{key}-never", on=True)

    def refused(name: str) -> None:
        found = objects.head(name)
        assert found is not None and found["ObjectLockLegalHoldStatus"] == "ON"
        with pytest.raises(ClientError):
            objects.client.delete_object(Bucket=objects.bucket, Key=name, VersionId=found["VersionId"])
        with pytest.raises(ContentError):
            objects.erase(name, only={name})

    refused(key)
    store.cool(key)
    refused("cold/" + key)
    store.warm(key)
    refused(key)
    objects.put(key, b"evidence")  # a newer version is not locked, the one before it stays so until the release
    assert objects.locked(key)
    assert objects.lock(key, on=False) and not objects.locked(key)
    objects.lock(key, on=True)
    assert sum(objects.remove(page, unlock=True) for page in objects.versions(key)) == 2
    assert objects.erase(f"cold/{key}") and objects.head(key) is None


def test_an_erasure_leaves_no_version_of_what_it_names(objects: Objects) -> None:
    front = f"bundles/{secrets.token_hex(4)}"
    for body in (b"one", b"two"):
        objects.put(f"{front}/a", body)
    objects.delete([f"{front}/a"])
    objects.put(f"{front}/a-other", b"other")
    assert objects.erase(f"{front}/a", only={f"{front}/a"}) == 3
    found = objects.client.list_object_versions(Bucket=objects.bucket, Prefix=front)
    assert [entry["Key"] for entry in found.get("Versions", [])] == [f"{front}/a-other"]
    assert not found.get("DeleteMarkers")


def test_a_copy_in_the_archive_is_there_to_be_read(objects: Objects, settings: Settings) -> None:
    archive, key = Archive(settings, objects), f"archive/audit/{secrets.token_hex(4)}/1"
    archive.put(key, b"a segment", None)
    assert archive.get(key) == b"a segment"
