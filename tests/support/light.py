"""A stack without Ray, whose API and workers are processes of the test's own: up in seconds, each to be frozen or killed.

What needs no rendering runs here: texts are built, bundled, relayed by the same classes that Serve runs as replicas.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from cluster.local.home import read_json
from cluster.local.ports import choose
from cluster.local.stack import Stack
from tasks.bootstrap import prepare
from tests.support.failpoints import Failpoints
from tests.support.running import LEASE_S, Running
from tests.support.s3_proxy import S3Proxy
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
ADDRESS_S = 15
"""How long the importer's addresses work here: so short that they expire while a test waits."""


class Worker:
    """One process. Whatever a test does to it, `end` leaves nothing of it."""

    def __init__(self, argv: list[str], env: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(argv, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def freeze(self) -> None:
        """Stop it where it is, with all its connections open, as a swapped-out or paused machine does."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(60)

    def at_work(self) -> Worker:
        """Wait until it works: a signal before that would find nobody who minds it."""
        until("at work", lambda: "\nat work\n" in f"\n{self.log()}", 150.0, self.log)
        return self

    def leave(self, patience_s: float = 60.0) -> int:
        """Ask it to go, as a roll-out does, and wait until it has; its exit code."""
        self._process.terminate()
        return self._process.wait(patience_s)

    def end(self) -> None:
        if self._process.poll() is None:
            self.thaw()
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


class Light(Running):
    """A running stack without Ray."""

    def __init__(self, stack: Stack, settings: Any, failpoints: Failpoints, media: Path) -> None:
        super().__init__(stack, settings, failpoints, media)
        self._workers: list[Worker] = []
        self._api: Worker | None = None
        self.proxy: S3Proxy | None = None

    def port(self, name: str) -> int:
        return int(read_json(self.home.state)["ports"][name])

    def worker(self, kind: str, *, clock_ahead_s: float = 0.0, root: Path = ROOT) -> Worker:
        """Start a relay, builder, bundler or exporter, of the code in `root`."""
        env = {"CLOCK_AHEAD_S": str(clock_ahead_s)}
        return self._start(["-m", "tests.support.worker_process", kind], kind, env, root)

    def importer(self, *, awaited: bool = True, **env: str) -> Worker:
        """Start the importer, on a port of its own, and wait until it answers, unless that is not `awaited`."""
        worker = self._start(["-m", "tests.support.worker_process", "importer"], "importer", env)
        if awaited:
            until("the importer answering", self._imports, 60.0, worker.log)
        return worker

    def _imports(self) -> bool:
        with suppress(httpx.HTTPError):
            httpx.get(f"{self.settings.importer_url}/status", trust_env=False, timeout=5)
            return True
        return False

    def serve(self, root: Path = ROOT) -> Worker:
        """Start the API, of the code in `root`, and wait until it answers; one that runs is ended before."""
        if self._api is not None:
            self._api.end()
        url = urlsplit(self.settings.api_url)
        argv = [
            "-m",
            "uvicorn",
            "serve_app.api:create_app",
            "--factory",
            "--port",
            str(url.port),
            "--log-level",
            "warning",
        ]
        self._api = worker = self._start(argv, "api", {}, root)
        self._workers.remove(worker)
        until("the API answering", self._alive, 180.0, worker.log)
        return worker

    def _alive(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.settings.api_url}/livez", trust_env=False, timeout=2).status_code == 200
        return False

    def _start(self, argv: list[str], name: str, env: dict[str, str], root: Path = ROOT) -> Worker:
        known = {**os.environ, **env, "CONTENT_SETTINGS": str(self.home.settings), "PYTHONPATH": str(root)}
        log = self.home.logs / f"light-{name}-{time.monotonic_ns()}.log"
        # -P: not the current folder, which holds the code of now.
        worker = Worker([sys.executable, "-P", *argv], known, log)
        self._workers.append(worker)
        return worker

    def end(self) -> None:
        self.end_workers()
        if self._api is not None:
            self._api.end()

    def kill_all(self) -> None:
        """Workers and API at once, as when the machine dies."""
        for worker in (*self._workers, *([self._api] if self._api else [])):
            worker.kill()
        self._workers.clear()
        self._api = None

    def end_workers(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def start_part(self) -> None:
        """Start again what was stopped; everything else goes on running."""
        # The port of the API is in use by our own: without Ray the stack would choose another.
        info = self.stack.up(ray=False, overrides={"api_url": self.settings.api_url})
        assert info.settings == self.settings, "a part came back elsewhere"


@contextmanager
def light(home: Path, media: Path, **overrides: Any) -> Iterator[Light]:
    """Up at the beginning, down at the end whatever happens; the API runs, workers are started by the test."""
    folder = home / "failpoints"
    folder.mkdir(parents=True, exist_ok=True)
    stack = Stack(home)
    proxy = S3Proxy(lambda: int(read_json(stack.home.state)["ports"]["s3"]))
    proxy.start()
    try:
        given = {
            "event_log_every_s": 0.5,
            "uses_flush_s": 0.5,  # what a test read is not written when another one has begun
            "failpoints": str(folder),
            "lease_s": LEASE_S,
            "drain_s": 5.0,
            "s3_endpoint": proxy.url,
            **overrides,
        }
        port = choose(["importer"], stack.home.reserved_by_others())["importer"]
        given |= {"importer_url": f"http://127.0.0.1:{port}/importer", "importer_url_ttl_s": ADDRESS_S}
        info = stack.up(before_ray=prepare, ray=False, overrides=given)
        running = Light(stack, info.settings, Failpoints(folder), media)
        running.proxy = proxy
        try:
            running.serve()
            yield running
        finally:
            running.failpoints.clear()
            running.end()
    finally:
        stack.down()
        proxy.stop()
