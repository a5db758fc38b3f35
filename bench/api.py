"""The API under load, through Serve: the manifest against an empty route of the same application, in each of Serve's modes;
and latency under 200 connections while builds run.

The loads are processes of their own on the same two cores, so rates are low and only ratios mean anything. The empty
route is `/livez`: the same proxy, replica and middleware, and nothing behind them.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench import load
from bench.course import build_small_course, draft, image_block, picture, publish
from bench.load import Load
from bench.results import Result, at_least, fact
from bench.stack import new_tenant, up
from cluster.connections import Connections
from cluster.local.identity import mint_token
from cluster.local.stack import Stack
from cluster.settings import Settings

MODES = ("proxy", "haproxy", "throughput")
CONNECTIONS, SECONDS, ROUNDS = 32, 5.0, 3
MANY, MANY_SECONDS, BUILDS = 200, 15.0, 6
UNLIMITED = 1_000_000


def measure(home: Path, settings: Settings) -> list[Result]:
    """In the mode of the stack that is up, then in the other modes on stacks of their own."""
    found = _one_mode(home, settings)
    Stack(home).down()
    for mode in MODES[1:]:
        folder = Path(tempfile.mkdtemp(prefix=f"content-bench-{mode}-"))
        try:
            found += _one_mode(folder / "home", up(folder / "home", ray=True, overrides={"serve_mode": mode}))
        finally:
            Stack(folder / "home").down()
            shutil.rmtree(folder, ignore_errors=True)
    return found


def _one_mode(home: Path, settings: Settings) -> list[Result]:
    tenant, path = asyncio.run(_course(home, settings))
    url, mode = urlsplit(settings.api_url), settings.serve_mode
    host, port = url.hostname or "127.0.0.1", url.port or 80
    token = f"Bearer {mint_token(home, tenant, ['content:read'], 'bench')}"
    empty = load.get(host, port, "/livez")
    manifest = load.get(host, port, path, Authorization=token)

    def run(request: bytes, connections: int = CONNECTIONS, seconds: float = SECONDS) -> Load:
        return load.finish(load.begin(host, port, request, connections, seconds))

    pairs = [(run(manifest), run(empty)) for _ in range(ROUNDS)]
    for one, other in pairs:
        assert not one.errors and not other.errors, f"{mode}: {one.errors} and {other.errors} answers were errors"
    pairs.sort(key=lambda pair: pair[0].rate / pair[1].rate)
    middle = pairs[len(pairs) // 2]
    busy = load.begin(host, port, manifest, MANY, MANY_SECONDS)
    asyncio.run(_builds(home, settings, tenant))
    under = load.finish(busy)
    return [
        at_least(f"api ({mode}): manifest against an empty route", middle[0].rate, "requests/s", middle[1].rate, 0.8),
        fact(f"api ({mode}): manifest p50, {CONNECTIONS} connections", middle[0].p50_ms, "ms"),
        fact(f"api ({mode}): manifest p50, {MANY} connections, builds running", under.p50_ms, "ms"),
        fact(f"api ({mode}): manifest p99, {MANY} connections, builds running", under.p99_ms, "ms"),
        fact(f"api ({mode}): errors, {MANY} connections, builds running", under.errors, ""),
    ]


async def _course(home: Path, settings: Settings) -> tuple[str, str]:
    """A tenant without a limit of requests, and the path of a manifest of its."""
    connections = await Connections.open(settings, "api")
    try:
        tenant = await new_tenant(connections)
        async with connections.db.tenant(tenant) as tx:
            await tx.execute(
                b"update tenants set limits = limits || jsonb_build_object('requests_per_minute', %s::bigint)",
                [UNLIMITED],
            )
        _, package_id = await build_small_course(connections, home, tenant)
    finally:
        await connections.close()
    return tenant, f"/v1/packages/{package_id}/versions/1/manifest"


async def _builds(home: Path, settings: Settings, tenant: str) -> None:
    """Keep the builder busy for as long as the load lasts: large pictures, none of them seen before."""
    folder = home / "bench-media"
    folder.mkdir(exist_ok=True)
    began, number = time.monotonic(), 0
    while time.monotonic() - began < MANY_SECONDS and number < BUILDS * 10:
        for _ in range(BUILDS):
            name = f"load{number}-{int(began)}"
            media = {name: (picture(folder / f"{name}.png", number + int(began), (1600, 1000)), "image/png")}
            await publish(home, tenant, draft("Load", [image_block(name)]), media, f"load-{name}", 1)
            number += 1
        await asyncio.sleep(2)
