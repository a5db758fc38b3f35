"""The object store: it takes, gives and removes an object, keeps versions, and agrees on the time."""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cluster import places
from cluster.objects import Objects
from cluster.settings import Settings
from content.errors import ContentError
from tasks.doctor.database import skew
from tasks.doctor.findings import Finding, fail, ok, warn

STALE_S = 3600.0


async def check(settings: Settings) -> list[Finding]:
    return await asyncio.to_thread(_check, settings)


def _check(settings: Settings) -> list[Finding]:
    objects = Objects(settings)
    found = [_round_trip(objects)]
    if found[0].status != "ok":
        return found
    return [*found, _versions(objects), _clock(objects)]


def _round_trip(objects: Objects) -> Finding:
    """Put, read back, remove; what an earlier doctor was killed over is removed, too."""
    name, key, body = "storage: objects", f"{places.DOCTOR}{secrets.token_hex(8)}", secrets.token_bytes(1024)
    try:
        objects.put(key, body)
        if objects.get(key) != body:
            return fail(name, "gives other bytes than it took", "Do not use this store.")
        old = [other for other, changed in objects.keys(places.DOCTOR) if time.time() - changed > STALE_S]
        objects.delete([key, *old])
    except ContentError as error:
        return fail(name, error.message, "Check s3_endpoint, s3_bucket and the keys, and what their policy allows.")
    if objects.size(key) is not None:
        return fail(name, "removes nothing", "Allow s3:DeleteObject, which garbage collection needs.")
    return ok(name, f"put, get and delete in {objects.bucket}, with SHA-256 checksums")


def _versions(objects: Objects) -> Finding:
    name = "storage: versions"
    try:
        answer: dict[str, Any] = objects.client.get_bucket_versioning(Bucket=objects.bucket)
    except (ClientError, BotoCoreError) as error:
        return warn(name, f"cannot be seen ({type(error).__name__})", "Allow s3:GetBucketVersioning.")
    if answer.get("Status") != "Enabled":
        return fail(name, "old versions are not kept", "Turn versioning of the bucket on.")
    return ok(name, "old versions are kept")


def _clock(objects: Objects) -> Finding:
    name = "storage: clock"
    began = datetime.now(UTC)
    answer: dict[str, Any] = objects.client.list_objects_v2(Bucket=objects.bucket, Prefix=places.DOCTOR, MaxKeys=1)
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if told is None:
        return warn(name, "it does not tell the time", "Signed requests fail when the clocks are 15 minutes apart.")
    return skew(name, parsedate_to_datetime(told), began + (datetime.now(UTC) - began) / 2, 1.0)
