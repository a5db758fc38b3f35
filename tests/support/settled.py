"""The last look after every test on the stack: all is done, once, told once and in order, and nothing is left over."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Any

from cluster import places
from cluster.connections import Connections
from tasks.keeping import gc
from tests.support.running import Running
from tests.support.tenants import BUNDLE_EVENT, EXPORT_EVENT, IMPORT_EVENT, PACKAGE_EVENT, Tenant
from tests.support.waiting import until


def assert_settled(tenant: Tenant, deadline_s: float = 60.0) -> None:
    """Wait until the tenant's work is over, then hold the stack to what every fault must end with."""
    running = tenant.running
    until("nothing left to do", lambda: not unfinished(tenant), deadline_s, lambda: unfinished(tenant))
    _assert_one_result_and_one_event(tenant)
    until("no folder or encoder left", lambda: not running.leftovers(), 20.0, running.leftovers)
    assert_every_key_has_its_row(running, tenant.name)


def unfinished(tenant: Tenant) -> list[dict[str, Any]]:
    """Jobs, bundles, queue entries and events of the tenant that are not at an end."""
    name, running = tenant.name, tenant.running
    return [
        *running.rows("select job_id, state, message from jobs where tenant = %s and state in ('queued', 'running', 'cancelling')", name),
        *running.rows("select bundle_id, state from bundles where tenant = %s and state in ('planned', 'claimed')", name),
        *running.rows("select package_id, version from package_versions where tenant = %s and state = 'planned'", name),
        *running.rows("select export_id, state from exports where tenant = %s and state = 'planned'", name),
        *running.rows("select import_id, state from imports where tenant = %s and state = 'importing'", name),
        *running.rows("select preview_id, state from previews where tenant = %s and state = 'planned'", name),
        *running.rows("select id, type, key from outbox where tenant = %s and published_at is null", name),
        *running.rows(
            "select id, entrypoint, status::text from pgqueuer where convert_from(payload, 'UTF8')::jsonb->>'tenant' = %s",
            name,
        ),
    ]  # fmt: skip


def _assert_one_result_and_one_event(tenant: Tenant) -> None:
    name, running = tenant.name, tenant.running
    ready = {row["bundle_id"] for row in running.rows("select bundle_id from bundles where tenant = %s and state = 'ready'", name)}  # fmt: skip
    licensed = running.rows("select bundle_id, issue from licences where tenant = %s", name)
    assert sorted(row["bundle_id"] for row in licensed) == sorted(ready), "not one licence for each ready bundle"
    published = {
        (row["package_id"], row["version"])
        for row in running.rows(
            "select package_id, version from package_versions where tenant = %s and state in ('published', 'withdrawn')",
            name,
        )
    }
    sent = running.rows("select id::text from outbox where tenant = %s", name)
    until("every event heard", lambda: len(running.heard(name)) >= len(sent), 30.0, lambda: running.heard(name))
    events = running.heard(name)
    assert Counter(event["id"] for event in events) == Counter(row["id"] for row in sent)
    told = Counter(event["data"]["bundle_id"] for event in events if event["type"] == BUNDLE_EVENT)
    assert told == Counter(ready), "not one event for each ready bundle"
    told_versions = Counter((e["data"]["package_id"], e["data"]["version"]) for e in events if e["type"] == PACKAGE_EVENT)  # fmt: skip
    assert told_versions == Counter(published), "not one event for each published version"
    exported = {row["export_id"] for row in running.rows("select export_id from exports where tenant = %s and state = 'ready'", name)}  # fmt: skip
    told_exports = Counter(e["data"]["export_id"] for e in events if e["type"] == EXPORT_EVENT and e["data"]["result"] == "ready")  # fmt: skip
    assert told_exports == Counter(exported), "not one event for each export that is ready"
    ended = {row["import_id"] for row in running.rows("select import_id from imports where tenant = %s and job_id is not null and ended_at is not null", name)}  # fmt: skip
    told_imports = Counter(e["data"]["import_id"] for e in events if e["type"] == IMPORT_EVENT)
    assert all(told_imports[each] >= 1 for each in ended), "an import ended, and nobody was told"
    accepted = {row["import_id"] for row in running.rows("select import_id from imports where tenant = %s and state = 'accepted'", name)}  # fmt: skip
    told_accepted = Counter(e["data"]["import_id"] for e in events if e["type"] == IMPORT_EVENT and e["data"]["result"] == "accepted")  # fmt: skip
    assert told_accepted == Counter(accepted), "not one event for each accepted import"
    _assert_in_order(events)


def _assert_in_order(events: list[dict[str, Any]]) -> None:
    """Per key: the numbers of the events rise by one; per device and package: so do the licences' sequences
    and issues."""
    by_key: dict[str, list[int]] = defaultdict(list)
    by_device: dict[tuple[str, str], list[list[int]]] = defaultdict(list)
    for event in events:
        data = event["data"]
        by_key[event["subject"]].append(int(event["sequence"]))
        if event["type"] == BUNDLE_EVENT:
            by_device[data["device_id"], data["package_id"]].append([*data["sequence"], data["issue"]])
    for key, numbers in by_key.items():
        assert numbers == list(range(1, len(numbers) + 1)), f"events of {key} came as {numbers}"
    for key, sequences in by_device.items():
        assert sequences == sorted(sequences), f"bundles of {key} came as {sequences}"
        assert len({tuple(sequence) for sequence in sequences}) == len(sequences)


def assert_every_key_has_its_row(running: Running, tenant: str | None = None) -> None:
    """Collect without a time of grace, then compare the bucket with the rows by queries of our own: a tenant's part of it, where
    others may have what is cold, held, or being deleted."""
    report = asyncio.run(_collect(running))
    missing = [key for key in report.missing if tenant in (None, key.split("/")[1])]
    assert missing == [], "a row has lost its key"
    found, named = running.keys(), named_keys(running)
    if tenant is not None:
        found, named = ({key for key in keys if key.split("/")[1] == tenant} for keys in (found, named))
    assert found == named
    part = f"{tenant}/" if tenant else ""
    assert running.objects.uploads(f"bundles/{part}") == running.objects.uploads(f"exports/{part}") == []
    begun = {row["upload_id"] for row in running.rows("select upload_id from imports where state = 'uploading'")}
    assert {upload for _, upload, _ in running.objects.uploads(f"imports/{part}")} <= begun


async def _collect(running: Running) -> gc.Report:
    connections = await Connections.open(running.settings, "worker", size=2)
    try:
        return await gc.collect(connections, grace_s=0)
    finally:
        await connections.close()


def named_keys(running: Running) -> set[str]:
    """Every key that some row names."""
    bundles = "select tenant, index_path as path from seals where index_path is not null union all select tenant, path from parts"  # fmt: skip
    versions = "select tenant, package_id, version, manifest_digest as digest from package_versions where manifest_digest is not null and state {} 'withdrawn'"  # fmt: skip
    sites = "select key from exports where state = 'ready' and published"
    return {
        *(places.asset(row["tenant"], row["digest"]) for row in running.rows("select tenant, digest from assets")),
        *(places.manifest(*row.values()) for row in running.rows(versions.format("<>"))),
        *(places.withdrawn(*row.values()) for row in running.rows(versions.format("="))),
        *(places.bundles(row["tenant"]) + row["path"] for row in running.rows(bundles)),
        *(row["key"] for row in running.rows("select key from exports where state = 'ready'")),
        *(
            key
            for row in running.rows(sites)
            for place in places.SITES
            for key, _ in running.objects.keys(places.attempt_of(row["key"]) + place)
        ),
        *(
            places.uploaded(row["tenant"], row["import_id"])
            for row in running.rows(
                "select tenant, import_id from imports where removed_at is null and state <> 'uploading'"
            )
        ),
        *(
            key
            for row in running.rows("select folder from previews where state = 'ready'")
            for key, _ in running.objects.keys(row["folder"] + places.SITE)
        ),
    }
