"""Postgres: every login gets in and has no more power than it needs, the schema is the newest, the clocks agree."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
from psycopg.rows import DictRow, dict_row

from cluster import migrations
from cluster.settings import Settings
from tasks.doctor.findings import Finding, fail, ok, warn

SKEW_WARN_S, SKEW_FAIL_S = 2.0, 20.0
UNPROTECTED = b"""
    select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where nspname = 'public' and relkind in ('r', 'p') and relname !~ '^(pgqueuer|migrations)'
      and exists (select 1 from pg_attribute a where a.attrelid = c.oid and attname = 'tenant' and not attisdropped)
      and not (relrowsecurity and relforcerowsecurity)
    order by 1
"""
POWER = b"""
    select rolname, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb as mighty,
           exists (select 1 from pg_class where relowner = pg_roles.oid and relkind = 'r') as owner
    from pg_roles where rolname = current_user
"""


async def check(settings: Settings) -> list[Finding]:
    logins = {"api": settings.postgres_api, "worker": settings.postgres_worker, "relay": settings.postgres_relay}
    logins["ops"] = settings.postgres_ops
    found = [await _login(role, secret.get_secret_value()) for role, secret in logins.items()]
    if all(finding.status == "fail" for finding in found):
        return found
    dsn = settings.postgres_ops.get_secret_value()
    async with await psycopg.AsyncConnection[DictRow].connect(
        dsn, connect_timeout=5, autocommit=True, row_factory=dict_row
    ) as connection:
        return [*found, await _schema(connection), await _protected(connection), await _clock(connection)]


async def _login(role: str, dsn: str) -> Finding:
    name = f"database: {role}"
    try:
        async with await psycopg.AsyncConnection[DictRow].connect(dsn, connect_timeout=5, row_factory=dict_row) as db:
            row = await (await db.execute(POWER)).fetchone()
    except psycopg.Error as error:
        why = "the password is wrong" if "password authentication" in str(error) else "it cannot connect"
        return fail(name, why, f"Correct postgres_{role}, and see that Postgres runs and lets it in.")
    assert row is not None
    if row["mighty"] or row["owner"]:
        return fail(name, f"{row['rolname']} can bypass row-level security", "Use a login of its own, without powers.")
    return ok(name, f"connects as {row['rolname']}, without powers")


async def _schema(connection: psycopg.AsyncConnection[DictRow]) -> Finding:
    missing = await migrations.missing(connection)
    if missing:
        return fail("database: schema", f"not applied: {', '.join(missing)}", "Run the migrations as content_owner.")
    return ok("database: schema", f"{len(migrations.names())} migrations applied")


async def _protected(connection: psycopg.AsyncConnection[DictRow]) -> Finding:
    rows = await (await connection.execute(UNPROTECTED)).fetchall()
    if rows:
        bare = ", ".join(row["relname"] for row in rows)
        return fail("database: tenants", f"no forced row-level security: {bare}", "Call secure_tenant_table for each.")
    return ok("database: tenants", "row-level security is forced on every tenant table")


async def _clock(connection: psycopg.AsyncConnection[DictRow]) -> Finding:
    began = datetime.now(UTC)
    row = await (await connection.execute(b"select clock_timestamp() as now")).fetchone()
    assert row is not None
    return skew("database: clock", row["now"], began + (datetime.now(UTC) - began) / 2, 0.0)


def skew(name: str, theirs: datetime, ours: datetime, grain_s: float) -> Finding:
    """How far two clocks are apart; `grain_s` is what theirs was rounded to."""
    apart_s = max(0.0, abs((theirs - ours).total_seconds()) - grain_s)
    if apart_s > SKEW_FAIL_S:
        return fail(name, f"{apart_s:.0f} s apart from ours", "Have both machines' clocks set by NTP.")
    if apart_s > SKEW_WARN_S:
        return warn(name, f"{apart_s:.1f} s apart from ours", "Have both machines' clocks set by NTP.")
    return ok(name, f"{apart_s:.1f} s apart from ours")
