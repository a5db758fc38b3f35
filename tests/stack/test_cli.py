"""The command line as its users run it: from a token to a bundle on the stack, in processes of its own, in 80 columns."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support import documented, messages
from tests.support.running import Running
from tests.support.tenants import Tenant
from tests.support.waiting import until

COMMAND = documented.ROOT / ".venv/bin/content-service"
IDS = re.compile(r"\b(?:pkg|bnd|job)_\w+")


class Shell:
    """Runs commands against one stack and one tenant."""

    def __init__(self, tenant: Tenant, folder: Path) -> None:
        self.folder = folder
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        here = {"CONTENT_HOME": str(tenant.home), "CONTENT_TENANT": tenant.name, "COLUMNS": "80", "HOME": str(folder)}
        self.environment = {**kept, **here}

    def __call__(self, command: str, code: int = 0) -> str:
        done = subprocess.run(
            [COMMAND, *command.split()], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120
        )  # fmt: skip
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def document(self, command: str, code: int = 0) -> Any:
        return json.loads(self(f"{command} --json", code))

    def on_terminal(self, command: str) -> str:
        """What a terminal of 80 columns shows, control sequences and all."""
        leader, follower = pty.openpty()
        os.set_blocking(leader, False)
        environment = {**self.environment, "TERM": "xterm"}
        with subprocess.Popen(
            [COMMAND, *command.split()], cwd=self.folder, env=environment, stdin=follower, stdout=follower, stderr=follower
        ) as process:  # fmt: skip
            os.close(follower)
            shown, end = b"", time.monotonic() + 120
            while time.monotonic() < end:
                if select.select([leader], [], [], 0.2)[0]:
                    try:
                        part = os.read(leader, 65536)
                    except OSError:
                        break  # Linux says so when the last process has closed its side
                    shown += part
                elif process.poll() is not None:
                    break
        os.close(leader)
        assert process.returncode == 0, shown.decode()
        return shown.decode()


def lines(shown: str) -> list[str]:
    """The lines of a terminal's output as they stood there."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n").splitlines()


@pytest.mark.timeout(420)
def test_a_user_goes_once_around(tenant: Tenant, tmp_path: Path) -> None:
    run = Shell(tenant, tmp_path)
    course = tenant.course().text().picture("chart", seed=5)
    (tmp_path / "originals").mkdir()
    for asset, (path, _) in course.originals.items():
        (tmp_path / f"originals/{asset}.png").write_bytes(path.read_bytes())
    (tmp_path / "draft.json").write_text(json.dumps(course.draft()))
    (tmp_path / "bad.json").write_text(json.dumps({**course.draft(), "language": "no language"}))

    assert tenant.name in run("whoami")
    assert run.document("token -s content:read")["scopes"] == ["content:read"]
    assert not run.document("validate bad.json", code=1)["valid"]
    assert run.document("validate draft.json")["valid"]
    assert "media-missing" in json.dumps(run.document("publish draft.json", code=1))

    made = run.document("publish draft.json --media originals --wait")
    package = made["package_id"]
    assert made["version"]["state"] == "published"
    again = run.on_terminal("publish draft.json --media originals --wait")
    assert any(line.startswith(f"{package} version 1 is published") for line in lines(again))
    assert run("packages manifest " + package).startswith("{")

    run("device new phone --tenant " + tenant.name)
    run("device register phone --learner ada")
    enrolment = run.document(f"enrol ada {course.course_id}")["enrollment_id"]
    bundle = until("a bundle", lambda: run.document("bundles list --state ready")["items"], 60)[0]["bundle_id"]
    assert run.document(f"bundles show {bundle}")["issue"] == 1
    assert "bytes fetched" in run("device sync phone")

    job = run.document("jobs list")["items"][0]["job_id"]
    assert run.document(f"jobs watch {job}")["state"] == "succeeded"
    assert "job-ended" in json.dumps(run.document(f"jobs cancel {job}", code=1))
    assert run.document(f"enrolments cancel {enrolment}")["enrollment_id"] == enrolment
    until("the enrolment's end", lambda: run.document(f"enrolments show {enrolment}")["state"] == "cancelled", 30)

    run(f"tenant set {tenant.name} --limit requests_per_minute=500")
    assert run.document("tenant show")["limits"]["requests_per_minute"] == 500
    assert run.document("packages withdraw " + package + " 1 --reason wrong")["state"] == "withdrawn"
    assert run.document("audit verify")["valid"]
    assert "api_url" in run.document("settings")
    assert "pkg_none" not in run("packages show pkg_none", code=1)

    known = {package, bundle, *(row["job_id"] for row in run.document("jobs list")["items"])}
    for command in ("packages list", "bundles list", "devices list", "enrolments list", "jobs list", "audit list"):
        shown = lines(run.on_terminal(command))
        assert all(len(line) <= 80 for line in shown), (command, shown)
        assert all(found in known for line in shown for found in IDS.findall(line)), (command, shown)


def test_an_operators_views_fit_a_terminal(running: Running, tenant: Tenant, tmp_path: Path) -> None:
    run = Shell(tenant, tmp_path)
    subject = "authoring.course_draft.published.v1"
    newest = max((item["sequence"] for item in run.document("events dead --limit 1000")["items"]), default=0)
    messages.send(running, subject, b"good morning", messages.event(subject, "a-tenant-whom-nobody-here-knows", {}))
    until("two dead letters", lambda: len(run.document(f"events dead --after {newest}")["items"]) >= 2, 30)
    until("all well", lambda: all(part.health == "ok" for part in running.stack.status()))
    for command in ("events dead", "pools", "status", "jobs queues"):
        shown = lines(run.on_terminal(command))
        assert all(len(line) <= 80 for line in shown), (command, shown)
    assert any("event-not-json" in line for line in lines(run.on_terminal(f"events dead --after {newest}")))
    assert any(
        line.split()[:3:2] == ["sandbox", "bubblewrap"] or "sandbox" in line
        for line in lines(run.on_terminal("status"))
    )
