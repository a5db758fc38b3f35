"""The one running stack that tests/stack and tests/faults share, and the ends of its logs where a test on it failed."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Its plugin imports hypothesis at the very end otherwise, and rewriting so large a module there fails on Python 3.11
# ("AST constructor recursion depth mismatch") after tests that left garbage behind.
import httpx._config
import hypothesis
import pytest
import structlog

ROOT = Path(__file__).resolve().parents[1]
STACK_S = 400
if str(ROOT) not in sys.path:  # `tests.support` is found, whichever way pytest was started
    sys.path.insert(0, str(ROOT))

from cluster.local import ports  # noqa: E402 - the tree is on the path by now

# No test asserts a time: machines are shared, and in a fresh clone the first text that is drawn takes a second, since the
# table of characters is made then.
hypothesis.settings.register_profile("shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("shared")

# Two processes that look for free ports at the same time find the same ones.
if worker := os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw"):
    part = (ports.HIGHEST + 1 - ports.LOWEST) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    ports.LOWEST += part * int(worker)
    ports.HIGHEST = ports.LOWEST + part - 1

# Nor does one give up an answer after httpx's five seconds where it says nothing of its patience: Ray starts replicas meanwhile.
for each in ("connect", "read", "write", "pool"):
    setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, each, 60.0)

if TYPE_CHECKING:
    from tests.support.running import Running


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack with everything on it, Ray and Serve too; about a minute to start, once in a run."""
    from tests.support.running import started  # not above: most tests need none of it

    with started(tmp_path_factory) as found:
        yield found


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """What a test, or a command or a replica in it, says of where lines go ends with it: the next one's standard output
    would have them otherwise, or they would go to a file that is gone."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    structlog.configure(**before)
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(autouse=True)
def sandboxes_as_before(request: pytest.FixtureRequest) -> Iterator[None]:
    """Those that wait below a test's own folder end with it; after hundreds of tests they were hundreds of processes."""
    yield
    folder, known = request.node.funcargs.get("tmp_path"), sys.modules.get("cluster.sandbox.pool")
    if folder is not None and known is not None:
        known.close_pool(folder)


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two processes may share what needs servers: one has the stack with everything on it, the other all that start their own."""
    for item in items:
        if item.path.is_relative_to(ROOT / "tests/stack") or item.path.is_relative_to(ROOT / "tests/faults"):
            own = "running" not in getattr(item, "fixturenames", ())
            item.add_marker(pytest.mark.xdist_group("stacks of their own" if own else "the whole stack"))
            # Starting what a test stands on, a minute or two, is counted as the time of whichever comes first.
            given = item.get_closest_marker("timeout")
            item.add_marker(pytest.mark.timeout((given.args[0] if given else 120) + STACK_S), append=False)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Groups that were not heard of would have each process start its own servers and browser, all at once."""
    if session.config.getoption("loadgroup", False):
        lost = [item for item in session.items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]
        if lost:
            raise RuntimeError(f"xdist does not know the group of {lost[0].nodeid}: see pytest in pyproject.toml.")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    found = getattr(item, "funcargs", {}).get("running")
    if report.failed and found is not None:
        report.sections += [(f"end of {name}", text) for name, text in found.log_ends()]
    return report
