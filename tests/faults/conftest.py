"""Each fault test begins with nothing armed and every worker there, and leaves it so for the next one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.running import Running
from tests.support.tenants import Tenant


@pytest.fixture
def whole(running: Running) -> Iterator[Running]:
    """The stack with nothing armed, before and after."""
    running.failpoints.clear()
    running.workers_ready()
    yield running
    running.failpoints.clear()


@pytest.fixture
def tenant(whole: Running) -> Tenant:
    return Tenant(whole)
