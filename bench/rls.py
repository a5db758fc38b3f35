"""What row-level security costs a request: the same statement in a tenant's transaction, and bare as the superuser.

Both read one package version by its key on one connection each, in turns. The tenant's way is what every request does:
begin, name the tenant, ask, commit. Bare is the statement alone with the tenant in its condition.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import psycopg
from psycopg.rows import DictRow, dict_row

from bench.results import Result, fact
from bench.stack import new_tenant
from cluster.connections import Connections
from cluster.database import fetch_one
from cluster.local.home import read_json
from cluster.local.postgres import DATABASE
from cluster.settings import Settings

ROUNDS, PACKAGES = 2000, 2000


def measure(home: Path, settings: Settings) -> list[Result]:
    return asyncio.run(_measure(home, settings))


async def _measure(home: Path, settings: Settings) -> list[Result]:
    connections = await Connections.open(settings, "api")
    secret, port = (
        read_json(home / "keys" / "secrets.json")["postgres"],
        read_json(home / "stack.json")["ports"]["postgres"],
    )
    bare = await psycopg.AsyncConnection[DictRow].connect(
        host="127.0.0.1",
        port=port,
        user="postgres",
        password=secret,
        dbname=DATABASE,
        autocommit=True,
        row_factory=dict_row,
    )
    try:
        tenant = await new_tenant(connections)
        async with connections.db.tenant(tenant) as tx:
            await tx.execute(
                b"""insert into packages (tenant, package_id, course_id)
                    select %s, 'pkg-' || n, 'course-' || n from generate_series(1, %s) n""",
                [tenant, PACKAGES],
            )
        await bare.execute(b"analyze packages")
        secured: list[float] = []
        plain: list[float] = []
        for number in range(ROUNDS):
            package = f"pkg-{number % PACKAGES + 1}"
            began = time.perf_counter()
            async with connections.db.tenant(tenant) as tx:
                assert await fetch_one(tx, "select course_id from packages where package_id = %s", [package])
            middle = time.perf_counter()
            sql = "select course_id from packages where tenant = %s and package_id = %s"
            assert await fetch_one(bare, sql, [tenant, package])
            secured.append(middle - began)
            plain.append(time.perf_counter() - middle)
    finally:
        await bare.close()
        await connections.close()
    cost = statistics.median(secured) - statistics.median(plain)
    return [
        fact("isolation: one read in a tenant's transaction", statistics.median(secured) * 1000, "ms"),
        fact("isolation: the same read bare", statistics.median(plain) * 1000, "ms"),
        fact("isolation: cost per request", cost * 1000, "ms"),
    ]
