"""The notebook of bulk rebundling, run from top to bottom as an analyst would, and once with a kernel that is killed."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from cluster.local.identity import mint_token
from tests.stack.test_rebundle import PAUSE, RESUME, opens, published
from tests.support.documented import ROOT
from tests.support.running import Running
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)
NOTEBOOK = ROOT / "notebooks/bulk_rebundling.ipynb"


@pytest.fixture
def analyst(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    """What the notebook is told of the stack and of who runs it."""
    settings = tenant.running.settings
    token = mint_token(tenant.home, tenant.name, ["content:read", "content:write"], "analyst")
    monkeypatch.setenv("CONTENT_API_URL", settings.api_url)
    monkeypatch.setenv("CONTENT_TOKEN", token)
    monkeypatch.setenv("CONTENT_POSTGRES_ANALYST", settings.postgres_analyst.get_secret_value())
    return tenant


def client_of(folder: Path, on_start: Callable[[str], None]) -> NotebookClient:
    """The notebook, ready to run in `folder`; `on_start` is told the tag of each cell that begins."""

    def begun(cell: NotebookNode, **_: Any) -> None:
        for tag in cell["metadata"].get("tags", ()):
            on_start(tag)

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    return NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(folder)}}, on_cell_start=begun)


def said(notebook: NotebookNode, tag: str) -> str:
    """The texts that the cell of this tag printed or showed."""
    (cell,) = [each for each in notebook.cells if tag in each["metadata"].get("tags", ())]
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell["outputs"]]
    return "\n".join(texts)


def jobs(tenant: Tenant) -> list[str]:
    return [job["job_id"] for job in tenant.api.jobs(kind="rebundle")]


def test_the_notebook_makes_bundles_anew_and_compares(analyst: Tenant, tmp_path: Path) -> None:
    course, devices = published(analyst, "shared", 2)
    analyst.api.begin_epoch(analyst.package(course), "a content key leaked")
    ran = client_of(tmp_path, lambda tag: None).execute()
    assert "outdated_keys" in said(ran, "selection")
    assert re.search(r"bundles +2\.0\b", said(ran, "dry-run"))
    assert said(ran, "start").startswith("started job_")
    assert "succeeded" in said(ran, "watch")
    assert re.search(r"bundles under outdated keys +2\.0 +0\.0", said(ran, "compare"))
    assert "2 bundles have a new issue, 2 a new seal." in said(ran, "changed")
    pictures = [output for cell in ran.cells if cell["cell_type"] == "code" for output in cell["outputs"]]
    assert sum("image/png" in output.get("data", {}) for output in pictures) == 3
    for device in devices:
        opens(analyst, course, device, 2)


@pytest.mark.slow
async def test_a_killed_kernel_loses_nothing(analyst: Tenant, running: Running, tmp_path: Path) -> None:
    course, devices = await asyncio.to_thread(published, analyst, "shared", 2)
    running.rows(PAUSE)  # so that the job still waits when the kernel dies
    try:
        watching = asyncio.Event()
        first = client_of(tmp_path, lambda tag: watching.set() if tag == "watch" else None)
        run = asyncio.create_task(first.async_execute())
        waiting = asyncio.create_task(watching.wait())
        await asyncio.wait({run, waiting}, return_when=asyncio.FIRST_COMPLETED)
        assert watching.is_set(), run.exception()
        await asyncio.sleep(2)
        await first.km.shutdown_kernel(now=True)
        with pytest.raises(DeadKernelError):
            await run
        (job,) = jobs(analyst)
        assert analyst.api.job(job)["state"] == "queued", "the job is the service's, not the kernel's"

        def go_on(tag: str) -> None:
            if tag == "watch":
                running.rows(RESUME)

        ran = await client_of(tmp_path, go_on).async_execute()
    finally:
        running.rows(RESUME)
    assert said(ran, "start").strip() == f"found {job}"
    assert jobs(analyst) == [job]
    assert "2 bundles have a new issue, 2 a new seal." in said(ran, "changed")
    for device in devices:
        await asyncio.to_thread(opens, analyst, course, device, 2)
    await asyncio.to_thread(until, "no Ray of a killed kernel left", lambda: not _left(tmp_path), 30)


def _left(folder: Path) -> list[str]:
    """Processes that still work in the notebook's folder."""
    found = [path for path in Path("/proc").glob("[0-9]*/cwd") if _points_to(path, folder)]
    return [str(path) for path in found]


def _points_to(link: Path, folder: Path) -> bool:
    try:
        return link.readlink() == folder
    except OSError:
        return False


def test_the_notebook_is_kept_without_its_outputs() -> None:
    program = Path(sys.executable).with_name("nbstripout")
    done = subprocess.run([program, "--verify", NOTEBOOK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
