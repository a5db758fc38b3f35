"""One local stack for the whole run, of real parts; each test uses a tenant, course and learner of its own."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.running import Running
from tests.support.tenants import Tenant


@pytest.fixture
def tenant(running: Running) -> Tenant:
    return Tenant(running)


@pytest.fixture
def http(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.settings.api_url, trust_env=False, timeout=60) as client:
        yield client
