"""Imports while things break: who works is killed, addresses expire, connections are cut, a package breaks its reader each time."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from serve_app.client import Import
from tests.support.imports import imported, keys, package, upload
from tests.support.light import ADDRESS_S, Light, Worker
from tests.support.s3_proxy import S3Proxy
from tests.support.settled import assert_settled
from tests.support.tenants import IMPORT_EVENT, Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def tenant(bare: Light) -> Tenant:
    bare.worker("relay")
    return Tenant(bare)


@pytest.fixture
def importer(bare: Light) -> Worker:
    return bare.importer()


@pytest.fixture
def proxy(bare: Light) -> S3Proxy:
    assert bare.proxy is not None
    return bare.proxy


def accepted(tenant: Tenant, asked: Import, deadline_s: float = 120.0) -> int:
    """Wait for the import, and for all that follows from it; the attempt that did it."""
    job = tenant.api.wait(str(asked["job_id"]), deadline_s=deadline_s)
    found = tenant.api.import_(asked["import_id"])
    assert (found["state"], found["version"]) == ("accepted", 1), found
    assert_settled(tenant)
    assert keys(tenant) == []
    (event,) = tenant.running.heard(tenant.name, IMPORT_EVENT)
    assert event["data"]["result"] == "accepted"
    return job["attempt"]


def dead(worker: Worker) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(worker.pid).status() == psutil.STATUS_ZOMBIE
    return True


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("import.before_order", marks=pytest.mark.slow),
        pytest.param("import.after_read", marks=pytest.mark.slow),
        "import.after_upload",
        pytest.param("import.after_commit", marks=pytest.mark.slow),
    ],
)
def test_the_worker_is_killed(bare: Light, tenant: Tenant, importer: Worker, point: str) -> None:
    """Before it asks, between the importer's answer and its own work, with all files in the store, after its commit."""
    bare.failpoints.arm(point, "kill")
    worker = bare.worker("builder")
    asked = upload(tenant, package())
    bare.failpoints.reached(point)
    until("it is dead", lambda: dead(worker), 10)
    bare.worker("builder")
    tries = accepted(tenant, asked)
    # One that is read on a busy machine for longer than its addresses last is tried once more.
    assert tries == 1 if point == "import.after_commit" else tries >= 2


@pytest.mark.parametrize("point", ["importer.mid_read", pytest.param("importer.after_send", marks=pytest.mark.slow)])
def test_the_importer_is_killed(bare: Light, tenant: Tenant, importer: Worker, point: str) -> None:
    """While it has the package, and with everything written but nothing said."""
    bare.worker("builder")
    bare.failpoints.arm(point, "kill")
    asked = upload(tenant, package())
    bare.failpoints.reached(point)
    until("it is dead", lambda: dead(importer), 10)
    bare.importer()
    assert accepted(tenant, asked) >= 2


@pytest.mark.slow
def test_the_importer_is_away_for_a_while(bare: Light, tenant: Tenant) -> None:
    bare.worker("builder")
    asked = upload(tenant, package())
    until("it was tried", lambda: "importer" in tenant.api.job(str(asked["job_id"]))["message"], 30)
    assert tenant.api.job(str(asked["job_id"]))["state"] in ("queued", "running")
    bare.importer()
    assert accepted(tenant, asked) >= 2


@pytest.mark.slow
def test_the_addresses_expire_while_it_reads(bare: Light, tenant: Tenant, importer: Worker) -> None:
    """New ones are made for the next attempt."""
    bare.worker("builder")
    bare.failpoints.arm("importer.mid_read", "pause")
    asked = upload(tenant, package())
    bare.failpoints.reached("importer.mid_read")
    over = time.monotonic() + ADDRESS_S + 1
    until("they expired", lambda: time.monotonic() > over, ADDRESS_S + 5)
    bare.failpoints.release("importer.mid_read")
    assert accepted(tenant, asked) == 2
    assert "address-expired" in bare.home.log("content-scorm-importer").read_text()


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("cut-get", {"path": r"/imports/.*upload\.zip", "at": 100}),
        pytest.param("spoil-get", {"path": r"/imports/.*package\.zip", "at": 100}, marks=pytest.mark.slow),
        ("busy", {"method": "PUT", "path": r"/imports/.*report\.json"}),
        pytest.param(
            "cut-put", {"method": "PUT", "path": r"/imports/.*package\.zip", "at": 50}, marks=pytest.mark.slow
        ),
        pytest.param("busy", {"method": "PUT", "path": r"/assets/"}, marks=pytest.mark.slow),
    ],
    ids=["upload-cut", "zip-spoilt", "report-busy", "zip-cut", "assets-busy"],
)
def test_the_store_has_a_bad_moment(
    bare: Light, tenant: Tenant, importer: Worker, proxy: S3Proxy, kind: str, how: dict[str, Any]
) -> None:
    bare.worker("builder")
    with proxy.doing(kind, times=1, **how) as fault:
        asked = upload(tenant, package(extra="x" * 5000))
        accepted(tenant, asked)
    assert fault.hits, "nothing was tried"


@pytest.mark.slow
def test_a_package_that_breaks_its_sandbox_each_time_is_refused_in_the_end(bare: Light, tenant: Tenant) -> None:
    """Here it is the clock that ends the sandbox: no package is read within a millisecond."""
    bare.worker("builder")
    importer = bare.importer(CONTENT_IMPORT_TIMEOUT_S="0.001")
    asked = upload(tenant, package())
    job = tenant.api.wait(str(asked["job_id"]), deadline_s=60)
    assert job["result"] is not None and job["result"]["errors"] == ["package-unreadable"]
    assert job["attempt"] == bare.settings.import_tries
    assert "took longer" in tenant.api.import_report(asked["import_id"])["errors"][0]["message"]
    assert not dead(importer)
    importer.end()
    bare.importer()
    assert imported(tenant, package("Another"))["state"] == "accepted"
    assert_settled(tenant)


def test_a_package_that_breaks_the_importer_each_time_is_refused_in_the_end(
    bare: Light, tenant: Tenant, importer: Worker
) -> None:
    """The importer dies at it `import_tries` times; then it is refused with a report, and others are imported as before."""
    bare.worker("builder")
    tries = bare.settings.import_tries
    bare.failpoints.arm("importer.mid_read", "kill")
    asked = upload(tenant, package())
    for left in reversed(range(tries)):
        bare.failpoints.reached("importer.mid_read")
        until("it is dead", partial(dead, importer), 10)
        if left:
            bare.failpoints.arm("importer.mid_read", "kill")
        # One that is to die at its first package may be dead before it has answered anybody else.
        importer = bare.importer(awaited=not left)
    job = tenant.api.wait(str(asked["job_id"]), deadline_s=60)
    assert job["result"] is not None and job["result"]["errors"] == ["package-unreadable"]
    found = tenant.api.import_(asked["import_id"])
    assert (found["state"], found["version"]) == ("refused", None)
    assert "broke down each time" in tenant.api.import_report(asked["import_id"])["errors"][0]["message"]
    assert imported(tenant, package("Another"))["state"] == "accepted"
    assert_settled(tenant)


def test_an_attempt_that_wakes_up_late_publishes_nothing_of_what_was_refused(
    bare: Light, tenant: Tenant, importer: Worker
) -> None:
    """It had all of the package when it was stopped; whoever took over could not read it any more, and said so."""
    first = bare.worker("builder")
    bare.failpoints.arm("import.after_upload", "pause")
    asked = upload(tenant, package())
    bare.failpoints.reached("import.after_upload")
    first.freeze()
    importer.end()
    bare.importer(CONTENT_IMPORT_TIMEOUT_S="0.001")
    bare.worker("builder")
    job = tenant.api.wait(str(asked["job_id"]), deadline_s=120)
    assert job["result"] is not None and job["result"]["accepted"] is False
    bare.failpoints.release("import.after_upload")
    first.thaw()
    first.end()  # it finishes what it holds
    found = tenant.api.import_(asked["import_id"])
    assert (found["state"], found["version"], tenant.api.job(str(asked["job_id"]))["result"]) == (
        "refused",
        None,
        job["result"],
    )
    assert bare.rows("select version from package_versions where tenant = %s", tenant.name) == []
    (event,) = until("it is told", lambda: bare.heard(tenant.name, IMPORT_EVENT), 30)
    assert event["data"]["result"] == "refused"
    tenant.api.remove_import(asked["import_id"])


def test_the_uploader_is_killed_and_goes_on(
    bare: Light, tenant: Tenant, importer: Worker, proxy: S3Proxy, tmp_path: Path
) -> None:
    """By the command line: of six pieces five are there when it dies; the next run sends the one that is missing."""
    file = tmp_path / "course.zip"
    file.write_bytes(package(film=secrets.token_bytes(27 << 20)))
    command = [
        str(Path(sys.executable).with_name("content-service")), "import", str(file), "--piece-mib", "5", "--state", str(tmp_path / "noted"),
        "--home", str(bare.home.path), "--tenant", tenant.name, "--wait", "--json",
    ]  # fmt: skip
    with proxy.doing("busy", method="PUT", path=r"upload\.zip\?.*partNumber=4"):
        first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def there() -> list[int]:
            found = [tenant.api.import_(row["import_id"])["upload"] for row in tenant.api.imports()]
            return [piece["number"] for upload in found if upload for piece in upload["uploaded"]]

        until("all others are there", lambda: there() == [1, 2, 3, 5, 6], 60, there)
        first.kill()
        first.wait(10)
    bare.worker("builder")
    with proxy.doing("slow", method="PUT", path=r"upload\.zip") as seen:
        second = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert len(seen.hits) == 1, "what was there was sent again"
    found = json.loads(second.stdout)
    assert (found["state"], found["version"], found["report"]["accepted"]) == ("accepted", 1, True)
    assert len(list(tenant.api.imports())) == 1 and list((tmp_path / "noted").iterdir()) == []
    assert_settled(tenant)
