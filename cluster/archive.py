"""The archive: copies that are to outlive everything here, in a bucket of their own with Object Lock where there is one.

Written once and never changed. Calls block. Errors as in `cluster.objects`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cluster.objects import Objects, translated
from cluster.settings import Settings


class Archive:
    """Without a bucket of its own it lies in the service's, below `archive/`."""

    def __init__(self, settings: Settings, objects: Objects) -> None:
        self._objects = objects
        self.bucket = settings.s3_archive_bucket or settings.s3_bucket

    def put(self, key: str, body: bytes, until: datetime | None) -> None:
        """Keep bytes; `until` then nobody can remove them, whatever rights they have."""
        locked: dict[str, Any] = {}
        if until is not None:
            locked = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
        with translated("archive", key):
            self._objects.client.put_object(
                Bucket=self.bucket, Key=key, Body=body, ContentType="application/x-ndjson", ChecksumAlgorithm="SHA256",
                **locked,
            )  # fmt: skip

    def get(self, key: str) -> bytes:
        with translated("get", key):
            return self._objects.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
