"""Work: nothing stuck in the queue, no row forgotten, no list about to expire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cluster import outbox, queue
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.settings import Settings
from tasks.doctor.findings import Finding, fail, ok, warn

LATE_S, OUTBOX_LATE_S = 120.0, 60.0
MOST_TENANTS = 500


async def check(settings: Settings) -> list[Finding]:
    connections = await Connections.open(settings, "worker", size=1)
    try:
        async with connections.ops.connection() as ops:
            entries = [await _entries(ops, name) for name in (queue.BUILD, queue.BUNDLE, queue.EXPORT)]
            found = [*entries, await _held(ops), await _outbox(ops), await _forgotten(ops, settings)]
            tenants = await fetch_all(ops, "select tenant from tenants order by tenant limit %s", [MOST_TENANTS])
        return [*found, await _lists(connections, [row["tenant"] for row in tenants])]
    finally:
        await connections.close()


async def _entries(ops: Transaction, name: str) -> Finding:
    age_s = await queue.oldest_s(ops, name)
    if age_s > LATE_S:
        return warn(f"work: {name}", f"the oldest entry waits for {age_s:.0f} s", "See `content-service pools`.")
    return ok(f"work: {name}", f"{await queue.depth(ops, name)} entries")


async def _held(ops: Transaction) -> Finding:
    """Entries that ended in an error nobody had thought of stay, held, until somebody looks."""
    row = await fetch_one(
        ops, "select count(*) as n from pgqueuer where status not in ('queued', 'picked', 'successful')"
    )
    count = row["n"] if row else 0
    if count:
        return warn("work: held", f"{count} entries failed unexpectedly", "See the logs for `work failed`.")
    return ok("work: held", "no entry is held")


async def _outbox(ops: Transaction) -> Finding:
    age_s, count = await outbox.oldest_s(ops), await outbox.backlog(ops)
    if age_s > OUTBOX_LATE_S:
        return warn(
            "work: outbox", f"{count} events, the oldest {age_s:.0f} s old", "See content-outbox-relay and NATS."
        )
    return ok("work: outbox", f"{count} events wait")


async def _forgotten(ops: Transaction, settings: Settings) -> Finding:
    """Bundles that nobody took for several leases, though the bundler calls workers to them in every one."""
    row = await fetch_one(
        ops,
        """select count(*) as n from bundles
           where (state = 'planned' and created_at < now() - make_interval(secs => %(late)s))
              or (state = 'claimed' and claimed_until < now() - make_interval(secs => %(late)s))""",
        {"late": 5 * settings.lease_s},
    )
    count = row["n"] if row else 0
    if count:
        return warn("work: bundles", f"{count} wait since {5 * settings.lease_s:g} s or longer", "See content-bundler.")
    return ok("work: bundles", "none waits for long")


async def _lists(connections: Connections, tenants: list[str]) -> Finding:
    """The bundler renews lists long before they expire; one that is near its end was not renewed."""
    soon = datetime.now(UTC) + timedelta(seconds=connections.settings.list_ttl_s / 4)
    ending: list[str] = []
    for tenant in tenants:
        async with connections.db.tenant(tenant) as tx:
            row = await fetch_one(
                tx,
                """select (select expires from trust_lists order by version desc limit 1) as trust,
                          (select expires from revocation_lists order by trust_version desc, n desc limit 1) as revoked""",
            )
        if row is None or any(moment is None or moment < soon for moment in (row["trust"], row["revoked"])):
            ending.append(tenant)
    if ending:
        told = f"of {len(ending)} tenants end soon or are missing: {', '.join(ending[:3])}"
        return fail("work: lists", told, "See `lists not renewed` in the logs of content-bundler.")
    return ok("work: lists", f"trust and revocation lists of {len(tenants)} tenants are fresh")
