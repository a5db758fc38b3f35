"""Lists are issued anew before they go stale, and a device that followed the old ones follows on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from content.bundles.lists import accept_lists
from content.bundles.state import ReaderState
from serve_app.client import TrustLists
from tasks import lists
from tests.support.connected import with_connections
from tests.support.running import Running
from tests.support.tenants import Tenant


def renew(running: Running, tenant: str, now: datetime) -> int:
    return with_connections(running, lambda connections: lists.renew(connections, tenant, now))


def accept(state: ReaderState, served: TrustLists, tenant: str, now: datetime) -> ReaderState:
    revocations = served["revocations"]
    return accept_lists(
        state,
        served["chain"],
        revocations["document"].encode(),
        revocations["signature"],
        tenant=tenant,
        now=now,
    ).state


def test_lists_are_renewed_when_due_and_once(running: Running) -> None:
    tenant, now = Tenant(running), datetime.now(UTC)
    state = accept(ReaderState(), tenant.api.trust_lists(tenant.name), tenant.name, now)
    assert renew(running, tenant.name, now) == 0

    half_over = now + timedelta(seconds=running.settings.list_ttl_s / 2 + 60)
    assert renew(running, tenant.name, half_over) == 1
    assert renew(running, tenant.name, half_over) == 0
    served = tenant.api.trust_lists(tenant.name)
    later = accept(state, served, tenant.name, half_over)
    assert (later.revocations, len(served["chain"])) == ((1, 2), 1)

    nearly_over = now + timedelta(seconds=running.settings.trust_ttl_s * 0.9)
    assert renew(running, tenant.name, nearly_over) == 2
    served = tenant.api.trust_lists(tenant.name)
    last = accept(later, served, tenant.name, nearly_over)
    assert last.trust is not None
    assert (last.trust.version, last.revocations, len(served["chain"])) == (2, (2, 1), 2)
