"""Cold storage: how a blob goes there and comes back, in a store with storage classes and in one without.

`glacier` changes the class of the object in place and has the store restore it, which takes hours. `prefix` moves it below
`cold/`, where nothing but this module reads; so a local store behaves the same way, to the answer of whoever asks for it.
`off`, for stores like R2 whose hot class costs little, moves nothing. Each step may be done twice. Before: `tasks/keeping/retention.py`
decides, `tasks/keeping/cold.py` asks for it back. Calls block.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cluster.objects import COLD, Objects, translated
from cluster.settings import Settings
from content.errors import ContentError

UNDER_WAY = {"RestoreAlreadyInProgress", "ObjectAlreadyInActiveTierError", "InvalidObjectState"}
"""Answers to whoever asks for what is on its way, or has never been cold."""
HOT = "STANDARD"
PATIENT = b"set local idle_in_transaction_session_timeout = '30min'"
"""For the transaction that moves a blob: a large one takes its time to be copied."""


class ColdStore:
    """One bucket's cold half."""

    def __init__(self, objects: Objects, settings: Settings) -> None:
        self._objects, self._settings = objects, settings
        self._glacier = settings.cold_storage == "glacier"

    @property
    def on(self) -> bool:
        return self._settings.cold_storage != "off"

    @property
    def moves(self) -> bool:
        """Whether what is cold lies under another key."""
        return self.on and not self._glacier

    @property
    def storage_class(self) -> str:
        """What a row says of a blob that is cold here."""
        return self._settings.cold_storage_class if self._glacier else "PREFIX"

    def cool(self, key: str) -> bool:
        """Make a blob cold. False if there is none; one that is cold already stays."""
        if self._glacier:
            found = self._objects.head(key)
            if found is None:
                return False
            if found.get("StorageClass", HOT) != self._settings.cold_storage_class:
                self._change_class(key, found, self._settings.cold_storage_class)
            else:  # somebody may have been killed between the copy and its lock
                self._objects.take_lock_along(key)
            return True
        if self._objects.size(key) is None:
            return self._objects.size(COLD + key) is not None
        self._move(key, COLD + key)
        return True

    def ask(self, key: str, tier: str) -> None:
        """Have the store begin to restore a blob; it is `ready` in its own time."""
        if not self._glacier:
            return
        wanted: dict[str, Any] = {"Days": self._settings.cold_copy_days, "GlacierJobParameters": {"Tier": tier}}
        with translated("restore", key):
            try:
                self._objects.client.restore_object(Bucket=self._objects.bucket, Key=key, RestoreRequest=wanted)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in UNDER_WAY:
                    raise

    def ready(self, key: str) -> bool:
        """Whether a blob that was asked for can be taken back; true also of one that is hot, or gone."""
        if not self._glacier:
            return True
        found = self._objects.head(key)
        if found is None or found.get("StorageClass", HOT) != self._settings.cold_storage_class:
            return True
        return 'ongoing-request="false"' in found.get("Restore", "")

    def warm(self, key: str) -> bool:
        """Make a blob hot for good, once it is `ready`. False if there is none."""
        if self._glacier:
            found = self._objects.head(key)
            if found is None:
                return False
            if found.get("StorageClass", HOT) == self._settings.cold_storage_class:
                self._change_class(key, found, HOT)
            else:
                self._objects.take_lock_along(key)
            return True
        if self._objects.size(COLD + key) is None:
            return self._objects.size(key) is not None
        self._move(COLD + key, key)
        return True

    def _change_class(self, key: str, found: dict[str, Any], storage_class: str) -> None:
        """The copy is another version; the one before ends by the bucket's lifecycle rule, unless a hold locks it: then the lock
        goes over to the copy, which is whole before the old one is let go."""
        kept = {name: found[name] for name in ("ContentType", "ContentDisposition") if found.get(name)}
        with translated("class", key):
            self._objects.client.copy(  # in parts, where it is larger than one copy may be
                {"Bucket": self._objects.bucket, "Key": key, "VersionId": found["VersionId"]}
                if found.get("VersionId") not in (None, "null")
                else {"Bucket": self._objects.bucket, "Key": key},
                self._objects.bucket,
                key,
                ExtraArgs={"StorageClass": storage_class, "MetadataDirective": "REPLACE", **kept},
            )
        if found.get("ObjectLockLegalHoldStatus") == "ON":
            self._objects.take_lock_along(key)

    def _move(self, source: str, key: str) -> None:
        found = self._objects.head(source)
        if found is None:
            raise ContentError("object-missing", f"There is no object {source}.")
        kept = {name: found[name] for name in ("ContentType", "ContentDisposition") if found.get(name)}
        # The source's, or what somebody who was killed has set on a copy before this one.
        locked = self._objects.locked(source) or self._objects.locked(key)
        with translated("move", source):
            self._objects.client.copy(
                {"Bucket": self._objects.bucket, "Key": source},
                self._objects.bucket,
                key,
                ExtraArgs={"MetadataDirective": "REPLACE", **kept},
            )
        if locked:
            self._objects.lock(key, on=True)
            self._objects.take_lock_along(key)
            self._objects.lock(source, on=False)
        self._objects.delete([source])
