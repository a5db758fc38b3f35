"""What S3 does by itself in a region's buckets: versions, locks, and what ends by its age.

S3's own rules know how old something is, never when it was used: to the cold class it is moved by `tasks/keeping/retention.py`, and no rule
here moves or ends the newest version of anything but of uploads in quarantine and of previews, whose time is known, and of the archive's
copies, which are cold after a day and end after seven years. What is under Object Lock no rule removes.
`apply` hands the documents to an S3 (the operator's, or a test's).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.aws import bucket

STALE_UPLOAD_DAYS = 7
"""A multipart upload that nobody ended; garbage collection comes far earlier, where it runs."""
REPLACED_DAYS = 30
"""A version that another one has replaced, or that was deleted: for so long a mistake can be undone."""
ERASED_DAYS = 1
"""The same where learners have names: an erasure deletes all versions at once, and this ends what it was kept from."""
QUARANTINE_DAYS = 45
"""An upload that was not accepted: longer than the setting import_keep_s, with which the service removes it and says so."""
PREVIEW_DAYS = 7
ARCHIVE_DAYS = 2555
"""Copies of the audit log: seven years, whoever asks."""


def documents(region: str) -> dict[str, Any]:
    """Per bucket: its lifecycle rules, versioning, Object Lock, and who may not see it."""
    return {
        "s3/content.lifecycle.json": {"Rules": content_rules()},
        "s3/content.versioning.json": {"Status": "Enabled"},
        # No time by default: blobs are locked one by one, by a legal hold, and can be erased without one.
        "s3/content.object-lock.json": {"ObjectLockEnabled": "Enabled"},
        "s3/content.public-access.json": BLOCKED,
        "s3/content.encryption.json": ENCRYPTED,
        "s3/archive.lifecycle.json": {"Rules": archive_rules()},
        "s3/archive.versioning.json": {"Status": "Enabled"},
        "s3/archive.object-lock.json": {
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": ARCHIVE_DAYS}},
        },
        "s3/archive.public-access.json": BLOCKED,
        "s3/archive.encryption.json": ENCRYPTED,
        "s3/buckets.json": {"content": bucket(region), "archive": f"{bucket(region)}-archive"},
    }


def content_rules() -> list[dict[str, Any]]:
    """The rules of the service's bucket."""
    return [
        {**_rule("stale-uploads"), "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": STALE_UPLOAD_DAYS}},
        {**_rule("replaced-versions"), "NoncurrentVersionExpiration": {"NoncurrentDays": REPLACED_DAYS}},
        {**_rule("marks-of-deletions"), "Expiration": {"ExpiredObjectDeleteMarker": True}},
        {**_rule("quarantine", "imports/"), "Expiration": {"Days": QUARANTINE_DAYS}},
        {**_rule("previews", "previews/"), "Expiration": {"Days": PREVIEW_DAYS}},
        {**_rule("identities", "identities/"), "NoncurrentVersionExpiration": {"NoncurrentDays": ERASED_DAYS}},
    ]


def archive_rules() -> list[dict[str, Any]]:
    """The rules of the archive: cold from the first day, and gone when the last lock has ended."""
    return [
        {**_rule("stale-uploads"), "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": STALE_UPLOAD_DAYS}},
        {**_rule("cold", "archive/"), "Transitions": [{"Days": 1, "StorageClass": "GLACIER_IR"}]},
        {**_rule("old-copies", "archive/audit/"), "Expiration": {"Days": ARCHIVE_DAYS + 1}},
        {**_rule("replaced-versions"), "NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
    ]


def apply(client: Any, region: str, names: Mapping[str, str] | None = None) -> None:
    """Bring a region's buckets, which are there with Object Lock, to what stands here; again changes nothing."""
    found = documents(region)
    for kind, name in (names or found["s3/buckets.json"]).items():
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration=found[f"s3/{kind}.versioning.json"])
        client.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=found[f"s3/{kind}.object-lock.json"])
        client.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=BLOCKED)
        client.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=ENCRYPTED)
        client.put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration=found[f"s3/{kind}.lifecycle.json"]
        )


def _rule(name: str, prefix: str = "") -> dict[str, Any]:
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": prefix}}


BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
ENCRYPTED = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
"""What is confidential is encrypted before it comes here; this is for the disks."""
