"""The HTTP application: routes, errors, and the connections its replica holds. Tested without Ray, bound in `app.py`.

Middleware from the outside in: the envelope of every answer, the access log, CORS, bounds of a request, and the last resort
for exceptions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from cluster import mesh, telemetry
from cluster.connections import Connections
from cluster.ending import end
from cluster.invalidations import Invalidations
from cluster.manifests import Manifests
from cluster.settings import Settings
from cluster.topology import API
from serve_app import cold_answers, idempotency, openapi, problems, static
from serve_app.access import Access
from serve_app.bounds import Bounds
from serve_app.cors import Cors, Origins
from serve_app.door import Door
from serve_app.envelope import Envelope, LastResort
from serve_app.job_events import JobEvents
from serve_app.limits import Limits
from serve_app.problems import pages
from serve_app.routes import (
    audit,
    bundle_requests,
    bundles,
    changes,
    devices,
    drafts,
    enrolments,
    erasures,
    exports,
    foresight,
    health,
    holds,
    imports,
    jobs,
    keys,
    licences,
    manifests,
    me,
    packages,
    plans,
    previews,
    quality,
    queues,
    rebundles,
    restores,
    revocations,
    schemas,
    tamper,
    tenants,
    webhooks,
)  # fmt: skip
from serve_app.tokens import Tokens
from tasks.keeping.uses import Uses

TELL_S = 5.0
DESCRIPTION = """Course drafts in; signed PlayPackages and per-device encrypted offline bundles out.

**Who asks.** `Authorization: Bearer` with a token of the identity provider (tenant and scopes), or as a device a proof
by its own key in `DPoP`. What belongs to another tenant is 404, as if it were not there.

**Errors** are problem details (RFC 9457) with a stable `code`; [/problems](/problems) lists them.

**Trying again.** Send an `Idempotency-Key` with a POST: the same request with the same key is done once. 429 and 503
say in `Retry-After` when to come again; `RateLimit` says what is left.

**Lists** come in pages: `next` and the header `Link` lead on. **Changes** of this API keep to docs/api-policy.md."""
ROUTERS = tuple(
    module.router
    for module in (
        health, me, tenants, keys, audit, holds, erasures, changes, packages, restores, manifests, quality, plans, drafts, previews, devices, foresight, enrolments, bundles,
        bundle_requests, rebundles, exports, imports, licences, revocations, tamper, jobs, queues, webhooks, schemas, pages, static,
    )
)  # fmt: skip


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = Settings.load()
    telemetry.begin(API.name, settings)
    opened = await Connections.open(settings, "api", size=16)
    attach(app, opened)
    password = settings.nats_password.get_secret_value()
    app.state.invalidations = Invalidations(
        settings.nats_url, settings.nats_user, password, app.state.manifests.forget,
        mesh.context(settings, "nats", settings.nats_user),
    )  # fmt: skip
    app.state.invalidations.start()
    teller = asyncio.create_task(_tell(opened))
    noter = asyncio.create_task(cold_answers.flush_uses(opened, app.state.uses))
    yield
    await end(teller, noter)
    await app.state.uses.flush()
    await app.state.job_events.close()
    await app.state.invalidations.close()
    await opened.close()


async def _tell(connections: Connections) -> None:
    """Set this replica's numbers every few seconds, or they vanish."""
    while True:
        connections.tell()
        await asyncio.sleep(TELL_S)


def attach(app: FastAPI, connections: Connections) -> None:
    """What the routes of this replica use."""
    app.state.connections = connections
    app.state.tokens = Tokens(connections.settings)
    app.state.limits = Limits(connections.settings, connections.db)
    app.state.origins = Origins(connections.ops, connections.settings.learner_origin)
    app.state.job_events = JobEvents(connections.settings)
    app.state.uses = Uses(connections)
    app.state.manifests = Manifests(
        connections.settings.manifest_cache_bytes, connections.settings.manifest_cache_ttl_s
    )


def create_app(*, sends_request_id: bool = True) -> FastAPI:
    """The application, connected when it starts. Behind Ray Serve the proxy sends the request's id."""
    app = FastAPI(
        title="content-service",
        version="0.1.0",
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=openapi.unique_id,
    )
    problems.install(app)
    idempotency.install(app)
    cold_answers.install(app)
    app.add_middleware(LastResort)
    settings = Settings.load()
    app.add_middleware(
        Bounds, most_body_bytes=settings.api_max_body_bytes, larger={drafts.PATH: settings.draft_max_bytes}
    )
    app.add_middleware(Cors)
    if settings.mesh_door_sha256:
        app.add_middleware(Door, digest=settings.mesh_door_sha256)
    app.add_middleware(Access)
    app.add_middleware(Envelope, sends_id=sends_request_id)
    # Every router is tried in turn: what is asked for most stands first.
    for router in sorted(ROUTERS, key=lambda each: each is not manifests.router):
        app.include_router(router)
    openapi.install(app, ROUTERS)
    return app


def create_served_app() -> FastAPI:
    """The application as Ray Serve runs it."""
    return create_app(sends_request_id=False)
