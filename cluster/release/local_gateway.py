"""The local gateway's weights (`cluster.local.gateway`), as the promoter reads and sets them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from cluster.release.weights import Weights, conflict, refused, unavailable

NAME = "The local gateway"


class LocalGateway:
    """Its administration address. Used from one thread."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/release"
        self._http = httpx.Client(timeout=10.0, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def read(self) -> Weights:
        return _weights(self._ask("GET"))

    def write(self, before: Weights, share: int, annotations: Mapping[str, str]) -> Weights:
        body = {"share": share, "annotations": {**before.annotations, **annotations}}
        return _weights(self._ask("PUT", json=body, headers={"If-Match": f'"{before.revision}"'}))

    def _ask(self, method: str, **options: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, self._url, **options)
        except httpx.HTTPError as error:
            raise unavailable(NAME, error) from error
        if answer.status_code == 412:
            raise conflict()
        if answer.status_code != 200:
            raise refused(NAME, f"{answer.status_code} {answer.text[:200]}")
        return answer.json()


def _weights(document: Mapping[str, Any]) -> Weights:
    return Weights(int(document["share"]), dict(document["annotations"]), str(document["revision"]), document)
