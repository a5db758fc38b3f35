"""Who is asking, as the service sees it: the first thing to try with a token."""

from __future__ import annotations

from fastapi import APIRouter

from serve_app.auth import Authenticated
from serve_app.models.tenants import Me

router = APIRouter(prefix="/v1/me", tags=["me"])


@router.get("", summary="Tenant, subject and scopes of the caller")
async def me(caller: Authenticated) -> Me:
    return Me(
        tenant=caller.tenant, subject=caller.subject, scopes=tuple(sorted(caller.scopes)), device_id=caller.device_id
    )
