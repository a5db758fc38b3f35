"""The weights of an HTTPRoute (Gateway API), by plain HTTPS to the Kubernetes API with the service account's token.

One merge patch carries weights, annotations and `resourceVersion`: the API server refuses it with 409 if the object changed
since it was read. A merge patch replaces lists whole, so the rules go back as they were read, with other weights in them.
The token is read from its file for each request, since the kubelet replaces it every hour.
"""

from __future__ import annotations

import copy
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from cluster.release.weights import Weights, conflict, refused, unavailable

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
API = "https://kubernetes.default.svc"
NAME = "The Kubernetes API"


class HttpRoute:
    """One HTTPRoute whose rules part the traffic between two Services. Used from one thread."""

    def __init__(
        self,
        namespace: str,
        route: str,
        stable: str,
        canary: str,
        *,
        url: str = API,
        account: Path = ACCOUNT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = f"{url}/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{route}"
        self._token, self._stable, self._canary, self._route = account / "token", stable, canary, route
        authority = account / "ca.crt"
        verify = ssl.create_default_context(cafile=str(authority)) if authority.exists() else True
        self._http = httpx.Client(timeout=10.0, trust_env=False, verify=verify, transport=transport)

    def close(self) -> None:
        self._http.close()

    def read(self) -> Weights:
        return self._weights(self._ask("GET"))

    def write(self, before: Weights, share: int, annotations: Mapping[str, str]) -> Weights:
        rules = copy.deepcopy(before.document["spec"]["rules"])
        for rule in rules:
            for backend in rule.get("backendRefs", ()):
                if backend.get("name") in (self._stable, self._canary):
                    backend["weight"] = share if backend["name"] == self._canary else 100 - share
        metadata = {"resourceVersion": before.revision, "annotations": dict(annotations)}
        return self._weights(self._ask("PATCH", {"metadata": metadata, "spec": {"rules": rules}}))

    def _ask(self, method: str, body: Any = None) -> dict[str, Any]:
        try:
            headers = {"Authorization": f"Bearer {self._token.read_text().strip()}"}
            if body is not None:
                headers["Content-Type"] = "application/merge-patch+json"
            answer = self._http.request(method, self._url, headers=headers, json=body)
        except (httpx.HTTPError, OSError) as error:
            raise unavailable(NAME, error) from error
        if answer.status_code == 409:
            raise conflict()
        if answer.status_code in (429, 500, 502, 503, 504):
            raise unavailable(f"{NAME} ({answer.status_code})", RuntimeError())
        if answer.status_code != 200:
            raise refused(NAME, f"{answer.status_code} for httproutes/{self._route}")
        try:
            return answer.json()
        except ValueError as error:
            raise refused(NAME, "its answer is no JSON") from error

    def _weights(self, document: dict[str, Any]) -> Weights:
        """All rules that name one of the two Services name both, and part the traffic alike."""
        try:
            shares = {
                share for rule in document["spec"]["rules"] if (share := self._share(rule.get("backendRefs", ()))) >= 0
            }
            metadata = document["metadata"]
            if len(shares) != 1:
                raise refused(f"HTTPRoute {self._route}", "its rules do not part the traffic alike")
            return Weights(shares.pop(), metadata.get("annotations") or {}, str(metadata["resourceVersion"]), document)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise refused(f"HTTPRoute {self._route}", "it is not as expected") from error

    def _share(self, backends: Any) -> int:
        """The canary's share by one rule's backends; -1 for a rule that is none of ours."""
        # The default weight of the Gateway API is 1.
        weights = {each["name"]: int(each.get("weight", 1)) for each in backends}
        if not weights.keys() & {self._stable, self._canary}:
            return -1
        if weights.keys() != {self._stable, self._canary} or not sum(weights.values()):
            raise refused(f"HTTPRoute {self._route}", f"a rule does not name {self._stable} and {self._canary} alone")
        return round(100 * weights[self._canary] / sum(weights.values()))
