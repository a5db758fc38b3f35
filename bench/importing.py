"""From a zip on a disk to a version that can be played, against unzipping it and putting its files into the same store."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.packages import MIB, package
from bench.results import Result, fact, seconds
from bench.stack import new_tenant
from cluster.connections import Connections
from cluster.local.identity import mint_token
from cluster.objects import Objects
from cluster.settings import Settings
from serve_app.client import Client, uploading

SIZES, ROUNDS, AT_ONCE = (2 * MIB, 64 * MIB), 3, 4


def measure(home: Path, settings: Settings) -> list[Result]:
    tenant = asyncio.run(_tenant(settings))
    token = mint_token(home, tenant, ["content:read", "content:write"], "bench")
    found: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="content-bench-", dir="/var/tmp") as name:
        _import(settings, token, package(Path(name), 1 * MIB))  # warms the importer
        for size in SIZES:
            ours, bare = [], []
            for _ in range(ROUNDS):
                path = package(Path(name), size)
                ours.append(seconds(lambda: _import(settings, token, path)))  # noqa: B023 - called at once
                bare.append(seconds(lambda: _put(settings, tenant, path)))  # noqa: B023
                path.unlink()
            took, put = statistics.median(ours), statistics.median(bare)
            label = f"import: a package of {size // MIB} MB until it can be played"
            found += [
                fact(label, took, "s"),
                fact(f"{label}, unzipped and put bare", put, "s"),
                fact(f"{label}, against bare", took / put, "x"),
            ]
    return found


async def _tenant(settings: Settings) -> str:
    connections = await Connections.open(settings)
    try:
        return await new_tenant(connections)
    finally:
        await connections.close()


def _import(settings: Settings, token: str, path: Path) -> None:
    with Client(settings.api_url, token=token) as api:
        import_id = uploading.begin(api, path)
        begun = uploading.send(api, path, api.import_(import_id))
        api.wait(str(begun["job_id"]))
        done = api.import_(import_id)
        assert done["state"] == "accepted", done


def _put(settings: Settings, tenant: str, path: Path) -> None:
    objects = Objects(settings)
    with zipfile.ZipFile(path) as archive, ThreadPoolExecutor(AT_ONCE) as threads:
        files = [(name, archive.read(name)) for name in archive.namelist()]
        list(threads.map(lambda each: objects.put(f"doctor/bench/{tenant}/{each[0]}", each[1]), files))
