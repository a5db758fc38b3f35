"""A class without a network: one file from the stack, and devices that were registered and never online since."""

from __future__ import annotations

import json
import secrets
import zipfile
from pathlib import Path

import pytest

from tests.stack.test_cli import Shell
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)


def test_one_file_serves_a_class_without_a_network(tenant: Tenant, tmp_path: Path) -> None:
    run = Shell(tenant, tmp_path)
    tenant.api.change_tenant(tenant.name, policy="shared")
    course = tenant.course().text().picture("p", seed=secrets.randbelow(1 << 30)).film("f")
    tenant.publish(course)
    for learner in ("ada", "ben", "cem"):
        run(f"device new {learner} --tenant {tenant.name}")
        run(f"device register {learner} --learner {learner}")
    run(f"device new stranger --tenant {tenant.name}")
    run("device register stranger --learner nobody")
    for learner in ("ada", "ben", "cem"):
        tenant.enrol(course, learner, f"enr-{learner}-{tenant.name}")
    tenant.ready(course, 3)
    run(f"enrolments cancel enr-cem-{tenant.name}")
    package = tenant.package(course)
    shown = f"enrolments show enr-cem-{tenant.name}"
    until("the enrolment's end", lambda: run.document(shown)["state"] == "cancelled", 30)

    made = run.document(f"bundles export --package {package} -o class.cbundle")
    assert (made["devices"], made["version"], made["parts"]) == (2, 1, 1)
    assert made["bytes"] == (tmp_path / "class.cbundle").stat().st_size
    with zipfile.ZipFile(tmp_path / "class.cbundle") as found:
        assert found.testzip() is None
    one = run.document(f"bundles export --package {package} --learner ada -o one.cbundle")
    assert (one["devices"], one["bundle_id"] is None) == (1, False)
    assert "1 device" in run(f"bundles export --package {package} --learner ada -o again.cbundle")
    assert (tmp_path / "one.cbundle").read_bytes() == (tmp_path / "again.cbundle").read_bytes()

    # From here on nobody finds a network, nor the stack.
    del run.environment["CONTENT_HOME"], run.environment["CONTENT_TENANT"]
    for name in ("ada", "ben", "cem", "stranger"):
        facts = json.loads((tmp_path / name / "device.json").read_text())
        (tmp_path / name / "device.json").write_text(json.dumps({**facts, "api_url": "http://127.0.0.1:9"}))
    manifest = tenant.manifest(course)
    for learner in ("ada", "ben"):
        taken = run.document(f"device import {learner} class.cbundle")["taken"]
        assert taken["new"]
        assert run.document(f"device verify {learner}")["bundles"][0]["bundle_id"] == taken["bundle_id"]
        run(f"device open {learner} -o course-of-{learner}")
        assert json.loads((tmp_path / f"course-of-{learner}/manifest.json").read_text()) == manifest
    for name in ("cem", "stranger"):
        assert run.document(f"device import {name} class.cbundle", code=1)["error"]["code"] == "container-device"
    assert not run.document("device import ada one.cbundle")["taken"]["new"]
    run("device export ben -o bens.cbundle")
    assert not run.document("device import ben bens.cbundle")["taken"]["new"]
    run("device export ada --lists -o lists.cbundle")
    assert run.document("device import stranger lists.cbundle")["taken"] is None
