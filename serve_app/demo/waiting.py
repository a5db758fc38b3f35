"""Watching the service at work: polls with a deadline, and shows the progress that the service itself reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cluster import mesh
from cluster.settings import Settings
from content.errors import ContentError
from serve_app.client import BundleRow, Client, Job, Version

POLL_S = 0.1
BUILD_S, BUNDLE_S, HEARD_S = 300.0, 120.0, 60.0
HEARD = "content.play_package.bundle.published.v1"


def bars(console: Console) -> Progress:
    """Shares done, in 80 columns; gone when it is done."""
    columns = TextColumn("{task.description}"), BarColumn(bar_width=30), TextColumn("{task.percentage:>3.0f} %")
    quiet = not console.is_terminal  # else it leaves empty lines in a log
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True, disable=quiet)


def until(what: str, deadline_s: float, where: str) -> Iterator[None]:
    """Yields every `POLL_S` seconds until the deadline, then raises ContentError `demo-deadline`."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        yield
        time.sleep(POLL_S)
    raise ContentError("demo-deadline", f"After {deadline_s:.0f} s: {what}.", f"Look at {where}.")


def published(api: Client, package_id: str, version: int, progress: Progress) -> Version:
    """Wait for a build; returns the version with its report. Raises ContentError with the job's problem."""
    task = progress.add_task("build", total=1.0)
    where = "`content-service logs serve`, `content-service jobs list` and `content-service pools`"
    job_id: str | None = None
    for _ in until("the package is not built", BUILD_S, where):
        job = api.job(job_id) if job_id else _job(api, package_id, version)
        if job is None:
            continue
        job_id = job["job_id"]
        progress.update(task, completed=job["progress"], description=f"build: {(job['message'] or job['state'])[:34]}")
        if job["state"] in ("failed", "cancelled"):
            problem = job["problem"] or {}
            raise ContentError(
                str(problem.get("code", "build-failed")),
                str(problem.get("title", "The build did not succeed.")),
                f"Look at {where}.",
            )
        if job["state"] == "succeeded":
            return api.version(package_id, version)
    raise AssertionError


def _job(api: Client, package_id: str, version: int) -> Job | None:
    wanted = {"package_id": package_id, "version": version}
    found = (job for job in api.get("/v1/jobs", limit=200)["items"] if job["kind"] == "build")
    return next((job for job in found if wanted.items() <= job["subject"].items()), None)


def bundles_ready(
    api: Client, package_id: str, version: int, devices: list[str], progress: Progress
) -> dict[str, BundleRow]:
    """Wait for one bundle of this version for each device; by device id. Raises ContentError if one failed."""
    task: TaskID = progress.add_task("bundles", total=len(devices))
    where = "`content-service logs serve` and `content-service pools`"
    for _ in until("the bundles are not ready", BUNDLE_S, where):
        rows = [row for row in api.bundles(package_id=package_id) if row["version"] == version]
        failed = next((row for row in rows if row["state"] == "failed"), None)
        if failed is not None:
            problem = failed.get("problem") or {}
            code, title = problem.get("code", "bundle-failed"), problem.get("title", "A bundle could not be made.")
            raise ContentError(str(code), str(title), f"Look at {where}.")
        ready = {row["device_id"]: row for row in rows if row["state"] == "ready" and row["device_id"] in devices}
        progress.update(task, completed=len(ready))
        if len(ready) == len(devices):
            return ready
    raise AssertionError


def heard(settings: Settings, devices: list[str], bundle_ids: set[str]) -> dict[str, dict[str, Any]]:
    """Wait until sync-service heard of each bundle; returns the event's data by bundle id."""
    found: dict[str, dict[str, Any]] = {}
    verify = mesh.context(settings, "sync") or True
    with httpx.Client(trust_env=False, timeout=10, verify=verify) as client:
        for _ in until("sync-service has not heard of the bundles", HEARD_S, "`content-service logs serve`"):
            for device in devices:
                answer = client.get(f"{settings.sync_url}/v1/events", params={"subject": HEARD, "device_id": device})
                for event in answer.raise_for_status().json()["events"]:
                    data = event["event"]["data"]
                    if data["bundle_id"] in bundle_ids:
                        found[data["bundle_id"]] = data
            if set(found) == bundle_ids:
                return found
    raise AssertionError


def wait_for(what: str, done: Callable[[], bool], deadline_s: float = 10.0) -> None:
    """Wait until `done()`. Raises ContentError `demo-deadline`."""
    for _ in until(what, deadline_s, "`content-service status`"):
        if done():
            return
