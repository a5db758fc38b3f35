"""As much of a Kubernetes API server as an HTTPRoute's promoter uses: get, and a merge patch that honours `resourceVersion`.

No API server is to be had in a wheel, so this stands in for one: RFC 7396's merge (lists are replaced whole), 409 for a stale
`resourceVersion`, 401 without the token, 404 for another object.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import httpx

PATH = "/apis/gateway.networking.k8s.io/v1/namespaces/content/httproutes/content-api"


def route(*, canary: int = 0) -> dict[str, Any]:
    backends = [
        {"name": "content-api-serve-svc", "port": 8000, "weight": 100 - canary},
        {"name": "content-api-canary-serve-svc", "port": 8000, "weight": canary},
    ]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "content-api", "namespace": "content", "resourceVersion": "1", "annotations": {"a": "b"}},
        "spec": {
            "hostnames": ["api.content.example"],
            "rules": [
                {"matches": [{"path": {"type": "PathPrefix", "value": "/v1"}}], "backendRefs": copy.deepcopy(backends)},
                {"matches": [{"path": {"value": "/static"}}], "backendRefs": [{"name": "pages", "port": 80}]},
                {"backendRefs": backends},
            ],
        },
    }


class KubernetesApi:
    """The server; `transport` is how a client reaches it."""

    def __init__(self, document: dict[str, Any] | None = None, token: str = "token-1") -> None:
        self.document, self.token = document or route(), token
        self.patches: list[dict[str, Any]] = []
        self.broken: int | None = None

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The same as an ASGI application, to be served over TLS."""
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        url = httpx.URL(scheme="https", host="kubernetes", path=scope["path"])
        answer = self._answer(httpx.Request(scope["method"], url, headers=scope["headers"], content=body))
        await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.headers.raw})
        await send({"type": "http.response.body", "body": answer.content})

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.broken:
            return httpx.Response(self.broken)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return httpx.Response(401)
        if request.url.path != PATH:
            return httpx.Response(404)
        if request.method == "PATCH":
            if request.headers["content-type"] != "application/merge-patch+json":
                return httpx.Response(415)
            patch = json.loads(request.content)
            metadata = self.document["metadata"]
            if patch["metadata"].get("resourceVersion", metadata["resourceVersion"]) != metadata["resourceVersion"]:
                return httpx.Response(409)
            self.patches.append(patch)
            self.document = merged(self.document, patch)
            self.document["metadata"]["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        return httpx.Response(200, json=self.document)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found
