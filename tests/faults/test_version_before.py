"""The version before runs on the newest schema: its API and its workers do all the work, beside those of now and without them.

The code of the version before is taken out of git: the newest tag, or, as long as there is none, the last commit before the first
migration that counts (`cluster.release.expand.FIRST`). Where a clone has no history the test is skipped and says so; the rules of
`test_migrations_expand.py` hold everywhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cluster.release.expand import FIRST
from tests.support.light import ROOT, Light
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)

LEARNER = "learner-1"
WORKERS = ("relay", "builder", "bundler")


def git(*argv: str) -> str:
    found = subprocess.run(["git", "-C", str(ROOT), *argv], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else ""


def revision() -> str:
    """The version before; empty where history does not reach back to it."""
    if given := os.environ.get("CONTENT_TEST_BEFORE"):
        return given
    if tag := git("describe", "--tags", "--abbrev=0", "HEAD^"):
        return tag
    newer = sorted(path.name for path in (ROOT / "cluster/migrations").glob("*.sql") if path.name >= FIRST)
    added = git(
        "log",
        "--format=%H",
        "--reverse",
        "--topo-order",
        "--diff-filter=A",
        "--",
        *(f"cluster/migrations/{n}" for n in newer),
    )
    first = added.partition("\n")[0]
    return git("rev-parse", "--verify", "--quiet", f"{first}^") if first else ""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tree of the version before."""
    found = revision()
    if not found:
        pytest.skip("this clone has no history with a version before")
    folder = tmp_path_factory.mktemp("before")
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", found], capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    built = Path("cluster/player/built")  # not in git
    if (ROOT / built).exists():
        (folder / built).symlink_to(ROOT / built)
    yield folder


def known(folder: Path) -> set[str]:
    return {path.name for path in (folder / "cluster/migrations").glob("*.sql")}


def test_the_version_before_is_one_that_does_not_know_the_newest_schema(before: Path) -> None:
    assert known(before) < known(ROOT)
    env = {**os.environ, "PYTHONPATH": str(before)}
    argv = [sys.executable, "-P", "-c", "import cluster, serve_app; print(cluster.__file__, serve_app.__file__)"]
    told = subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout.split()
    assert all(path.startswith(str(before)) for path in told), "the test would run the code of now"


@pytest.fixture
def served(bare: Light, before: Path) -> Iterator[Tenant]:
    """A tenant whose API is of the version before; afterwards the API of now is there again."""
    assert known(ROOT) <= {row["name"] for row in bare.rows("select name from migrations")}
    try:
        api = bare.serve(before)
        until("the old API ready", lambda: ready(bare), 60, api.log)
        yield Tenant(bare)
    finally:
        bare.end_workers()
        bare.serve()


def test_it_does_all_the_work_on_the_newest_schema(bare: Light, before: Path, served: Tenant) -> None:
    for kind in WORKERS:
        bare.worker(kind, root=before)
    device, course = served.device(LEARNER), served.course().text()
    served.enrol(course, LEARNER)
    served.publish(course)
    served.ready(course, 1, deadline_s=120)
    served.manifest(course)
    (offer,) = device.offers()
    device.read(device.open(offer))
    assert_settled(served, deadline_s=120)


@pytest.mark.slow
def test_it_works_beside_the_version_of_now_and_after_it(bare: Light, before: Path, served: Tenant) -> None:
    """A roll-out and a roll-back: what either version wrote is read by the other."""
    old = [bare.worker(kind, root=before) for kind in WORKERS]
    device, course = served.device(LEARNER), served.course().text()
    served.enrol(course, LEARNER)
    served.publish(course)
    served.ready(course, 1, deadline_s=120)
    for kind in WORKERS:
        bare.worker(kind).at_work()
    assert [worker.leave() for worker in old] == [0, 0, 0]
    course = course.changed_text()
    served.publish(course)
    served.ready(course, 1, number=2, deadline_s=120)
    device.read(device.open(device.offers()[0]))
    bare.serve()
    assert [served.manifest(course, number)["version"] for number in (1, 2)] == [1, 2]
    bare.end_workers()
    for kind in WORKERS:
        bare.worker(kind, root=before)
    third = served.course().text("Asked for by the API of now.")
    served.enrol(third, LEARNER)
    served.publish(third)
    served.ready(third, 1, deadline_s=120)
    assert_settled(served, deadline_s=120)


def ready(bare: Light) -> bool:
    try:
        return httpx.get(f"{bare.settings.api_url}/readyz", trust_env=False, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
