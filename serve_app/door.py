"""Where the mesh's door stands before the API, nothing is answered that did not come in by it (docs/mesh.md), but probes."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from cluster import mesh_door
from serve_app.access import PROBES
from serve_app.problems import problem
from serve_app.requests import request_id

DETAIL = "This address is behind the mesh's door: ask at the address of the API."


class Door:
    """Answers 403 to a request without the door's secret, whose SHA-256 is `digest`."""

    def __init__(self, app: ASGIApp, digest: str) -> None:
        self._app, self._digest = app, digest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES or self._came_in(scope):
            await self._app(scope, receive, send)
            return
        await problem("mesh-required", DETAIL, instance=request_id(scope))(scope, receive, send)

    def _came_in(self, scope: Scope) -> bool:
        return mesh_door.came_in(self._digest, Headers(scope=scope).get(mesh_door.HEADER))
