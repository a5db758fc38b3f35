"""Blobs in S3: streamed both ways, multipart with SHA-256 checksums, a failed upload aborted.

Keys are those of `cluster.places`. Calls block: async callers use a thread. Errors: ContentError `object-missing`, or `storage-unavailable` (retryable).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from content.errors import ContentError

PIECE = 8 * MIB
MISSING = {"NoSuchKey", "404", "NoSuchUpload", "NoSuchVersion"}
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


class Objects:
    """One bucket, one client (botocore's clients may be shared by threads)."""

    def __init__(self, settings: Settings, *, connections: int = 32) -> None:
        self.bucket = settings.s3_bucket
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
                s3={"addressing_style": "path"},
            ),
        )

    def put(self, key: str, body: Any, media_type: str = MEDIA_TYPE, *, file_name: str | None = None) -> None:
        """One PUT of bytes or of an open file. Whoever downloads it saves it as `file_name`."""
        with _translated("put", key):
            self.client.put_object(
                Bucket=self.bucket, Key=key, Body=body, ChecksumAlgorithm="SHA256", **_told(media_type, file_name)
            )

    def copy(self, source: str, key: str, media_type: str) -> None:
        """Copy an object inside the store, under another type. (S3 copies up to 5 GiB in one call.)"""
        with _translated("copy", key):
            self.client.copy_object(
                Bucket=self.bucket, Key=key, CopySource={"Bucket": self.bucket, "Key": source},
                MetadataDirective="REPLACE", ContentType=media_type,
            )  # fmt: skip

    def get(self, key: str) -> bytes:
        """The whole object; what broke off on the way is asked for again. For small ones: all of it is in memory."""
        for attempt in stamina.retry_context(on=_broke_off, attempts=3, timeout=None, wait_initial=0.2, wait_max=2.0):
            with attempt, _translated("get", key):
                return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        raise AssertionError("a retry context ends with a result or an error")

    def read(self, key: str, sizes: Iterable[int]) -> Iterator[bytes]:
        """The object in pieces of just these sizes, in one GET; nothing more than one piece is held.

        Raises ContentError `object-truncated` (retryable) if it ends early.
        """
        with _translated("read", key):
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
            with _translated("size", key):
                return int(self.client.head_object(Bucket=self.bucket, Key=key)["ContentLength"])
        except ContentError as error:
            if error.code == "object-missing":
                return None
            raise

    def stat(self, key: str) -> Stat | None:
        """What is there under a key now, or None."""
        try:
            with _translated("stat", key):
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
        with _translated("read", key):
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

    def keys(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Every (key, last change as seconds since 1970) below a prefix."""
        with _translated("keys", prefix):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    yield entry["Key"], entry["LastModified"].timestamp()

    def delete(self, keys: list[str]) -> None:
        with _translated("delete", keys[0] if keys else ""):
            for start in range(0, len(keys), 1000):
                batch = [{"Key": key} for key in keys[start : start + 1000]]
                answer = self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True})
                if failed := answer.get("Errors"):
                    raise ContentError(
                        "storage-unavailable", f"{len(failed)} objects were not deleted.", "Try again.", True
                    )

    def uploads(self, prefix: str) -> list[tuple[str, str, float]]:
        """Multipart uploads that were begun and not ended: (key, upload id, begun)."""
        with _translated("uploads", prefix):
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
        with _translated("begin", key):
            answer = self.client.create_multipart_upload(
                Bucket=self.bucket, Key=key, **asked, **_told(media_type, file_name)
            )
            return str(answer["UploadId"])

    def pieces(self, key: str, upload: str) -> list[Piece] | None:
        """The pieces that are there of a multipart upload, by their numbers; None if it has ended."""
        try:
            with _translated("pieces", key):
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
        with _translated("piece", key):
            answer = self.client.upload_part(
                Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256"
            )
            return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": answer.get("ChecksumSHA256")}

    def finish(self, key: str, upload: str, pieces: list[dict[str, Any]]) -> None:
        kept = [{name: value for name, value in piece.items() if value is not None} for piece in pieces]
        with _translated("finish", key):
            self.client.complete_multipart_upload(
                Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": kept}
            )

    def abort(self, key: str, upload: str) -> None:
        with _translated("abort", key):
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)


def _told(media_type: str, file_name: str | None) -> dict[str, str]:
    """What stands in the header of the object. A file name is of ASCII letters, digits, `.`, `_` and `-`."""
    saved = {} if file_name is None else {"ContentDisposition": f'attachment; filename="{file_name}"'}
    return {"ContentType": media_type, **saved}


def _broke_off(error: Exception) -> bool:
    """Whether the bytes ended early or are not what their checksum says; botocore has tried again what failed before."""
    return isinstance(error, ContentError) and isinstance(
        error.__cause__, (HTTPClientError, IncompleteReadError, FlexibleChecksumError)
    )


@contextmanager
def _translated(action: str, key: str) -> Iterator[None]:
    # Pieces that are handed out one by one would keep a span open in whoever takes them.
    lazy = action in ("read", "keys")
    try:
        with STORAGE.timed(action=action) if lazy else telemetry.calling(STORAGE, action=action):
            yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in MISSING:
            raise ContentError("object-missing", f"There is no object {key}.") from error
        raise ContentError(
            "storage-unavailable", f"The object store refused {key}: {code}.", "Try again.", True
        ) from error
    except BotoCoreError as error:
        raise ContentError("storage-unavailable", "The object store does not answer.", "Try again.", True) from error
