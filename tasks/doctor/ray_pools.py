"""Ray: the dashboard answers and every pool has replicas that run; API and importer say that they are ready."""

from __future__ import annotations

from typing import Any

import httpx

from cluster.settings import Settings
from tasks.doctor import importing
from tasks.doctor.findings import Finding, fail, ok, warn


async def check(settings: Settings) -> list[Finding]:
    async with httpx.AsyncClient(timeout=8, trust_env=False) as http:
        return [*await _pools(http, settings), await _api(http, settings), *await importing.check(settings)]


async def _pools(http: httpx.AsyncClient, settings: Settings) -> list[Finding]:
    name = "pools: Ray"
    try:
        answer = await http.get(f"{settings.ray_dashboard_url}/api/serve/applications/")
        found: dict[str, Any] = answer.raise_for_status().json().get("applications", {})
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        why = f"the dashboard does not answer ({type(error).__name__})"
        return [fail(name, why, "Start Ray and the service; or leave this out: `--without pools`.")]
    if not found:
        return [fail(name, "nothing is deployed", "Deploy it: `content-service up`, or the RayService.")]
    deployments = {k: v for application in found.values() for k, v in application.get("deployments", {}).items()}
    return [_pool(name, state) for name, state in sorted(deployments.items())]


def _pool(pool: str, state: dict[str, Any]) -> Finding:
    replicas: list[dict[str, Any]] = state.get("replicas", [])
    running = sum(replica.get("state") == "RUNNING" for replica in replicas)
    told = f"{running} of {len(replicas)} replicas run, {str(state.get('status', '?')).lower()}"
    if not running:
        return fail(f"pools: {pool}", told, f"See its log: `content-service logs {pool}`.")
    if state.get("status") != "HEALTHY":
        return warn(f"pools: {pool}", told, f"See its log: `content-service logs {pool}`.")
    return ok(f"pools: {pool}", told)


async def _api(http: httpx.AsyncClient, settings: Settings) -> Finding:
    name = "pools: API"
    try:
        answer = await http.get(f"{settings.api_url}/readyz")
        parts: dict[str, str] = answer.json().get("parts", {})
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return fail(name, f"{settings.api_url} does not answer ({type(error).__name__})", "See content-api's log.")
    waits = [f"{part} ({state})" for part, state in parts.items() if state != "ok"]
    if waits:
        return fail(name, f"waits for {', '.join(waits)}", "Mend that first.")
    return ok(name, "ready")
