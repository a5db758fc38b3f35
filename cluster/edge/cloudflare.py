"""Cloudflare in front of R2: purging by tags (`cluster.edge.purging.Purger`), and the keys that its Worker takes signatures of
(`cluster.edge.edge_keys.KeyGroup`).

The Worker (`cluster/edge_code/worker.js`) tags what it keeps with each folder above it, so a path is purged by the tag of its folder. The keys
stand in Workers KV, which every edge reads within a minute.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from cluster.edge.edge_keys import MOST_KEYS
from cluster.settings import Settings
from content.canonical import parse_rfc3339, rfc3339
from content.errors import ContentError

MOST_TAGS = 30
"""In one call; plans with more take this too."""
MOST_DEPTH = 4
"""Folders that are tags, as the Worker makes them (`tagsOf`)."""
KEYS = "edge-keys"
SETTLES_S = 180.0
"""Workers KV promises a minute, and the Worker keeps what it read for another."""


class Cloudflare:
    """Its API. Blocks. Raises ContentError `edge-busy` or `edge-unavailable`."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 20.0) -> None:
        self._url = url.rstrip("/")
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"}, timeout=timeout_s, follow_redirects=False, trust_env=False
        )

    @classmethod
    def of(cls, settings: Settings) -> Cloudflare:
        return cls(settings.cloudflare_api_url, settings.cloudflare_token.get_secret_value())

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """The answer, if it is 2xx or 404."""
        try:
            answer = self._http.request(method, f"{self._url}{path}", **given)
        except httpx.HTTPError as error:
            raise ContentError("edge-unavailable", "Cloudflare did not answer.", "Try again.", True) from error
        if answer.status_code == 429:
            raise ContentError("edge-busy", "Cloudflare wants fewer purges at once.", "Try again later.", True)
        if answer.status_code != 404 and not answer.is_success:
            raise ContentError("edge-unavailable", f"Cloudflare answered {answer.status_code}.", "Try again.", True)
        return answer


class CloudflarePurger:
    """Purges by tag. A repetition is another purge, which costs nothing but a call: `reference` is not needed."""

    def __init__(self, api: Cloudflare, zone: str) -> None:
        self._api, self._zone = api, zone

    @classmethod
    def of(cls, settings: Settings) -> CloudflarePurger:
        if not settings.cloudflare_zone_id:
            raise ContentError("edge-settings", "It is not said which zone forgets.", "Set cloudflare_zone_id.")
        return cls(Cloudflare.of(settings), settings.cloudflare_zone_id)

    def purge(self, paths: Sequence[str], reference: str) -> None:
        tags = sorted({tag_of(path) for path in paths})
        if "" in tags:
            self._ask({"purge_everything": True})
            return
        for at in range(0, len(tags), MOST_TAGS):
            self._ask({"tags": tags[at : at + MOST_TAGS]})

    def _ask(self, what: dict[str, Any]) -> None:
        answer = self._api.ask("POST", f"/zones/{self._zone}/purge_cache", json=what)
        if answer.status_code == 404 or not answer.json().get("success"):
            raise ContentError("edge-unavailable", "Cloudflare did not purge.", "See cloudflare_zone_id.", True)


def tag_of(path: str) -> str:
    """The tag of the deepest folder that is one and holds the path: `/packages/acme/pkg_1/3/00.json` is `packages/acme/pkg_1/3`. None
    (an empty one) of `/*`."""
    folders = path.strip("/").split("/")[:-1]  # without the file, or the `*`
    return "/".join(folders[:MOST_DEPTH])


class WorkerKeys:
    """The keys as one JSON value of Workers KV, with the time of its last change. One rotation at a time: KV has no conditional write."""

    def __init__(self, api: Cloudflare, account: str, namespace: str) -> None:
        self._api = api
        self._path = f"/accounts/{account}/storage/kv/namespaces/{namespace}/values/{KEYS}"

    @classmethod
    def of(cls, settings: Settings) -> WorkerKeys:
        return cls(Cloudflare.of(settings), settings.cloudflare_account_id, settings.cloudflare_keys_namespace)

    def keys(self) -> dict[str, str]:
        return self._read()["keys"]

    def add(self, pem: str) -> str:
        known = self.keys()
        for key_id, there in known.items():
            if there == pem:
                return key_id
        if len(known) >= MOST_KEYS:
            raise ContentError("edge-keys-full", f"The edge has {MOST_KEYS} keys.", "Remove one that is unknown.")
        key_id = f"K{hashlib.sha256(pem.encode()).hexdigest()[:13].upper()}"
        self._write({**known, key_id: pem})
        return key_id

    def remove(self, key_id: str) -> None:
        self._write({other: pem for other, pem in self.keys().items() if other != key_id})

    def changed_at(self) -> datetime:
        return parse_rfc3339(self._read()["changed_at"])

    def settles_s(self) -> float:
        return SETTLES_S

    def _read(self) -> dict[str, Any]:
        answer = self._api.ask("GET", self._path)
        return {"keys": {}, "changed_at": "1970-01-01T00:00:00Z"} if answer.status_code == 404 else answer.json()

    def _write(self, keys: dict[str, str]) -> None:
        document = {"keys": keys, "changed_at": rfc3339(datetime.now(UTC))}
        if self._api.ask("PUT", self._path, content=json.dumps(document)).status_code == 404:
            raise ContentError("edge-unavailable", "There is no such store of keys.", "See cloudflare_keys_namespace.")
