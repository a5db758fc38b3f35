"""Brings the database to the newest schema: plain SQL files in order, each in one transaction, once.

Runs as the owner role only. The queue's tables are PgQueuer's own; the service's roles may use them, not change them.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import psycopg
from pgqueuer.adapters.persistence.schema_ddl import render_install
from pgqueuer.domain.settings import DBSettings

from cluster.settings import Settings

LOCK = 7_201_600_001
QUEUE_ROLES = "content_api, content_worker, content_relay"


def migrate(settings: Settings) -> list[str]:
    """Apply what is missing and return the names applied. Two processes at once are safe: one waits for the other."""
    applied: list[str] = []
    with psycopg.connect(settings.postgres_owner.get_secret_value(), autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", [LOCK])
        connection.execute(
            "create table if not exists migrations (name text primary key, applied_at timestamptz not null default now())"
        )
        done = {row[0] for row in connection.execute("select name from migrations")}
        for name, sql in _files():
            if name in done:
                continue
            with connection.transaction():
                connection.execute(sql.encode())
                connection.execute("insert into migrations (name) values (%s)", [name])
            applied.append(name)
    return applied


def names() -> list[str]:
    """Every migration of this release, in order."""
    return [name for name, _ in _files()]


async def missing(connection: psycopg.AsyncConnection[Any]) -> list[str]:
    """Those that this database has not seen; what it has of a newer release is no matter."""
    try:
        rows = await (await connection.execute(b"select name from migrations")).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
        return names()
    done = {next(iter(row.values())) if isinstance(row, dict) else row[0] for row in rows}
    return [name for name in names() if name not in done]


def _files() -> list[tuple[str, str]]:
    """The queue first: our grants name nothing of it, but its tables must not look like ours to the policy loop."""
    folder = resources.files("cluster.migrations")
    own = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [("0000_queue", _queue()), *((name, (folder / name).read_text()) for name in own)]


def _queue() -> str:
    grants = f"""
        do $$ declare name text; begin
            for name in select relname from pg_class where relname ~ '^pgqueuer' and relkind in ('r', 'S')
            loop execute format('grant all on %I to {QUEUE_ROLES}', name); end loop;
            for name in select relname from pg_class where relname ~ '^pgqueuer' and relkind = 'r'
            loop execute format('grant select on %I to content_ops', name); end loop;
        end $$;
        revoke truncate on all tables in schema public from {QUEUE_ROLES};
    """
    return render_install(DBSettings()) + grants
