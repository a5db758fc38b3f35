"""Tenants: made by an operator; their trust lists are public."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from cluster.database import fetch_all, fetch_one
from content.errors import ContentError
from serve_app.auth import Authenticated, Platform
from serve_app.problems import not_found
from tasks import tenants

router = APIRouter(prefix="/v1/tenants", tags=["tenants"])


class NewTenant(BaseModel):
    """What an operator says of a tenant."""

    tenant: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{1,38}$", examples=["acme"])
    region: Literal["us", "eu", "me", "ap"] = "eu"
    policy: Literal["device", "shared"] = "device"


@router.post("", status_code=201, summary="Make a tenant: keys, trust list, settings, limits (scope operator)")
async def create(body: NewTenant, response: Response, caller: Authenticated, platform: Platform) -> dict[str, Any]:
    caller.require("operator")
    await tenants.create(
        platform, body.tenant, region=body.region, policy=body.policy, actor=caller.subject, now=datetime.now(UTC)
    )
    response.headers["Location"] = f"/v1/tenants/{body.tenant}"
    return await _show(platform, body.tenant)


@router.get("/{tenant}", summary="Settings and limits of a tenant")
async def show(tenant: str, caller: Authenticated, platform: Platform) -> dict[str, Any]:
    caller.require("content:read" if caller.tenant == tenant else "operator")
    return await _show(platform, tenant)


@router.get("/{tenant}/trust-lists", summary="The chain of trust lists and the newest revocation list (public)")
async def trust(tenant: str, platform: Platform, since: int = 0) -> dict[str, Any]:
    async with platform.db.tenant(tenant) as tx:
        chain = await fetch_all(
            tx, "select document from trust_lists where version > %s order by version limit 1000", [since]
        )
        newest = await fetch_one(
            tx,
            "select document, signature from revocation_lists order by trust_version desc, n desc limit 1",
        )
    if newest is None:
        raise not_found("tenant")
    return {
        "chain": [row["document"] for row in chain],
        "revocations": {"document": newest["document"], "signature": newest["signature"]},
    }


async def _show(platform: Platform, tenant: str) -> dict[str, Any]:
    async with platform.db.tenant(tenant) as tx:
        row = await fetch_one(tx, "select tenant, region, policy, settings, limits, created_at from tenants")
        if row is None:
            raise not_found("tenant")
        keys = await fetch_all(
            tx, "select kid, purpose, status, not_before, not_after from signing_keys order by not_before, kid"
        )
    if row["tenant"] != tenant:
        raise ContentError("internal", "row-level security did not hold")
    return {**row, "keys": keys}
