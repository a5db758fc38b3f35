"""A tenant sees its own rows and nothing else: walked over the catalogue, and tried through the API."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from cluster.connections import Connections
from cluster.database import fetch_all
from cluster.eventlog.tables import WORK
from cluster.local.identity import mint_token
from tests.support.connected import with_connections
from tests.support.running import Running
from tests.support.tenants import Tenant

NOBODYS = ("pgqueuer", *WORK)
"""Tables without a tenant: the queue's own, and those that cluster/eventlog/tables.py explains."""
SERVICE_ROLES = ("content_api", "content_worker", "content_relay", "content_ops", "content_analyst")


def tables(running: Running) -> list[str]:
    rows = running.rows(
        """select relname from pg_class join pg_namespace n on n.oid = relnamespace
           where nspname = 'public' and relkind in ('r', 'p') order by relname"""
    )
    return [row["relname"] for row in rows if not row["relname"].startswith(NOBODYS)]


NOT_SHOWN = {"postgres_api": {"restore_items", "restore_rows"}, "postgres_worker": set[str]()}
"""Tables of tenants that a role may not read at all."""


def test_every_table_has_row_security_enabled_and_forced(running: Running) -> None:
    rows = running.rows(
        """select relname, relrowsecurity, relforcerowsecurity from pg_class
           join pg_namespace n on n.oid = relnamespace where nspname = 'public' and relkind in ('r', 'p')"""
    )
    open_ones = [
        row["relname"]
        for row in rows
        if not row["relname"].startswith(NOBODYS) and not (row["relrowsecurity"] and row["relforcerowsecurity"])
    ]
    assert open_ones == []
    assert len(rows) > 20


def test_every_unique_key_holds_the_tenant(running: Running) -> None:
    rows = running.rows(
        """select c.relname as name, i.indexrelid::regclass::text as key,
                  array(select attname::text from pg_attribute a
                        where a.attrelid = c.oid and a.attnum = any(i.indkey)) as columns
           from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
           where nspname = 'public' and i.indisunique"""
    )
    without = [row["key"] for row in rows if not row["name"].startswith(NOBODYS) and "tenant" not in row["columns"]]
    assert without == []


def test_the_services_roles_own_nothing_and_bypass_nothing(running: Running) -> None:
    roles = running.rows(
        "select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb from pg_roles where rolname = any(%s)",
        list(SERVICE_ROLES),
    )
    assert len(roles) == len(SERVICE_ROLES)
    for row in roles:
        assert not any(row[name] for name in ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb"))
    owned = running.rows(
        "select relname from pg_class join pg_roles r on r.oid = relowner where rolname = any(%s)", list(SERVICE_ROLES)
    )
    assert owned == []


@pytest.mark.parametrize("role", ["postgres_api", "postgres_worker"])
@pytest.mark.parametrize("setting", ["unset", "", "no-such-tenant"])
def test_without_a_tenant_no_table_shows_a_row(running: Running, role: str, setting: str) -> None:
    with psycopg.connect(getattr(running.settings, role).get_secret_value(), autocommit=True) as connection:
        with connection.transaction():
            if setting != "unset":
                connection.execute("select set_config('app.tenant', %s, true)", [setting])
            may = "select has_table_privilege(%s, 'select')"
            shown = {name for name in tables(running) if connection.execute(may, [name]).fetchone() == (True,)}
            counts = {name: connection.execute(f"select count(*) from {name}".encode()).fetchone() for name in shown}
    assert set(tables(running)) - shown == NOT_SHOWN[role]
    assert {name: count for name, count in counts.items() if count != (0,)} == {}
    assert running.rows("select count(*) as n from tenants")[0]["n"] > 0


def test_a_tenant_setting_ends_with_its_transaction(running: Running) -> None:
    tenant = Tenant(running)
    with psycopg.connect(running.settings.postgres_api.get_secret_value(), autocommit=True) as connection:
        with connection.transaction():
            connection.execute("select set_config('app.tenant', %s, true)", [tenant.name])
            assert connection.execute("select tenant from tenants").fetchall() == [(tenant.name,)]
        assert connection.execute("select tenant from tenants").fetchall() == []


def test_a_snapshot_does_not_change_while_it_is_read_and_writes_nothing(running: Running) -> None:
    tenant = Tenant(running)

    async def read(connections: Connections) -> tuple[str, list[Any], type[Exception] | None]:
        name, policies, refused = tenant.name, list[Any](), None
        query = "select coalesce(policy, '') as policy from tenants where tenant = %s"
        async with connections.db.tenant(name, snapshot=True) as tx:
            policies += await fetch_all(tx, query, [name])
            async with connections.db.tenant(name) as other:
                await other.execute("update tenants set policy = 'shared' where tenant = %s", [name])
            policies += await fetch_all(tx, query, [name])
            try:
                async with tx.transaction():
                    await tx.execute("update tenants set policy = null where tenant = %s", [name])
            except psycopg.errors.ReadOnlySqlTransaction as error:
                refused = type(error)
        async with connections.db.tenant(name) as tx:  # the connection is as any other again
            await tx.execute("update tenants set policy = policy where tenant = %s", [name])
            (after,) = await fetch_all(tx, query, [name])
        return after["policy"], [row["policy"] for row in policies], refused

    assert with_connections(running, read, "api") == ("shared", ["", ""], psycopg.errors.ReadOnlySqlTransaction)


def test_a_row_cannot_be_written_for_another_tenant(running: Running) -> None:
    mine, other = Tenant(running), Tenant(running)
    with psycopg.connect(running.settings.postgres_worker.get_secret_value()) as connection:
        connection.execute("select set_config('app.tenant', %s, true)", [mine.name])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                "insert into packages (tenant, package_id, course_id) values (%s, 'pkg_x', 'c')", [other.name]
            )


@pytest.mark.parametrize(
    ("role", "table"),
    [
        ("postgres_relay", "bundles"),
        ("postgres_relay", "content_keys"),
        ("postgres_ops", "content_keys"),
        ("postgres_analyst", "content_keys"),
        ("postgres_analyst", "enrolments"),
    ],
)
def test_relay_and_ops_cannot_read_what_is_not_theirs(running: Running, role: str, table: str) -> None:
    with psycopg.connect(getattr(running.settings, role).get_secret_value()) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"select * from {table}".encode())


@pytest.mark.parametrize("role", ["postgres_api", "postgres_worker"])
def test_the_audit_log_can_only_grow(running: Running, role: str) -> None:
    tenant = Tenant(running)
    for statement in ("update audit_log set actor = 'nobody'", "delete from audit_log"):
        with psycopg.connect(getattr(running.settings, role).get_secret_value()) as connection:
            connection.execute("select set_config('app.tenant', %s, true)", [tenant.name])
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def refusal(answer: httpx.Response) -> dict[str, Any]:
    """The problem of a 404, without the one member that is new each time: the request's id."""
    assert answer.status_code == 404
    return {**answer.json(), "instance": ""}


def test_another_tenants_things_are_as_absent_as_what_never_was(running: Running) -> None:
    mine, other = Tenant(running), Tenant(running)
    course = mine.course()
    mine.publish(course)
    mine.built(course)
    package, device = mine.package(course), mine.device("learner-1")
    job = next(iter(mine.api.items("/v1/jobs")))["job_id"]
    token = mint_token(running.home.path, other.name, ["content:read"], "curious")
    with httpx.Client(base_url=running.settings.api_url, headers={"Authorization": f"Bearer {token}"}) as client:
        for theirs, nobodys in (
            (f"/v1/packages/{package}", "/v1/packages/pkg_none"),
            (f"/v1/packages/{package}/versions", "/v1/packages/pkg_none/versions"),
            (f"/v1/packages/{package}/versions/1", "/v1/packages/pkg_none/versions/1"),
            (f"/v1/packages/{package}/versions/1/manifest", "/v1/packages/pkg_none/versions/1/manifest"),
            (f"/v1/packages/{package}/versions/1/signature", "/v1/packages/pkg_none/versions/1/signature"),
            (f"/v1/jobs/{job}", "/v1/jobs/job_none"),
            (f"/v1/devices/{device.id}", "/v1/devices/none"),
        ):
            first, second = client.get(theirs), client.get(nobodys)
            assert refusal(first) == refusal(second), theirs
        assert refusal(client.get(f"/v1/tenants/{mine.name}")) == refusal(client.get("/v1/tenants/t-none"))
        for collection in ("packages", "jobs", "bundles", "devices"):
            assert client.get(f"/v1/{collection}").json()["items"] == []
