"""Two whole regions with Ray, and a third that is reduced, as `content-service up --regions` starts them: both build for their own
tenants, and all three refuse what one of them took back. Minutes and 6 GB, so in `make test-all` alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.local.configuration import load_settings
from cluster.local.regions import Regions
from serve_app.cli import app
from tests.support.failpoints import Failpoints
from tests.support.light import Light
from tests.support.regions import asked_revoked
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
KINDS = {"us": "complete", "eu": "complete", "me": "reduced"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    runner, home = CliRunner(), tmp_path / "home"
    try:
        started = runner.invoke(app, ["up", "--home", str(home), "--regions", ",".join(KINDS), "--json"])
        assert started.exit_code == 0, started.output
        yield home
    finally:
        stopped = runner.invoke(app, ["down", "--home", str(home)])
        assert stopped.exit_code == 0, stopped.output


def test_each_builds_for_its_own_and_all_refuse_what_one_took_back(home: Path, tmp_path: Path) -> None:
    regions = Regions(home)
    found = {
        name: Light(regions.stack(name), load_settings(home / name), Failpoints(tmp_path / name), tmp_path)
        for name in KINDS
    }
    devices = {}
    for name in ("us", "eu"):
        tenant = Tenant(found[name])
        course, device = tenant.course().text(), tenant.device(f"learner-{name}")
        tenant.publish(course)
        tenant.enrol(course, f"learner-{name}")
        tenant.built(course, deadline_s=180)
        tenant.ready(course, 1, deadline_s=120)
        device.read(device.open(device.offers()[-1]))
        devices[name] = (tenant, device)
    for name, (tenant, device) in devices.items():
        others = [region for other, region in found.items() if other != name]
        for other in others:
            until(
                "heard of it", lambda o=other, t=tenant, d=device: asked_revoked(o, t.name, "device", d.id) is False, 30
            )
        tenant.api.revoke("device", device.id, "lost")
        for other in others:
            until("refused", lambda o=other, t=tenant, d=device: asked_revoked(o, t.name, "device", d.id))
    runner = CliRunner()
    told = json.loads(runner.invoke(app, ["status", "--home", str(home), "--json"]).stdout)
    assert {name: each["kind"] for name, each in told["regions"].items()} == KINDS
    assert {part["health"] for each in told["regions"].values() for part in each["parts"]} == {"ok"}
    print({name: each["total_bytes"] >> 20 for name, each in told["regions"].items()})
    pools = json.loads(runner.invoke(app, ["pools", "--home", str(home), "--json"]).stdout)
    assert {row["region"] for row in pools} == {"us", "eu"}
    assert {row["pool"] for row in pools} >= {"content-builder", "content-bundler"}
