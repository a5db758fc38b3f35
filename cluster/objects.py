"""Blobs in S3: streamed both ways, multipart with SHA-256 checksums, a failed upload aborted.

Keys are those of `cluster.places`. Calls block: async callers use a thread. Errors: ContentError `object-missing`, `object-cold`
(ObjectCold: it must be restored first), or `storage-unavailable` (retryable).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3.session
import stamina
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)

from cluster import telemetry
from cluster.settings import MIB, Settings
from cluster.telemetry.metrics import STORAGE
from content.errors import ContentError, ObjectCold

PIECE = 8 * MIB
MISSING = {"NoSuchKey", "404", "NoSuchUpload", "NoSuchVersion"}
PRESENT = {"PreconditionFailed", "412"}
COLD = "cold/"
"""Where blobs lie that are cold, in a store that knows no storage classes (`cluster.cold_store`)."""
MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Stat:
    """An object as it is now. `version` is None in a bucket without versions."""

    size_bytes: int
    etag: str
    version: str | None


@dataclass(frozen=True)
class Piece:
    """A piece of a multipart upload that the store has."""

    number: int
    size_bytes: int
    etag: str


@dataclass(frozen=True)
class Version:
    """One version of an object, the newest or one before it; or a `mark`, which tells of a deletion."""

    key: str
    id: str
    newest: bool
    mark: bool


class Objects:
    """One bucket, one client (botocore's clients may be shared by threads)."""

    def __init__(self, settings: Settings, *, connections: int = 32) -> None:
        self.bucket = settings.s3_bucket
        self._prefixed = settings.cold_storage == "prefix"
        # botocore-free of credentials files: every value comes from the settings.
        self.client: Any = boto3.session.Session().client(  # pyright: ignore[reportUnknownMemberType]
            "s3",
            endpoint_url=settings.s3_endpoint,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key.get_secret_value() or None,
            aws_secret_access_key=settings.s3_secret_key.get_secret_value() or None,
            config=Config(
                retries={"max_attempts": 5, "mode": "standard"},
                max_pool_connections=connections,
                connect_timeout=5,
                read_timeout=60,
                proxies={},  # none of the environment either
                s3={"addressing_style": "path"},
            ),
        )

    def put(self, key: str, body: Any, media_type: str = MEDIA_TYPE, *, file_name: str | None = None) -> None:
        """One PUT of bytes or of an open file. Whoever downloads it saves it as `file_name`."""
        with translated("put", key):
            self.client.put_object(
                Bucket=self.bucket, Key=key, Body=body, ChecksumAlgorithm="SHA256", **_told(media_type, file_name)
            )

    def create(self, key: str, body: bytes, media_type: str = MEDIA_TYPE) -> bool:
        """Put bytes only where there is nothing yet. False if something is there already."""
        try:
            with translated("create", key):
                self.client.put_object(
                    Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*", ChecksumAlgorithm="SHA256", **_told(media_type, None)
                )  # fmt: skip
        except ContentError as error:
            refused = error.__cause__
            if isinstance(refused, ClientError) and refused.response.get("Error", {}).get("Code") in PRESENT:
                return False
            raise
        return True

    def copy(self, source: str, key: str, media_type: str) -> None:
        """Copy an object inside the store, under another type. (S3 copies up to 5 GiB in one call.)"""
        with self._reading(source), translated("copy", source):
            self.client.copy_object(
                Bucket=self.bucket, Key=key, CopySource={"Bucket": self.bucket, "Key": source},
                MetadataDirective="REPLACE", ContentType=media_type,
            )  # fmt: skip

    def get(self, key: str) -> bytes:
        """The whole object; what broke off on the way is asked for again. For small ones: all of it is in memory."""
        for attempt in stamina.retry_context(on=_broke_off, attempts=3, timeout=None, wait_initial=0.2, wait_max=2.0):
            with attempt, self._reading(key), translated("get", key):
                return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        raise AssertionError("a retry context ends with a result or an error")

    def read(self, key: str, sizes: Iterable[int]) -> Iterator[bytes]:
        """The object in pieces of just these sizes, in one GET; nothing more than one piece is held.

        Raises ContentError `object-truncated` (retryable) if it ends early.
        """
        with self._reading(key), translated("read", key):
            body = self.client.get_object(Bucket=self.bucket, Key=key)["Body"]
            try:
                for size in sizes:
                    piece = body.read(size) if size else b""
                    if len(piece) != size:
                        raise ContentError("object-truncated", f"{key} ended early.", "Try again.", True)
                    yield piece
            finally:
                body.close()

    def size(self, key: str) -> int | None:
        """Bytes of an object, or None where there is none."""
        try:
            with translated("size", key):
                return int(self.client.head_object(Bucket=self.bucket, Key=key)["ContentLength"])
        except ContentError as error:
            if error.code == "object-missing":
                return None
            raise

    def stat(self, key: str) -> Stat | None:
        """What is there under a key now, or None."""
        try:
            with translated("stat", key):
                found = self.client.head_object(Bucket=self.bucket, Key=key)
        except ContentError as error:
            if error.code == "object-missing":
                return None
            raise
        # A bucket without versions, and one in which they were never switched on, say so in two ways.
        version = found.get("VersionId")
        return Stat(int(found["ContentLength"]), str(found["ETag"]), None if version in (None, "null") else version)

    def pinned(self, key: str, stat: Stat, piece: int = PIECE) -> Iterator[bytes]:
        """The very object that `stat` told of, in one GET, in pieces of at most this size: what was put there since under the
        same key is not read. Raises ContentError `object-missing`, `object-truncated` (retryable)."""
        pin = {"VersionId": stat.version} if stat.version else {"IfMatch": stat.etag}
        with translated("read", key):
            body = self.client.get_object(Bucket=self.bucket, Key=key, **pin)["Body"]
            left = stat.size_bytes
            try:
                while left:
                    found = body.read(min(piece, left))
                    if not found:
                        raise ContentError("object-truncated", f"{key} ended early.", "Try again.", True)
                    left -= len(found)
                    yield found
            finally:
                body.close()

    def head(self, key: str, version: str | None = None) -> dict[str, Any] | None:
        """What the store tells of an object, or of one of its versions: its class, whether it is being restored, its lock. None where
        there is none."""
        try:
            with translated("head", key):
                return dict(self.client.head_object(Bucket=self.bucket, Key=key, **_pin(version)))
        except ContentError as error:
            if error.code == "object-missing":
                return None
            raise

    @cached_property
    def lockable(self) -> bool:
        """Whether the bucket has Object Lock (R2 has none)."""
        try:
            found = self.client.get_object_lock_configuration(Bucket=self.bucket)
        except ClientError:
            return False
        except BotoCoreError as error:
            raise ContentError(
                "storage-unavailable", "The object store does not answer.", "Try again.", True
            ) from error
        return found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"

    def lock(self, key: str, *, on: bool) -> bool:
        """Set the store's own legal hold on an object's newest version, which then nobody can remove; or take it away, from all
        its versions. False where there is no such object (none to take it from), or no Object Lock."""
        if not self.lockable:
            return False
        if on:  # the local store answers 500 where nothing is; and what is so already need not be written
            found = self.head(key)
            if found is not None and found.get("ObjectLockLegalHoldStatus") != "ON":
                self._lock(key, found.get("VersionId"), on=True)
            return found is not None
        versions = self._locks(key)
        for version, locked in versions:
            if locked:
                self._lock(key, version.id, on=False)
        return bool(versions)

    def locked(self, key: str) -> bool:
        """Whether any version of an object is under the store's legal hold."""
        return self.lockable and any(on for _, on in self._locks(key))

    def take_lock_along(self, key: str) -> None:
        """What locks older versions of an object goes over to its newest one, which is locked before these are let go."""
        if not self.lockable:
            return
        older = [version for version, on in self._locks(key) if on and not version.newest]
        if older and self.lock(key, on=True):
            for version in older:
                self._lock(key, version.id, on=False)

    def _locks(self, key: str) -> list[tuple[Version, bool]]:
        """Every version of an object, and whether it is locked."""
        found: list[tuple[Version, bool]] = []
        for page in self.versions(key):
            for version in page:
                if version.key != key:
                    return found  # in their order: what is called like it and goes on comes behind it
                told = None if version.mark else self.head(key, version.id)
                if told is not None:
                    found.append((version, told.get("ObjectLockLegalHoldStatus") == "ON"))
        return found

    def _lock(self, key: str, version: str | None, *, on: bool) -> None:
        status = {"Status": "ON" if on else "OFF"}
        try:
            with translated("lock", key):
                self.client.put_object_legal_hold(Bucket=self.bucket, Key=key, LegalHold=status, **_pin(version))
        except ContentError as error:
            if error.code != "object-missing":  # it went meanwhile
                raise

    def versions(self, prefix: str, most: int = 1000) -> Iterator[list[Version]]:
        """Every version and every mark below a prefix, up to `most` at once. What was handed out may be removed meanwhile."""
        with translated("keys", prefix):
            for page in self.client.get_paginator("list_object_versions").paginate(
                Bucket=self.bucket, Prefix=prefix, PaginationConfig={"PageSize": most}
            ):
                versions, marks = page.get("Versions", []), page.get("DeleteMarkers", [])
                found = [Version(each["Key"], each["VersionId"], each["IsLatest"], False) for each in versions]
                found += [Version(each["Key"], each["VersionId"], each["IsLatest"], True) for each in marks]
                yield sorted(found, key=lambda version: version.key)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[tuple[str, float]]:
        """Every (key, last change as seconds since 1970) below a prefix, in the order of keys; `after` begins behind that key."""
        start = {"StartAfter": after} if after else {}
        with translated("keys", prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix, **start)
            for page in pages:
                for entry in page.get("Contents", []):
                    yield entry["Key"], entry["LastModified"].timestamp()

    def delete(self, keys: list[str]) -> None:
        with translated("delete", keys[0] if keys else ""):
            for start in range(0, len(keys), 1000):
                batch = [{"Key": key} for key in keys[start : start + 1000]]
                answer = self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True})
                if failed := answer.get("Errors"):
                    raise ContentError(
                        "storage-unavailable", f"{len(failed)} objects were not deleted.", "Try again.", True
                    )

    def forget(self, key: str) -> None:
        """Delete an object with all its versions: nothing of it can be brought back."""
        with translated("forget", key):
            for page in self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=key):
                for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    if each["Key"] == key:
                        self.client.delete_object(Bucket=self.bucket, Key=key, VersionId=each["VersionId"])

    def erase(self, prefix: str, *, only: Collection[str] | None = None) -> int:
        """Delete what is below a prefix (of it, `only` these keys) with all its versions and what tells of deletions, so that
        nothing of it can be had back. Returns how many versions there were."""
        pages = self.versions(prefix)
        return sum(self.remove([each for each in page if only is None or each.key in only]) for page in pages)

    def remove(self, versions: Sequence[Version], *, unlock: bool = False) -> int:
        """Delete up to 1000 versions for good. A locked one is refused, unless `unlock` says that no hold covers it any more: a lock
        that is left all the same is taken away first. Returns how many there were."""
        refused = self._remove(versions)
        if refused and unlock and self.lockable:
            for each in refused:
                self._lock(each.key, each.id, on=False)
            refused = self._remove(refused)
        if refused:
            raise ContentError("storage-unavailable", f"{len(refused)} versions were not deleted.", "Try again.", True)
        return len(versions)

    def _remove(self, versions: Sequence[Version]) -> list[Version]:
        """What the store did not delete. (Not every store says of which version that is.)"""
        if not versions:
            return []
        named = [{"Key": each.key, "VersionId": each.id} for each in versions]
        with translated("erase", versions[0].key):
            answer = self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": named, "Quiet": True})
        failed = {(each["Key"], each.get("VersionId")) for each in answer.get("Errors", [])}
        return [each for each in versions if not failed.isdisjoint({(each.key, each.id), (each.key, None)})]

    @contextmanager
    def _reading(self, key: str) -> Iterator[None]:
        """What is missing may only be cold. (A store with storage classes says so itself.)"""
        try:
            yield
        except ContentError as error:
            if self._prefixed and error.code == "object-missing" and self.size(COLD + key) is not None:
                raise cold(key) from error
            raise

    def uploads(self, prefix: str) -> list[tuple[str, str, float]]:
        """Multipart uploads that were begun and not ended: (key, upload id, begun)."""
        with translated("uploads", prefix):
            pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix)
            return [
                (entry["Key"], entry["UploadId"], entry["Initiated"].timestamp())
                for page in pages
                for entry in page.get("Uploads", [])
            ]

    def begin(
        self, key: str, media_type: str = MEDIA_TYPE, *, file_name: str | None = None, checksums: bool = True
    ) -> str:
        """Begin a multipart upload and return its id; end it with `finish` or `abort`. With `checksums` every piece must come
        with its SHA-256."""
        asked = {"ChecksumAlgorithm": "SHA256"} if checksums else {}
        with translated("begin", key):
            answer = self.client.create_multipart_upload(
                Bucket=self.bucket, Key=key, **asked, **_told(media_type, file_name)
            )
            return str(answer["UploadId"])

    def pieces(self, key: str, upload: str) -> list[Piece] | None:
        """The pieces that are there of a multipart upload, by their numbers; None if it has ended."""
        try:
            with translated("pieces", key):
                pages = self.client.get_paginator("list_parts").paginate(Bucket=self.bucket, Key=key, UploadId=upload)
                return [
                    Piece(each["PartNumber"], each["Size"], each["ETag"])
                    for page in pages
                    for each in page.get("Parts", [])
                ]
        except ContentError as error:
            if error.code == "object-missing":
                return None
            raise

    def piece(self, key: str, upload: str, number: int, body: Any) -> dict[str, Any]:
        """Upload piece `number` (from 1); what comes back goes to `finish`, in order."""
        with translated("piece", key):
            answer = self.client.upload_part(
                Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256"
            )
            return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": answer.get("ChecksumSHA256")}

    def finish(self, key: str, upload: str, pieces: list[dict[str, Any]]) -> None:
        kept = [{name: value for name, value in piece.items() if value is not None} for piece in pieces]
        with translated("finish", key):
            self.client.complete_multipart_upload(
                Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": kept}
            )

    def abort(self, key: str, upload: str) -> None:
        with translated("abort", key):
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)


def _pin(version: str | None) -> dict[str, str]:
    """Of what has no versions the store says `null`."""
    return {} if version in (None, "null") else {"VersionId": str(version)}


def _told(media_type: str, file_name: str | None) -> dict[str, str]:
    """What stands in the header of the object. A file name is of ASCII letters, digits, `.`, `_` and `-`."""
    saved = {} if file_name is None else {"ContentDisposition": f'attachment; filename="{file_name}"'}
    return {"ContentType": media_type, **saved}


def cold(key: str) -> ObjectCold:
    return ObjectCold("object-cold", f"{key} lies in cold storage.", "Wait until it is restored.", True, key)


def _broke_off(error: Exception) -> bool:
    """Whether the bytes ended early or are not what their checksum says; botocore has tried again what failed before."""
    return isinstance(error, ContentError) and isinstance(
        error.__cause__, (HTTPClientError, IncompleteReadError, FlexibleChecksumError)
    )


@contextmanager
def translated(action: str, key: str) -> Iterator[None]:
    """Errors of the store as ours, and the time that it took as a number."""
    # Pieces that are handed out one by one would keep a span open in whoever takes them.
    lazy = action in ("read", "keys")
    try:
        with STORAGE.timed(action=action) if lazy else telemetry.calling(STORAGE, action=action):
            yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in MISSING:
            raise ContentError("object-missing", f"There is no object {key}.") from error
        if code == "InvalidObjectState":
            raise cold(key) from error
        raise ContentError(
            "storage-unavailable", f"The object store refused {key}: {code}.", "Try again.", True
        ) from error
    except BotoCoreError as error:
        raise ContentError("storage-unavailable", "The object store does not answer.", "Try again.", True) from error
