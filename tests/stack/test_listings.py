"""Every list of the API is read from an index, in its order, with each of its filters: asked of EXPLAIN over many rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from serve_app.api import create_app
from serve_app.listing import LISTINGS, Listing, Order
from tests.support.running import Running
from tests.support.tenants import Tenant

ROWS = 6000
FILL = """
    insert into packages (tenant, package_id, course_id, created_at)
        select %(t)s, 'pkg_' || n, 'course-' || n, now() - n * interval '1 s' from generate_series(1, %(n)s) n;
    insert into package_versions (tenant, package_id, version, draft_id, revision, drafted_at, state)
        select %(t)s, 'pkg_1', n, 'd', n, now(), (array['published', 'failed', 'superseded'])[1 + n %% 3]
        from generate_series(1, %(n)s) n;
    insert into devices (tenant, device_id, learner_id, profile, signing_jwk, encryption_jwk, state, registered_at)
        select %(t)s, 'dev-' || n, 'learner-' || n %% 500, 'phone', '{}', '{}', (array['active', 'revoked'])[1 + n %% 2],
               now() - n * interval '1 s' from generate_series(1, %(n)s) n;
    insert into enrolments (tenant, enrollment_id, learner_id, course_id, state, created_at)
        select %(t)s, 'enr-' || n, 'learner-' || n %% 500, 'course-' || n %% 300, (array['active', 'cancelled'])[1 + n %% 2],
               now() - n * interval '1 s' from generate_series(1, %(n)s) n;
    insert into bundles (tenant, bundle_id, enrollment_id, learner_id, device_id, package_id, version, profile, state, created_at)
        select %(t)s, 'bnd-' || n, 'enr-' || n, 'learner-' || n %% 500, 'dev-' || 1 + n %% 700, 'pkg_1', 1 + n %% 300, 'phone',
               (array['failed', 'superseded', 'cancelled'])[1 + n %% 3], now() - n * interval '1 s'
        from generate_series(1, %(n)s) n;
    insert into jobs (tenant, job_id, kind, subject, state, created_at)
        select %(t)s, 'job-' || n, 'build', '{}', (array['failed', 'cancelled', 'succeeded'])[1 + n %% 3],
               now() - n * interval '1 s' from generate_series(1, %(n)s) n;
    insert into exports (tenant, export_id, package_id, version, format, options, exporter_version, player_version, state,
                         job_id, created_at)
        select %(t)s, 'exp-' || n, 'pkg_1', 1 + n %% 300, (array['scorm12', 'html'])[1 + n %% 2], '{}', 1, '',
               (array['planned', 'failed'])[1 + n %% 2], '', now() - n * interval '1 s' from generate_series(1, %(n)s) n;
    insert into imports (tenant, import_id, file_name, size_bytes, piece_bytes, course_id, upload_id, state, created_at, ended_at)
        select %(t)s, 'imp-' || n, 'course.zip', 7, 7, 'course-' || n %% 300, '', (array['failed', 'uploading'])[1 + n %% 2],
               now() - n * interval '1 s', case n %% 2 when 0 then now() end from generate_series(1, %(n)s) n;
    insert into audit_log (tenant, n, actor, action, previous, hash)
        select %(t)s, 100 + n, 'a', 'b', '', '' from generate_series(1, %(n)s) n;
"""
TABLES = (
    "packages",
    "package_versions",
    "devices",
    "enrolments",
    "bundles",
    "jobs",
    "exports",
    "imports",
    "audit_log",
    "tenants",
)
EMPTIED = (
    "bundles",
    "exports",
    "imports",
    "jobs",
    "audit_log",
    "enrolments",
    "devices",
    "package_versions",
    "packages",
)
VALUES: dict[str, Any] = {
    "package_id": "pkg_1", "course_id": "course-7", "state": "failed", "device_id": "dev-7", "own": "dev-7",
    "learner_id": "learner-7", "enrollment_id": "enr-7", "kind": "build", "webhook_id": "x", "format": "html",
    "created_from": datetime(2026, 1, 1, tzinfo=UTC), "created_before": datetime(2100, 1, 1, tzinfo=UTC),
}  # fmt: skip
STATES = {"devices": "revoked", "enrolments": "cancelled"}
create_app()  # every list registers itself when its routes are imported
OVER_ROWS = [listing for listing in LISTINGS if listing.select]


@pytest.fixture(scope="module")
def full(running: Running) -> Iterator[Tenant]:
    """A tenant with thousands of rows in every list, taken away again afterwards."""
    tenant = Tenant(running)
    with running.superuser() as connection:
        for statement in FILL.split(";\n"):
            if statement.strip():
                connection.execute(statement.encode(), {"t": tenant.name, "n": ROWS})
        connection.execute(f"analyze {', '.join(TABLES)}".encode())
    yield tenant
    with running.superuser() as connection:
        for table in EMPTIED:
            connection.execute(f"delete from {table} where tenant = %s".encode(), [tenant.name])


def test_every_list_is_among_those() -> None:
    assert {"packages", "versions", "bundles", "devices", "enrolments", "exports", "audit", "tenants"} <= {
        listing.name for listing in OVER_ROWS
    }
    unknown = {name for listing in OVER_ROWS for name in listing.filters} - VALUES.keys()
    assert not unknown, "give these filters a value here, so that their index is looked at"


@pytest.mark.parametrize("after", [False, True], ids=["first", "next"])
@pytest.mark.parametrize("listing", OVER_ROWS, ids=lambda listing: listing.name)
def test_a_page_reads_an_index_whatever_is_asked(full: Tenant, listing: Listing, after: bool) -> None:
    required = {"package_id"} & listing.filters.keys() if listing.name == "versions" else set[str]()
    chosen = [required, *({name, *required} for name in listing.filters)]
    found = {",".join(sorted(given)): _scans(full, listing, given, after=after) for given in chosen}
    assert {given: scans for given, scans in found.items() if scans} == {}


def test_a_list_without_an_index_would_be_found(full: Tenant) -> None:
    by_size = Listing("by size", "select bundle_id from bundles", order=(Order("total_bytes", "total_bytes", int),))
    by_profile = Listing(
        "by profile", "select device_id from devices", filters={"own": "profile <> %(own)s"},
        order=(Order("profile", "profile", str), Order("device_id", "device_id", str)),
    )  # fmt: skip
    for listing in (by_size, by_profile):
        LISTINGS.remove(listing)
        assert _scans(full, listing, set(listing.filters), after=False), listing.name


def _scans(full: Tenant, listing: Listing, given: set[str], *, after: bool) -> list[str]:
    """What in the plan of a page does not come from an index in order: whole tables read, whole results sorted."""
    settings = full.running.settings
    dsn = settings.postgres_ops if listing.name == "tenants" else settings.postgres_api
    keys = {datetime: datetime.now(UTC), str: "m", int: 5000}
    values = {name: VALUES[name] for name in given} | {f"after_{n}": keys[o.kind] for n, o in enumerate(listing.order)}
    if "state" in given:
        values["state"] = STATES.get(listing.name, "failed")
    with psycopg.connect(dsn.get_secret_value()) as connection:
        connection.execute("select set_config('app.tenant', %s, true)", [full.name])
        if listing.name == "tenants":  # as few as other tests have made are read whole for less
            connection.execute("set local enable_seqscan = off")
        statement = f"explain (format json) {listing.statement(given, after=after)}"
        row = connection.execute(statement.encode(), {**values, "limit": 51}).fetchone()
    assert row is not None
    return list(_bad(row[0][0]["Plan"]))


def _bad(plan: dict[str, Any]) -> Iterator[str]:
    # A handful of rows that an index found may be sorted: those of one enrolment, say.
    small = plan["Plan Rows"] <= 100
    if plan["Node Type"] == "Seq Scan" and not small:
        yield f"reads all of {plan['Relation Name']}"
    if plan["Node Type"] == "Sort" and not (small and plan["Plans"][0]["Plan Rows"] <= 100):
        yield f"sorts {plan['Plans'][0]['Plan Rows']} rows by {plan['Sort Key']}"
    for below in plan.get("Plans", ()):
        yield from _bad(below)
