"""Addresses at which the object store takes or gives one object, for those who have no credentials for it.

An address names one key, one method and a time; whoever holds it may do that and nothing else. What an uploader sends is
bound further: the size of a piece and its SHA-256 are signed along, so the store refuses any other bytes (S3, R2 and the
local store all check both). Signing asks nobody, so nothing here blocks.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import boto3.session
from botocore.config import Config

from cluster.settings import Settings
from content.canonical import DIGEST_PREFIX

CHECKSUM = "x-amz-checksum-sha256"


@dataclass(frozen=True)
class Signed:
    """An address, and the header fields that must be sent with it. `Content-Length` is the sender's to set."""

    url: str
    headers: dict[str, str]


class Presigner:
    """Signs with the service's own key. `public`: as the store is called from outside (`s3_public_endpoint`)."""

    def __init__(self, settings: Settings, *, public: bool = False) -> None:
        endpoint = settings.s3_public_endpoint if public else None
        self._bucket = settings.s3_bucket
        self._client: Any = boto3.session.Session().client(  # pyright: ignore[reportUnknownMemberType]
            "s3",
            endpoint_url=endpoint or settings.s3_endpoint,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key.get_secret_value() or None,
            aws_secret_access_key=settings.s3_secret_key.get_secret_value() or None,
            # Else a checksum that botocore would compute later is signed into an address that somebody else uses.
            config=Config(
                signature_version="s3v4", request_checksum_calculation="when_required", s3={"addressing_style": "path"}
            ),
        )

    def piece(self, key: str, upload: str, number: int, size_bytes: int, digest: str, ttl_s: int) -> Signed:
        """Where to PUT piece `number` (from 1), of just this size and content."""
        checksum = checksum_of(digest)
        url = self._url(
            "upload_part", ttl_s, Key=key, UploadId=upload, PartNumber=number, ContentLength=size_bytes,
            ChecksumSHA256=checksum,
        )  # fmt: skip
        return Signed(url, {CHECKSUM: checksum})

    def open_piece(self, key: str, upload: str, number: int, ttl_s: int) -> str:
        """Where to PUT a piece whose size nobody knows yet."""
        return self._url("upload_part", ttl_s, Key=key, UploadId=upload, PartNumber=number)

    def put(self, key: str, ttl_s: int) -> str:
        """Where to PUT one object."""
        return self._url("put_object", ttl_s, Key=key)

    def get(self, key: str, ttl_s: int) -> str:
        """Where to GET one object, or ranges of it."""
        return self._url("get_object", ttl_s, Key=key)

    def _url(self, action: str, ttl_s: int, **parameters: Any) -> str:
        return self._client.generate_presigned_url(
            action, Params={"Bucket": self._bucket, **parameters}, ExpiresIn=ttl_s
        )


def checksum_of(digest: str) -> str:
    """A digest (`sha256:` and hexadecimal) as S3 writes it."""
    return base64.b64encode(bytes.fromhex(digest.removeprefix(DIGEST_PREFIX))).decode()
