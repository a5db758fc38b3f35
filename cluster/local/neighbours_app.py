"""Stubs of the neighbouring services, all in one program, keeping the contracts of `cluster.neighbours`.

`python -m cluster.local.neighbours_app CONFIGURATION`. Below `/{service}`: authoring (drafts), media (originals, with
ranges), catalog (listings), ai-gateway (assistant settings, the same answer for the same question) and sync (records what
we publish; `heard.py`; and what devices hold). `PUT /control/{service}` makes one of them down, failing or slow, for tests. All is kept in files.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse

from cluster import mesh, mesh_door
from cluster.local.heard import Heard
from cluster.local.learner_page import Learning, serve_learner
from cluster.local.misbehaviour import Control, Misbehaviour
from cluster.neighbours import (
    SERVICES,
    AssistantEntry,
    AssistantRequest,
    AssistantSettings,
    Holding,
    Holdings,
    HoldingsRequest,
    Listing,
    OriginalFacts,
)


class Store:
    """Files below a folder; each part of a name is one quoted path segment."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, *names: str) -> Path:
        return self._root.joinpath(*(quote(name, safe="").replace(".", "%2E") for name in names))

    def put(self, data: bytes, *names: str) -> None:
        path = self.path(*names)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_bytes(data)
        fresh.replace(path)

    def get(self, *names: str) -> bytes:
        try:
            return self.path(*names).read_bytes()
        except FileNotFoundError:
            raise HTTPException(404) from None


def application(data: Path, heard: Heard | None = None, learning: Learning | None = None) -> FastAPI:
    """The stubs on a folder; `heard` is left out where a test has no NATS, `learning` where no learner plays."""
    store, controls = Store(data), dict[str, Control]()

    @asynccontextmanager
    async def listening(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(heard.listen(lambda: controls.get("sync"))) if heard else None
        yield
        if task:
            task.cancel()

    app = FastAPI(title="Stubs of the neighbouring services", lifespan=listening)

    def control_of(path: str) -> Control | None:
        service = path.split("/")[1]
        control = controls.get(service)
        if control is not None and control.times:
            if control.times == 1:
                del controls[service]
            else:
                controls[service] = control.model_copy(update={"times": control.times - 1})
        return control

    app.add_middleware(Misbehaviour, control=control_of)

    @app.get("/livez")
    async def livez() -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        return {"status": "ok"}

    @app.put("/control/{service}", status_code=204)
    async def set_control(service: str, control: Control) -> None:  # pyright: ignore[reportUnusedFunction]
        if service not in SERVICES:
            raise HTTPException(404)
        controls.pop(service, None)
        if control.mode != "ok":
            controls[service] = control

    _authoring(app, store)
    _media(app, store)
    _catalog(app, store)
    _ai_gateway(app)
    if heard:
        _sync(app, heard)
    _holdings(app, store)
    if learning:
        serve_learner(app, learning)
    return app


def _authoring(app: FastAPI, store: Store) -> None:
    path = "/authoring/v1/tenants/{tenant}/drafts/{draft_id}/revisions/{revision}"

    @app.put(path, status_code=204)
    async def put_draft(tenant: str, draft_id: str, revision: int, request: Request) -> None:  # pyright: ignore[reportUnusedFunction]
        store.put(await request.body(), "authoring", tenant, draft_id, str(revision))

    @app.get(path)
    async def get_draft(tenant: str, draft_id: str, revision: int) -> Response:  # pyright: ignore[reportUnusedFunction]
        return Response(store.get("authoring", tenant, draft_id, str(revision)), media_type="application/json")


def _media(app: FastAPI, store: Store) -> None:
    path = "/media/v1/tenants/{tenant}/originals/{asset}"

    @app.put(path, status_code=204)
    async def put_original(tenant: str, asset: str, request: Request) -> None:  # pyright: ignore[reportUnusedFunction]
        target = store.path("media", tenant, asset)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f"{target.name}.{os.urandom(4).hex()}.new")
        hashed = hashlib.sha256()
        with fresh.open("wb") as file:
            async for chunk in request.stream():
                hashed.update(chunk)
                await asyncio.to_thread(file.write, chunk)
        media_type = request.headers.get("content-type") or "application/octet-stream"
        facts = OriginalFacts(digest=f"sha256:{hashed.hexdigest()}", size=fresh.stat().st_size, media_type=media_type)
        fresh.replace(target)
        store.put(facts.model_dump_json().encode(), "media-facts", tenant, asset)

    @app.get(f"{path}/facts")
    async def get_facts(tenant: str, asset: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        return Response(store.get("media-facts", tenant, asset), media_type="application/json")

    @app.api_route(path, methods=["GET", "HEAD"])
    async def get_original(tenant: str, asset: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        facts = OriginalFacts.model_validate_json(store.get("media-facts", tenant, asset))
        return FileResponse(store.path("media", tenant, asset), media_type=facts.media_type)  # serves ranges


def _catalog(app: FastAPI, store: Store) -> None:
    path = "/catalog/v1/tenants/{tenant}/courses/{course_id}/listing"

    @app.put(path, status_code=204)
    async def put_listing(tenant: str, course_id: str, listing: Listing) -> None:  # pyright: ignore[reportUnusedFunction]
        store.put(listing.model_dump_json(exclude_none=True).encode(), "catalog", tenant, course_id)

    @app.get(path)
    async def get_listing(tenant: str, course_id: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        return Response(store.get("catalog", tenant, course_id), media_type="application/json")


def _ai_gateway(app: FastAPI) -> None:
    @app.post("/ai-gateway/v1/assistant-settings")
    async def assistant_settings(wanted: AssistantRequest) -> AssistantSettings:  # pyright: ignore[reportUnusedFunction]
        entries = tuple(
            AssistantEntry(
                id=wish.id,
                instructions={
                    language: f"Answer from the course's own blocks only. {text}"
                    for language, text in wish.purpose.items()
                },
                grounding=wish.grounding,
            )
            for wish in wanted.blocks
        )
        return AssistantSettings(model="local-stub", max_answer_tokens=512, assistants=entries)


def _sync(app: FastAPI, heard: Heard) -> None:
    @app.get("/sync/v1/events")
    async def events(subject: str | None = None, device_id: str | None = None) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return {"events": [entry.document() for entry in heard.entries(subject, device_id)]}


def _holdings(app: FastAPI, store: Store) -> None:
    """Devices tell sync-service what they hold by a protocol of its own; here a PUT stands for it."""

    @app.put("/sync/v1/tenants/{tenant}/packages/{package_id}/devices/{device_id}/holding", status_code=204)
    async def put_holding(tenant: str, package_id: str, device_id: str, holding: Holding) -> None:  # pyright: ignore[reportUnusedFunction]
        store.put(holding.model_dump_json().encode(), "holdings", tenant, package_id, device_id)

    @app.post("/sync/v1/tenants/{tenant}/holdings")
    async def holdings(tenant: str, wanted: HoldingsRequest) -> Holdings:  # pyright: ignore[reportUnusedFunction]
        found: list[Holding] = []
        for device_id in wanted.device_ids:
            with suppress(HTTPException):  # not told of
                found.append(Holding.model_validate_json(store.get("holdings", tenant, wanted.package_id, device_id)))
        return Holdings(holdings=tuple(found))


def _behind_the_door(digest: str) -> Any:
    """Under mTLS services answer only what came in by the mesh; the learner's page is for browsers."""

    async def admitted(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        inside = request.url.path.strip("/").partition("/")[0] in (*SERVICES, "control")
        if inside and not mesh_door.came_in(digest, request.headers.get(mesh_door.HEADER)):
            return Response("this service is spoken to by mTLS", 403, media_type="text/plain")
        return await answer(request)

    return admitted


def main() -> None:
    given = json.loads(Path(sys.argv[1]).read_text())
    data = Path(given["data"])
    secured = given.get("mesh")
    tls = mesh.of_folder(Path(secured["folder"]), secured["nats"]) if secured else None
    heard = Heard(data / "heard.jsonl", given["nats_url"], given["nats_user"], given["nats_password"], tls)
    app = application(data, heard, Learning(**given["learning"]))
    app.middleware("http")(_behind_the_door(given["door_sha256"]))
    uvicorn.run(
        app, host="127.0.0.1", port=given["port"], access_log=False, log_level="warning",
        timeout_graceful_shutdown=2,
    )  # fmt: skip


if __name__ == "__main__":
    main()
