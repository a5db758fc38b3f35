"""The HTTP application: routes, errors, and the connections its replica holds. Tested without Ray, bound in `app.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from cluster import telemetry
from cluster.connections import Connections
from cluster.invalidations import Invalidations
from cluster.manifests import Manifests
from cluster.settings import Settings
from cluster.topology import API
from serve_app import problems
from serve_app.access import Access
from serve_app.body import BodyLimit
from serve_app.routes import (
    audit,
    bundles,
    devices,
    drafts,
    enrolments,
    health,
    jobs,
    manifests,
    me,
    packages,
    schemas,
    tenants,
)  # fmt: skip

TELL_S = 5.0
DESCRIPTION = """Course drafts in; signed PlayPackages and per-device encrypted offline bundles out.

Authenticate with `Authorization: Bearer` (a token with tenant and scopes) or, as a device, with `DPoP`.
Errors are RFC 9457 problem details with a stable `code`."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = Settings.load()
    telemetry.begin(API.name, settings)
    app.state.connections = await Connections.open(settings, "api", size=16)
    app.state.manifests = Manifests(settings.manifest_cache_bytes, settings.manifest_cache_ttl_s)
    password = settings.nats_password.get_secret_value()
    app.state.invalidations = Invalidations(settings.nats_url, settings.nats_user, password, app.state.manifests.forget)
    app.state.invalidations.start()
    teller = asyncio.create_task(_tell(app.state.connections))
    yield
    teller.cancel()
    await app.state.invalidations.close()
    await app.state.connections.close()


async def _tell(connections: Connections) -> None:
    """Set this replica's numbers every few seconds, or they vanish."""
    while True:
        connections.tell()
        await asyncio.sleep(TELL_S)


def create_app() -> FastAPI:
    """The application, connected when it starts."""
    app = FastAPI(
        title="content-service", version="0.1.0", description=DESCRIPTION, lifespan=lifespan, redirect_slashes=False
    )
    problems.install(app)
    settings = Settings.load()
    app.add_middleware(BodyLimit, most=settings.api_max_body_bytes, larger={drafts.PATH: settings.draft_max_bytes})
    app.add_middleware(Access)  # the last one is the outermost
    for module in (
        health, me, tenants, audit, packages, manifests, drafts, devices, enrolments, bundles, jobs, schemas,
    ):  # fmt: skip
        app.include_router(module.router)
    return app
