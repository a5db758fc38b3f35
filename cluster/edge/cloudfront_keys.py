"""The key group of CloudFront: `cluster.edge.edge_keys.KeyGroup` over its API.

A public key is made under a name that follows from it, so one that was made before a crash is found again. Group and key have
versions (ETag), and a change names the one it saw: of two rotations at once one is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cluster.edge.edge_keys import MOST_KEYS
from content.errors import ContentError

SETTLES_S = 900.0
"""CloudFront gives no sign that a changed key group has reached every edge; it takes minutes."""


class CloudFrontKeys:
    """`client`: of `cloudfront`. Blocks. Raises ContentError `edge-unavailable`."""

    def __init__(self, client: Any, group_id: str) -> None:
        self._client, self._group = client, group_id

    def keys(self) -> dict[str, str]:
        with _translated("read the key group"):
            return {key_id: self._public_key(key_id)["EncodedKey"] for key_id in self._read()[0]["Items"]}

    def add(self, pem: str) -> str:
        with _translated("add a key to the key group"):
            configuration, version = self._read()
            for key_id in configuration["Items"]:
                if self._public_key(key_id)["EncodedKey"].strip() == pem.strip():
                    return key_id
            if len(configuration["Items"]) >= MOST_KEYS:
                raise ContentError(
                    "edge-keys-full", f"The key group has {MOST_KEYS} keys.", "Remove one that is unknown."
                )
            key_id = self._make(pem)
            self._update(configuration, [*configuration["Items"], key_id], version)
            return key_id

    def remove(self, key_id: str) -> None:
        """Take it out of the group, and then away; a key that is gone already is no error."""
        with _translated("remove a key from the key group"):
            configuration, version = self._read()
            if key_id in configuration["Items"]:
                self._update(configuration, [each for each in configuration["Items"] if each != key_id], version)
            try:
                found = self._client.get_public_key(Id=key_id)
                self._client.delete_public_key(Id=key_id, IfMatch=found["ETag"])
            except ClientError as error:
                # In use: by another group of the same account, whose matter it then is.
                if error.response["Error"]["Code"] not in ("NoSuchPublicKey", "PublicKeyInUse"):
                    raise

    def changed_at(self) -> datetime:
        with _translated("read the key group"):
            return self._client.get_key_group(Id=self._group)["KeyGroup"]["LastModifiedTime"]

    def settles_s(self) -> float:
        return SETTLES_S

    def _read(self) -> tuple[dict[str, Any], str]:
        found = self._client.get_key_group(Id=self._group)
        return found["KeyGroup"]["KeyGroupConfig"], found["ETag"]

    def _update(self, configuration: dict[str, Any], items: list[str], version: str) -> None:
        self._client.update_key_group(Id=self._group, IfMatch=version, KeyGroupConfig={**configuration, "Items": items})

    def _public_key(self, key_id: str) -> dict[str, Any]:
        return self._client.get_public_key(Id=key_id)["PublicKey"]["PublicKeyConfig"]

    def _make(self, pem: str) -> str:
        name = f"content-edge-{hashlib.sha256(pem.encode()).hexdigest()[:16]}"
        asked = {"CallerReference": name, "Name": name, "EncodedKey": pem, "Comment": "Signs addresses of the edge."}
        try:
            return self._client.create_public_key(PublicKeyConfig=asked)["PublicKey"]["Id"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "PublicKeyAlreadyExists":
                raise
            return self._find(name)

    def _find(self, name: str) -> str:
        marker: dict[str, str] = {}
        while True:
            page = self._client.list_public_keys(**marker)["PublicKeyList"]
            for item in page.get("Items", []):
                if item["Name"] == name:
                    return item["Id"]
            if not page.get("NextMarker"):
                raise ContentError(
                    "edge-unavailable", "CloudFront has the key and does not list it.", "Try again.", True
                )
            marker = {"Marker": page["NextMarker"]}


@contextmanager
def _translated(action: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ContentError("edge-unavailable", f"CloudFront did not {action}.", "Try again.", True) from error
