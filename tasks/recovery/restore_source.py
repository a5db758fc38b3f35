"""Where a restore reads from: `s3://bucket` at the store of the settings, or `https://host/bucket` at another."""

from __future__ import annotations

from urllib.parse import urlsplit

from cluster.objects import Objects
from cluster.settings import Settings
from content.errors import ContentError


def source(settings: Settings, address: str) -> Objects:
    """The bucket that an address names. Raises ContentError `restore-address`."""
    parts = urlsplit(address)
    bucket = parts.netloc if parts.scheme == "s3" else parts.path.strip("/")
    if (
        parts.scheme not in ("s3", "http", "https")
        or not bucket
        or "/" in bucket
        or any(each in address for each in "@?#\\")
        or (parts.scheme == "s3" and parts.path.strip("/"))
    ):
        raise ContentError(
            "restore-address",
            f"{address} names no bucket.",
            "Write s3://BUCKET for one at this region's store, or https://HOST/BUCKET.",
        )
    if parts.scheme == "s3":
        return Objects(settings.model_copy(update={"s3_bucket": bucket}))
    endpoint = f"{parts.scheme}://{parts.netloc}"
    return Objects(settings.model_copy(update={"s3_bucket": bucket, "s3_endpoint": endpoint}))
