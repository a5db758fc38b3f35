"""What tenants say about their sites, in CloudFront's key value store: there the function `answer` looks for each page's policy.

The truth is in the bucket (`sites/TENANT/settings.json`, written in the transaction that changes a tenant). `SiteSettings.step` compares
and copies what differs, so nothing is lost when a process dies, and a store that was made anew is filled. A value holds 1 KB, so a
longer text is cut into pieces, which are put together or not at all: the first begins with their number and `|`.

The store's API wants a signature that is good in every region (SigV4A), which boto3 makes where `awscrt` is installed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from cluster.objects import Objects
from content.errors import ContentError

PREFIX: Final = "sites/"
VALUE_BYTES: Final = 1000
"""Of the 1,024 that a value may have, and a few for the number."""
MOST_CHANGES: Final = 50
"""Keys in one call."""
MOST_PIECES: Final = 20
YOUNG_S: Final = 5.0
log = structlog.get_logger()


def pieces(tenant: str, said: bytes) -> dict[str, str]:
    """The values of a tenant, by their keys. ASCII, so that a piece has as many bytes as characters."""
    document = json.loads(said)
    text = json.dumps(
        {"csp": document.get("csp") or "", "origins": document.get("origins") or []}, separators=(",", ":")
    )
    cut = [text[at : at + VALUE_BYTES] for at in range(0, len(text), VALUE_BYTES)]
    if len(cut) > MOST_PIECES:
        raise ContentError("site-settings-too-long", f"{tenant} says too much about its sites: {len(text)} bytes.")
    return {tenant: f"{len(cut)}|{cut[0]}"} | {
        f"{tenant}/{number}": piece for number, piece in enumerate(cut) if number
    }


class SiteSettings:
    """Blocks; one step every few seconds by any process is enough. `store`: a client of `cloudfront-keyvaluestore`."""

    def __init__(self, objects: Objects, store: Any, arn: str) -> None:
        self._objects, self._store, self._arn = objects, store, arn
        self._read: dict[str, tuple[float, dict[str, str]]] = {}
        self._there: dict[str, str] | None = None

    def step(self) -> int:
        """Copy what has changed; returns how many tenants were written or removed. Raises ContentError `edge-unavailable`."""
        wanted = self._read_bucket()
        try:
            there = dict(self._read_store()) if self._there is None else self._there
            self._there = None  # until all is written: what a failed call has done is looked up again
            changes = list(_changes(wanted, there))
            for each in changes:
                there = self._write(there, each)
            self._there = there
        except (ClientError, BotoCoreError) as error:
            raise ContentError(
                "edge-unavailable", "The edge's store of site settings did not answer.", "", True
            ) from error
        return len(changes)

    def _read_bucket(self) -> dict[str, dict[str, str]]:
        found: dict[str, tuple[float, dict[str, str]]] = {}
        for key, changed_at in self._objects.keys(PREFIX):
            tenant = key.removeprefix(PREFIX).partition("/")[0]
            known = self._read.get(tenant)
            if known is None or known[0] != changed_at:
                try:
                    known = changed_at, pieces(tenant, self._objects.get(key))
                except ContentError as error:
                    if error.code not in ("site-settings-too-long", "object-missing"):
                        raise
                    log.error("site settings not told", tenant=tenant, code=error.code)
                    continue
            found[tenant] = known
        # The store tells times in whole seconds: what is so young may change again without its time telling.
        recent = time.time() - YOUNG_S
        self._read = {tenant: known for tenant, known in found.items() if known[0] < recent}
        return {tenant: values for tenant, (_, values) in found.items()}

    def _read_store(self) -> Iterator[tuple[str, str]]:
        more: dict[str, str] = {}
        while True:
            page = self._store.list_keys(KvsARN=self._arn, MaxResults=MOST_CHANGES, **more)
            for item in page.get("Items", []):
                yield item["Key"], item["Value"]
            if not page.get("NextToken"):
                return
            more = {"NextToken": page["NextToken"]}

    def _write(self, there: dict[str, str], change: Change) -> dict[str, str]:
        """All of a tenant's values in one call, so that no function reads half of them."""
        version = self._store.describe_key_value_store(KvsARN=self._arn)["ETag"]
        self._store.update_keys(
            KvsARN=self._arn,
            IfMatch=version,
            Puts=[{"Key": key, "Value": value} for key, value in change.puts.items()],
            Deletes=[{"Key": key} for key in change.deletes],
        )
        log.info("site settings told", keys=len(change.puts), removed=len(change.deletes))
        return {key: value for key, value in there.items() if key not in change.deletes} | change.puts


@dataclass(frozen=True)
class Change:
    """What one tenant's values lack."""

    puts: dict[str, str]
    deletes: tuple[str, ...]


def _changes(wanted: Mapping[str, dict[str, str]], there: Mapping[str, str]) -> Iterator[Change]:
    known: dict[str, set[str]] = {}
    for key in there:
        known.setdefault(key.partition("/")[0], set()).add(key)
    for tenant in sorted(wanted.keys() | known.keys()):
        values = wanted.get(tenant, {})
        puts = {key: value for key, value in values.items() if there.get(key) != value}
        gone = tuple(sorted(known.get(tenant, set()) - values.keys()))
        if puts or gone:
            yield Change(puts, gone)
