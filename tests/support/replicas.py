"""More replicas of the API than the stack runs: processes of their own, with memory and connections of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from cluster.local.home import Home
from cluster.local.ports import choose
from tests.support.waiting import until

APP = "serve_app.api:create_app"


@contextmanager
def replicas(home: Home, count: int, ports: list[int] | None = None) -> Iterator[list[str]]:
    """The addresses of so many replicas, ready; they end with the block."""
    names = [f"replica-{number}" for number in range(count)]
    chosen = ports or list(choose(names, home.reserved_by_others()).values())
    environment = {**os.environ, "CONTENT_SETTINGS": str(home.settings)}
    log = (home.logs / "replicas.log").open("ab")
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "uvicorn", APP, "--factory", "--port", str(port), "--log-level", "warning"],
            env=environment, stdout=log, stderr=log, cwd=Path(__file__).resolve().parents[2],
        )
        for port in chosen
    ]  # fmt: skip
    urls = [f"http://127.0.0.1:{port}" for port in chosen]
    try:
        for url, process in zip(urls, started, strict=True):
            until(f"{url} ready", lambda url=url, process=process: _ready(url, process), 60.0)
        yield urls
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(60)
        log.close()


def _ready(url: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the replica ended by itself; see logs/replicas.log"
    try:
        return httpx.get(f"{url}/readyz", trust_env=False, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
