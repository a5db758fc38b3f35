"""Cold storage as AWS does it, on moto: classes change, restores are asked for, locks go along; and the buckets' own rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from cluster.aws import lifecycle
from cluster.cold_store import ColdStore
from cluster.objects import Objects
from cluster.settings import Settings
from content.errors import ContentError, ObjectCold

BUCKET, KEY = "content-eu", "assets/acme/0a"


@dataclass
class Rig:
    objects: Objects
    store: ColdStore
    client: Any


@pytest.fixture
def rig() -> Iterator[Rig]:
    with mock_aws():
        settings = Settings(
            s3_bucket=BUCKET, s3_access_key="x", s3_secret_key="x", cold_storage="glacier", s3_region="eu-central-1"
        )  # type: ignore[arg-type]
        objects = Objects(settings)
        for name in (BUCKET, f"{BUCKET}-archive"):
            objects.client.create_bucket(
                Bucket=name, ObjectLockEnabledForBucket=True,
                CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
            )  # fmt: skip
        yield Rig(objects, ColdStore(objects, settings), objects.client)


def test_what_is_cold_cannot_be_read_until_it_was_restored_and_is_hot_for_good_then(rig: Rig) -> None:
    rig.objects.put(KEY, b"pixels", "image/webp", file_name="a.webp")
    assert rig.store.cool(KEY)
    assert rig.objects.head(KEY)["StorageClass"] == "GLACIER"  # type: ignore[index]
    with pytest.raises(ObjectCold) as cold:
        rig.objects.get(KEY)
    assert cold.value.key == KEY and cold.value.retryable
    assert not rig.store.ready(KEY)
    rig.store.ask(KEY, "Bulk")
    rig.store.ask(KEY, "Bulk")  # whoever died after asking asks again
    assert rig.store.ready(KEY)  # moto restores at once
    assert rig.store.warm(KEY)
    found = rig.objects.head(KEY)
    assert found is not None and found.get("StorageClass", "STANDARD") == "STANDARD"
    assert (found["ContentType"], found["ContentDisposition"]) == ("image/webp", 'attachment; filename="a.webp"')
    assert rig.objects.get(KEY) == b"pixels"


def test_each_step_may_be_done_twice_and_what_is_not_there_is_said(rig: Rig) -> None:
    rig.objects.put(KEY, b"pixels")
    assert rig.store.cool(KEY) and rig.store.cool(KEY)
    versions = rig.client.list_object_versions(Bucket=BUCKET)["Versions"]
    assert len(versions) == 2, "the second time nothing was copied"
    assert not rig.store.cool("assets/acme/none")
    assert not rig.store.warm("assets/acme/none")


def test_a_lock_goes_along_to_the_copy_and_leaves_the_version_before(rig: Rig) -> None:
    rig.objects.put(KEY, b"evidence")
    assert rig.objects.lockable and rig.objects.lock(KEY, on=True)
    rig.store.cool(KEY)
    versions = rig.client.list_object_versions(Bucket=BUCKET)["Versions"]
    held = {
        entry["IsLatest"]: rig.client.head_object(Bucket=BUCKET, Key=KEY, VersionId=entry["VersionId"])
        for entry in versions
    }
    assert held[True]["ObjectLockLegalHoldStatus"] == "ON"
    assert held[False]["ObjectLockLegalHoldStatus"] == "OFF"
    with pytest.raises(ClientError):
        newest = next(entry["VersionId"] for entry in versions if entry["IsLatest"])
        rig.client.delete_object(Bucket=BUCKET, Key=KEY, VersionId=newest)


def locks(rig: Rig, key: str = KEY) -> list[bool]:
    """Of each version, the newest first, whether it is locked."""
    versions = rig.client.list_object_versions(Bucket=BUCKET, Prefix=key).get("Versions", [])
    heads = [rig.client.head_object(Bucket=BUCKET, Key=each["Key"], VersionId=each["VersionId"]) for each in versions]
    return [head.get("ObjectLockLegalHoldStatus") == "ON" for head in heads]


def test_a_release_frees_every_version_of_what_was_put_again_or_deleted(rig: Rig) -> None:
    rig.objects.put(KEY, b"evidence")
    rig.objects.lock(KEY, on=True)
    rig.objects.put(KEY, b"evidence")  # another build of it
    assert locks(rig) == [False, True] and rig.objects.locked(KEY)
    rig.objects.put(f"{KEY}-other", b"evidence")
    rig.objects.lock(f"{KEY}-other", on=True)
    rig.objects.delete([KEY])
    assert rig.objects.lock(KEY, on=False)
    assert locks(rig) == [False, False, True] and not rig.objects.locked(KEY), "what is called like it keeps its lock"
    assert rig.objects.erase(KEY, only={KEY}) == 3
    assert not rig.objects.lock(KEY, on=False)


def test_a_lock_that_no_hold_covers_any_more_is_in_nobodys_way(rig: Rig) -> None:
    for _ in range(2):
        rig.objects.put(KEY, b"evidence")
        rig.objects.lock(KEY, on=True)
    (page,) = rig.objects.versions(KEY)
    with pytest.raises(ContentError):
        rig.objects.remove(page)
    assert rig.objects.remove(page, unlock=True) == 2
    assert locks(rig) == []


@pytest.mark.parametrize("step", ["cool", "warm"])
def test_a_lock_goes_along_though_somebody_was_killed_before_it_did(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> bool:
        raise Killed

    move = getattr(rig.store, step)
    rig.objects.put(KEY, b"evidence")
    if step == "warm":
        rig.store.cool(KEY)
        rig.store.ask(KEY, "Bulk")
    rig.objects.lock(KEY, on=True)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(rig.objects, "take_lock_along", killed)
        move(KEY)
    assert locks(rig)[:2] == [False, True], "the copy is there, its lock is not"
    assert move(KEY)
    assert locks(rig)[:2] == [True, False]


@pytest.mark.parametrize("death", ["lock", "take_lock_along", "delete"])
def test_a_lock_goes_along_to_another_place_though_somebody_was_killed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, death: str
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> bool:
        raise Killed

    store = ColdStore(rig.objects, Settings(cold_storage="prefix"))
    rig.objects.put(KEY, b"evidence")
    rig.objects.lock(KEY, on=True)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(rig.objects, death, killed)
        store.cool(KEY)
    assert store.cool(KEY)
    assert rig.objects.head(KEY) is None and locks(rig) == [False]
    newest, *older = locks(rig, f"cold/{KEY}")
    assert newest and not any(older)


def test_an_erasure_leaves_no_version_and_no_mark(rig: Rig) -> None:
    for body in (b"one", b"two"):
        rig.objects.put(KEY, body)
    rig.objects.delete([KEY])
    rig.objects.put("assets/acme/0b", b"other")
    assert rig.objects.erase("assets/acme/0", only={KEY}) == 3
    assert [entry["Key"] for entry in rig.client.list_object_versions(Bucket=BUCKET)["Versions"]] == ["assets/acme/0b"]


def test_s3_takes_the_rules_of_each_bucket_and_says_them_back(rig: Rig) -> None:
    for _ in range(2):
        lifecycle.apply(rig.client, "eu")
    rules = {rule["ID"]: rule for rule in rig.client.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]}
    assert rules["stale-uploads"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7
    assert rules["replaced-versions"]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    assert rules["quarantine"]["Filter"] == {"Prefix": "imports/"} and rules["quarantine"]["Expiration"]["Days"] == 45
    archive = rig.client.get_object_lock_configuration(Bucket=f"{BUCKET}-archive")["ObjectLockConfiguration"]
    assert archive["Rule"]["DefaultRetention"].items() >= {"Mode": "COMPLIANCE", "Days": 2555}.items()
    assert rig.client.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"


@pytest.mark.parametrize("region", ["us", "eu", "me", "ap"])
def test_no_rule_ends_or_moves_the_newest_version_of_what_is_kept(region: str) -> None:
    found = lifecycle.documents(region)
    for rule in found["s3/content.lifecycle.json"]["Rules"]:
        assert "Transitions" not in rule, "S3 knows age, not use"
        if "Days" in rule.get("Expiration", {}):
            assert rule["Filter"]["Prefix"] in ("imports/", "previews/")
    assert found["s3/buckets.json"] == {"content": f"content-{region}", "archive": f"content-{region}-archive"}


def test_an_upload_is_removed_by_us_before_s3_does_it_without_a_word() -> None:
    assert Settings().import_keep_s + 7 * 86_400 < lifecycle.QUARANTINE_DAYS * 86_400
