"""Killing a worker at a named point."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.tenants import Tenant
from tests.support.waiting import until

BUILDER, BUNDLER, RELAY = "content-builder", "content-bundler", "content-outbox-relay"
EXPORTER = "content-exporter"


@contextmanager
def killed_at(tenant: Tenant, pool: str, point: str, deadline_s: float = 60.0) -> Iterator[None]:
    """What is done inside brings a replica of the pool to the point, where it dies; at the end it is gone."""
    running = tenant.running
    before = running.replicas(pool)
    running.failpoints.arm(point, "kill")
    yield
    running.failpoints.reached(point, deadline_s=deadline_s)
    # Of one where more than one work, the others go on.
    until("the replica gone", lambda: before - running.replicas(pool))
