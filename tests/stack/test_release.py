"""A canary of the real application beside a stable one, with traffic parted by the local gateway: a sound one is promoted, and
each kind of bad one is found and taken back by the promoter itself.

Numbers go the way of production: told by each process, scraped by Prometheus (the real one where there is a binary, else the
stand-in of `tests.support.prometheus`), asked for by the promoter's own queries.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.local.identity import mint_token
from cluster.release.decision import Begin, Promote, RollBack
from cluster.release.promoter import Looked
from serve_app.client import Client
from tests.support.populated import Populated
from tests.support.running import Running
from tests.support.versions import QUICK, Versions, two_versions

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def versions(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versions]:
    with two_versions(Populated(running, versions=3), tmp_path_factory.mktemp("versions")) as found:
        yield found


@pytest.fixture
def fresh(versions: Versions) -> Versions:
    versions.reset()
    return versions


def test_a_sound_canary_gets_all_the_traffic(fresh: Versions) -> None:
    # A machine that is busy for a moment is slow for one version and not for the other: what is slow is another test's matter.
    patient = replace(QUICK, objectives=replace(QUICK.objectives, p99_floor_s=5.0))
    with fresh.load() as load:
        looks = fresh.promote(patient)
    assert isinstance(looks[-1].decision, Promote), looks[-1]
    shares = [look.state.share for look in looks if look.state is not None]
    assert sorted(set(shares)) == [10, 50, 100]
    assert fresh.share() == 100
    assert load.wrong("canary") == load.wrong("stable") == 0, load.met
    assert load.met["canary", "right"] > 30


def test_a_job_says_which_version_accepted_it(fresh: Versions) -> None:
    tenant = fresh.tenant
    token = mint_token(tenant.home, tenant.name, ["operator", "content:write"], "author")
    for track, format in (("stable", "html"), ("canary", "xapi")):
        with Client(fresh.url(track), token=token) as api:
            assert api.get("/version") == {"release": f"of-{track}", "track": track, "manifest_shape": 1}
            job = api.ask_export(tenant.package_id, format)["job_id"]
        rows = tenant.running.rows("select asked_by from jobs where tenant = %s and job_id = %s", tenant.name, job)
        assert rows == [{"asked_by": track}]
        tenant.api.wait(job)  # no work is left under way for the tests behind this one


@pytest.mark.parametrize(
    ("badness", "objective"),
    [
        ("errors:5", "errors"),
        pytest.param("slow:0.6", "latency", marks=pytest.mark.slow),
        ("manifests:3", "answers"),
        pytest.param("lost", "answers", marks=pytest.mark.slow),
    ],
)
def test_a_bad_canary_is_taken_back_by_itself(fresh: Versions, badness: str, objective: str) -> None:
    with fresh.load() as load:
        fresh.be(badness)
        looks = fresh.promote()
        assert fresh.share() == 0
        last = looks[-1].decision
    assert isinstance(last, RollBack)
    assert objective in last.reason.partition(":")[0]
    assert load.wrong("stable") == 0, "the stable version is not to blame"
    assert all(look.state is None or look.state.share in (0, 10) for look in looks), (
        "it never got more than its first share"
    )


@pytest.mark.slow
def test_the_command_says_what_it_saw_and_ends_with_1(fresh: Versions, tmp_path: Path) -> None:
    """Quietly wrong manifests, while no other objective has anything to say."""
    token, plan = tmp_path / "token", tmp_path / "plan.json"
    token.write_text(fresh.token())
    plan.write_text(json.dumps(QUICK.as_dict()))
    fresh.be("manifests:1")
    argv = [
        str(Path(sys.executable).with_name("content-service")), "release", "promote", "--gateway", fresh.url("admin"), "--prometheus",
        fresh.prometheus_url, "--stable-url", fresh.url("stable"), "--canary-url", fresh.url("canary"), "--plan", str(plan),
        "--probe-token-file", str(token), "--every-s", "1", "--again",
    ]  # fmt: skip
    found = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == 1, found.stderr
    assert "roll-back answers: /v1/packages/" in found.stdout
    assert "another manifest" in found.stdout
    assert fresh.share() == 0


@pytest.mark.slow
def test_a_canary_that_dies_is_taken_back(fresh: Versions) -> None:
    """Its numbers vanish with it; that it does not answer is what is seen."""
    looks: list[Looked] = []
    try:
        with fresh.load(), fresh.promoter() as promoter:
            assert isinstance(promoter.look(again=True).decision, Begin)
            fresh.processes["canary"].kill()
            fresh.processes["canary"].wait(10)
            promoter.run(looks.append, every_s=1.0)
        assert isinstance(looks[-1].decision, RollBack)
        assert "no answer of the canary 3 times in a row" in looks[-1].decision.reason
        assert fresh.share() == 0
    finally:
        fresh.start_version("canary")
        fresh.ready("canary")
