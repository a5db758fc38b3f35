"""The HTTP application: routes, errors, and the connections its replica holds. Tested without Ray, bound in `app.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from cluster.connections import Connections
from cluster.settings import Settings
from serve_app import problems
from serve_app.body import BodyLimit
from serve_app.routes import bundles, devices, health, jobs, packages, tenants

DESCRIPTION = """Course drafts in; signed PlayPackages and per-device encrypted offline bundles out.

Authenticate with `Authorization: Bearer` (a token with tenant and scopes) or, as a device, with `DPoP`.
Errors are RFC 9457 problem details with a stable `code`."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.connections = await Connections.open(Settings.load(), "api", size=16)
    yield
    await app.state.connections.close()


def create_app() -> FastAPI:
    """The application, connected when it starts."""
    app = FastAPI(
        title="content-service", version="0.1.0", description=DESCRIPTION, lifespan=lifespan, redirect_slashes=False
    )
    problems.install(app)
    app.add_middleware(BodyLimit, most=Settings.load().api_max_body_bytes)
    for module in (health, tenants, packages, devices, bundles, jobs):
        app.include_router(module.router)
    return app
