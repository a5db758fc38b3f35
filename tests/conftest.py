"""The one running stack that tests/stack and tests/faults share, and the ends of its logs where a test on it failed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Its plugin imports it at the very end otherwise, and rewriting so large a module there fails on Python 3.11
# ("AST constructor recursion depth mismatch") after tests that left garbage behind.
import hypothesis
import pytest
import structlog

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # `tests.support` is found, whichever way pytest was started
    sys.path.insert(0, str(ROOT))

# No test asserts a time: machines are shared, and in a fresh clone the first text that is drawn takes a second, since the
# table of characters is made then.
hypothesis.settings.register_profile("shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("shared")

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two processes may share what needs servers: one has the stack with everything on it, the other all that start their own."""
    for item in items:
        if item.path.is_relative_to(ROOT / "tests/stack") or item.path.is_relative_to(ROOT / "tests/faults"):
            own = "running" not in getattr(item, "fixturenames", ())
            item.add_marker(pytest.mark.xdist_group("stacks of their own" if own else "the whole stack"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    found = getattr(item, "funcargs", {}).get("running")
    if report.failed and found is not None:
        report.sections += [(f"end of {name}", text) for name, text in found.log_ends()]
    return report
