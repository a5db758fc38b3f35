"""Packages of others read: the right answers, what the sandbox adds, a peer on the same files, giants, throughput.

The peer is scormhost from PyPI, in an environment of its own: it unpacks and reads the manifest, without a sandbox and without
looking into a file. Packages come from `shared/`, where it is there, and are generated.
"""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.packages import MIB, giant_entries, giant_manifest, mixed, shared
from bench.results import Result, at_least, at_most, fact, limit, seconds
from cluster import sandbox
from cluster.sandbox.pool import pool
from cluster.settings import Settings
from content.scorm.inspect import inspect_package
from content.scorm.report import Report
from tasks.importing.reading_packages import PACKAGES, limits_of, read_package

REFUSED = ("MalformedXml", "MissingLaunchUrl")
"""Of the shared ones, these are too broken to be played; all others are taken."""
MIXED_BYTES = 1024 * MIB
PEER = "scormhost==0.1.0"
PATIENCE_S = 30.0


def measure() -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="content-bench-", dir="/var/tmp") as name:
        folder = Path(name)
        settings = Settings.load().model_copy(update={"workspace": folder / "work", "sandbox_ahead": 1})
        packages = shared()
        found = [*_shared(packages, settings, folder)] if packages else []
        return [*found, *_giants(settings, folder), *_throughput(settings, folder)]


def _shared(packages: Sequence[Path], settings: Settings, folder: Path) -> list[Result]:
    limits = limits_of(settings)
    with_s, without_s, right = [], [], 0
    for path in packages:
        _ready(settings)
        began = time.perf_counter()
        report = _read(path, settings)
        with_s.append(time.perf_counter() - began)
        with path.open("rb") as file:
            without_s.append(seconds(lambda: inspect_package(file, limits)))
        right += (
            report.accepted != any(each in path.name for each in REFUSED) and bool(report.launch) == report.accepted
        )
    added = [ours - bare for ours, bare in zip(with_s, without_s, strict=True)]
    found = [
        at_least("inspect: shared packages with the right answer", right, "packages", len(packages), 1.0),
        fact("inspect: one package, median", 1000 * statistics.median(with_s), "ms"),
        fact("inspect: one package, p95", 1000 * _p95(with_s), "ms"),
        fact("inspect: the same without a sandbox, median", 1000 * statistics.median(without_s), "ms"),
        fact("inspect: the same without a sandbox, p95", 1000 * _p95(without_s), "ms"),
        limit("inspect: what a warm sandbox adds, median", 1000 * statistics.median(added), "ms", 60),
    ]
    peer = _peer(packages, folder)
    if peer:
        ours, theirs = 1000 * statistics.median(with_s), 1000 * statistics.median(peer)
        found.append(at_most("inspect: against scormhost, median", ours, "ms", theirs, 1.0))
        found.append(fact("inspect: scormhost, p95", 1000 * _p95(peer), "ms"))
    return found


def _giants(settings: Settings, folder: Path) -> list[Result]:
    found: list[Result] = []
    for name, build in (("20,000 entries", giant_entries), ("a manifest of 25 MB", giant_manifest)):
        path = folder / "giant.zip"
        path.write_bytes(build())
        _ready(settings)
        found.append(limit(f"inspect: {name}", seconds(lambda: _read(path, settings)), "s", 2))  # noqa: B023
        found.append(limit(f"inspect: {name}, memory above an idle reader", _memory(path), "MiB", 300))
    return found


def _throughput(settings: Settings, folder: Path) -> list[Result]:
    """Read and written as canonical zips, two at once, against the same files plainly unzipped, two at once."""
    paths = mixed(folder, MIXED_BYTES)

    def work(path: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as out:
            reading = read_package(path, Path(out), settings, canonical=True)
            assert reading.report.accepted, reading.report.errors

    def bare(path: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as out, zipfile.ZipFile(path) as archive:
            archive.extractall(out)

    size = sum(path.stat().st_size for path in paths) / MIB
    with ThreadPoolExecutor(2) as threads:
        ours = seconds(lambda: list(threads.map(work, paths)))
        unzipped = seconds(lambda: list(threads.map(bare, paths)))
    shutil.rmtree(paths[0].parent)
    return [
        fact("import: packages read and made safe", size / ours, "MiB/s"),
        fact("import: the same plainly unzipped", size / unzipped, "MiB/s"),
        fact("import: seconds against plain unzip", ours / unzipped, "x"),
    ]


def _read(path: Path, settings: Settings) -> Report:
    with tempfile.TemporaryDirectory(dir=settings.workspace.parent) as out:
        return read_package(path, Path(out), settings, canonical=False).report


def _ready(settings: Settings) -> None:
    """Wait until a sandbox waits."""
    backend = sandbox.backend(settings, PACKAGES)
    sandbox.warm(PACKAGES, settings)
    deadline = time.monotonic() + PATIENCE_S
    while not pool(settings.workspace, settings.sandbox_ahead).ready(PACKAGES, backend):
        if time.monotonic() > deadline:
            raise TimeoutError("no sandbox came to be ready")
        time.sleep(0.002)


def _memory(path: Path) -> float:
    """MiB that reading it takes in a process of its own, above what that process has with everything imported."""
    done = subprocess.run([sys.executable, "-m", __name__, str(path)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def _peer(packages: Sequence[Path], folder: Path) -> list[float]:
    """Seconds of each package in scormhost; none where it cannot be installed, which is said."""
    home = folder / "peer"
    uv = [sys.executable, "-m", "uv"]
    try:
        subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(home)], check=True, capture_output=True)
        install = [*uv, "pip", "install", "-q", "--python", str(home / "bin" / "python"), PEER]
        subprocess.run(install, check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"  scormhost is not measured: {error.stderr.decode()[-200:]}\n")
        return []
    names = json.dumps([str(path) for path in packages])
    script = str(Path(__file__).with_name("peer.py"))
    argv = [str(home / "bin" / "python"), "-P", script, str(folder / "peer-data")]
    done = subprocess.run(
        argv, input=names, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""}
    )
    return json.loads(done.stdout)


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[len(values) * 95 // 100]


if __name__ == "__main__":
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Path(sys.argv[1]).open("rb") as opened:
        inspect_package(opened, limits_of(Settings.load()), canonical=io.BytesIO() if len(sys.argv) > 2 else None)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) / 1024)
