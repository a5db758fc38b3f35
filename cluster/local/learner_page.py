"""The learner's page of the local stack, and the sign-in that stands before it on a real platform.

`/learner/` serves what `make player` built, under a policy without inline script or style. `POST /learner/session` stands for
the platform's sign-in: it hands out a token with which a device can be registered for the demo's learner, and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from cluster import player
from cluster.local.identity import mint_token

PATH = "/learner"
TOKEN_TTL_S = 600


@dataclass(frozen=True)
class Learning:
    """Whose page it is: the stack's home (for its identity provider), the API and edge that the page may ask, and the address of
    tenants' sites, beside which imported packages have their origins."""

    home: str
    api_url: str
    edge_url: str
    tenant: str
    learner: str
    site_url: str


def serve_learner(app: FastAPI, learning: Learning) -> None:
    """Add the page and its session to an application. Without a built player there is none, and the rest works."""
    origins = learning.site_url.format(tenant="*")
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src blob:; font-src 'self'; "
        f"connect-src 'self' {learning.api_url} {learning.edge_url}; manifest-src 'self'; worker-src 'self'; "
        f"frame-src {origins}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )

    @app.middleware("http")
    async def protected(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:  # pyright: ignore[reportUnusedFunction]
        response = await answer(request)
        if request.url.path.startswith(f"{PATH}/"):
            response.headers["content-security-policy"] = policy
            response.headers["x-content-type-options"] = "nosniff"
            response.headers["cache-control"] = "no-cache"
        return response

    @app.post(f"{PATH}/session")
    async def session() -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        token = mint_token(Path(learning.home), learning.tenant, ["device:register"], learning.learner, TOKEN_TTL_S)
        return {
            "api_url": learning.api_url, "site_url": learning.site_url, "tenant": learning.tenant, "learner": learning.learner,
            "token": token,
        }  # fmt: skip

    if player.LEARNER.is_dir():
        app.mount(PATH, StaticFiles(directory=player.LEARNER, html=True))
