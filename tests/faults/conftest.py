"""Each fault test begins with nothing armed and every worker there, and leaves it so for the next one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.light import Light, light
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


@pytest.fixture(scope="session")
def without_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Light]:
    """A stack without Ray and with its API; `CONTENT_TEST_LIGHT_HOME` names a home whose data is used again."""
    kept = os.environ.get("CONTENT_TEST_LIGHT_HOME")
    home = Path(kept) if kept else tmp_path_factory.mktemp("light") / "home"
    with light(home, tmp_path_factory.mktemp("light-media")) as found:
        yield found


@pytest.fixture
def bare(without_ray: Light) -> Iterator[Light]:
    """The stack without Ray; the workers that a test starts end with it, frozen ones too."""
    without_ray.failpoints.clear()
    yield without_ray
    if without_ray.proxy is not None:
        without_ray.proxy.clear()
    without_ray.failpoints.clear()
    without_ray.end_workers()
