"""The API behind the mesh's door: a probe is answered, everything else only if it came in by the door."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cluster.mesh_door import HEADER, digest_of
from serve_app.door import Door

PATHS = ("/livez", "/readyz", "/v1/packages", "/livez/../v1/packages", "//livez", "/problems")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("shown, let_in", [({}, False), ({HEADER: "guess"}, False), ({HEADER: "s3cret"}, True)])
async def test_who_is_answered(path: str, shown: dict[str, str], let_in: bool) -> None:
    app = Starlette(routes=[Route("/{rest:path}", lambda _: PlainTextResponse("in"))])
    transport = httpx.ASGITransport(Door(app, digest_of("s3cret")))
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
        answer = await client.get(path, headers=shown)
    assert answer.status_code == (200 if let_in or path in ("/livez", "/readyz") else 403)
    if answer.status_code == 403:
        assert answer.json()["code"] == "mesh-required"
