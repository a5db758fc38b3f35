"""A second database on the server of a stack: empty after the migrations, or another life of the same region."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from pydantic import SecretStr

from cluster.connections import Connections
from cluster.local.home import read_json
from cluster.local.postgres import LOGINS
from cluster.migrations import migrate
from cluster.settings import Settings
from tasks.recovery.restore_rows import summary
from tasks.recovery.restore_tables import logged
from tests.support.running import Running

ROLES = ("owner", "api", "worker", "relay", "ops", "analyst")


@contextmanager
def second_database(running: Running, name: str, **overrides: Any) -> Iterator[Settings]:
    """The stack's settings, but for the database, which is made, migrated, and dropped at the end, with its logs in the bucket."""
    prefix = f"events/{running.settings.region}/"  # segments and slips
    before = {key for key, _ in running.objects.keys(prefix)}
    with _superuser(running) as connection:
        connection.execute(f"create database {name} owner content_owner".encode())
        for login in LOGINS:
            connection.execute(f"grant connect, temporary on database {name} to {login}".encode())
    dsns = {f"postgres_{role}": _elsewhere(getattr(running.settings, f"postgres_{role}"), name) for role in ROLES}
    settings = running.settings.model_copy(update={**dsns, **overrides})
    try:
        migrate(settings)
        yield settings
    finally:
        with _superuser(running) as connection:
            connection.execute(f"drop database if exists {name} with (force)".encode())
        made = [key for key, _ in running.objects.keys(prefix) if key not in before]
        running.objects.delete(made)


def written(settings: Settings, path: Path) -> Path:
    """The settings as a file, for a process that is to use them."""
    values = settings.model_dump(mode="json")
    for name, value in settings:
        if isinstance(value, SecretStr):
            values[name] = value.get_secret_value()
    path.write_text(json.dumps(values))
    path.chmod(0o600)
    return path


def summaries(settings: Settings, tenant: str) -> dict[str, tuple[int, str]]:
    """Of every table that is logged, how many rows of a tenant it has and the digest over them."""

    async def read() -> dict[str, tuple[int, str]]:
        connections = await Connections.open(settings, "worker", size=2)
        try:
            async with connections.db.tenant(tenant) as tx:
                return {table.name: await summary(tx, table) for table in await logged(tx)}
        finally:
            await connections.close()

    return asyncio.run(read())


def _elsewhere(secret: SecretStr, name: str) -> SecretStr:
    return SecretStr(urlunsplit(urlsplit(secret.get_secret_value())._replace(path=f"/{name}")))


def _superuser(running: Running) -> psycopg.Connection[Any]:
    port = read_json(running.home.state)["ports"]["postgres"]
    password = read_json(running.home.keys / "secrets.json")["postgres"]
    return psycopg.connect(
        host="127.0.0.1", port=port, user="postgres", password=password, dbname="postgres", autocommit=True
    )
