"""Two versions of the API side by side, a gateway in front of them, a load on it, and a Prometheus that scrapes both.

The versions are processes of the real application on the stack's own parts (`version_process`); the second one can be made
bad. Shared with `bench/canary.py`.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from cluster.local.home import Home
from cluster.local.identity import mint_token
from cluster.local.ports import choose
from cluster.release.local_gateway import LocalGateway
from cluster.release.plan import Objectives, Plan, Step
from cluster.release.prometheus import HttpPrometheus
from cluster.release.promoter import Looked, Promoter
from cluster.release.shadow import Shadow
from tests.support.populated import Populated
from tests.support.prometheus import REAL, prometheus
from tests.support.waiting import until

TRACKS = ("stable", "canary")
ANSWERED = "ray_content_http_seconds_count"
QUICK = Plan(
    steps=(Step(10, 3.0), Step(50, 3.0), Step(100, 3.0)), window_s=30.0, patience_s=90.0, blind_s=30.0,
    objectives=Objectives(least_requests=30, least_compared=8),
)  # fmt: skip
"""A release in seconds: the objectives as they are, with less traffic for a verdict."""


@dataclass
class Load:
    """What callers met: answers by version and whether they were right, since `begin`."""

    met: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    def hurt(self, by: str = "canary") -> int:
        """Answers of a version that were wrong: 5xx, another manifest than was published, or slower than half a second."""
        return sum(count for (version, how), count in self.met.items() if version == by and how != "right")

    def wrong(self, by: str) -> int:
        """The same without those that were merely slow, which on a busy machine are nobody's fault."""
        return sum(
            count for (version, how), count in self.met.items() if version == by and how not in ("right", "slow")
        )

    @property
    def total(self) -> int:
        return sum(self.met.values())


class Versions:
    """Both processes and what stands around them."""

    def __init__(self, tenant: Populated, folder: Path, ports: dict[str, int], badness: Path) -> None:
        self.tenant, self.folder, self.ports, self._badness = tenant, folder, ports, badness
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.prometheus_url = ""

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def be(self, badness: str) -> None:
        """From now on the canary is so."""
        self._badness.write_text(badness)

    def token(self) -> str:
        return mint_token(self.tenant.home, self.tenant.name, ["content:read"], "probe")

    def gateway(self) -> LocalGateway:
        return LocalGateway(self.url("admin"))

    def share(self) -> int:
        return self.gateway().read().share

    @contextmanager
    def promoter(self, plan: Plan = QUICK, per_look: int = 2) -> Iterator[Promoter]:
        shadow = Shadow(self.url("stable"), self.url("canary"), self.token, per_look=per_look)
        asked = HttpPrometheus(self.prometheus_url)
        gateway = self.gateway()
        try:
            yield Promoter(gateway, asked, shadow, plan)
        finally:
            for each in (shadow, asked, gateway):
                each.close()

    def promote(self, plan: Plan = QUICK, every_s: float = 1.0) -> list[Looked]:
        """A release from its beginning to its end; the looks."""
        looks: list[Looked] = []
        with self.promoter(plan) as promoter:
            promoter.run(looks.append, every_s=every_s, again=True)
        return looks

    def reset(self) -> None:
        """The stable version has all the traffic, and nothing is known of a release."""
        self.be("")
        gateway = self.gateway()
        before = gateway.read()
        gateway.write(before, 0, dict.fromkeys(before.annotations, ""))
        self._warm()
        # What a release before this one met must not be scraped when the next one has begun.
        until(
            "all answers scraped",
            lambda: self._scraped() == self._told(),
            30.0,
            lambda: (self._scraped(), self._told()),
        )

    def _warm(self) -> None:
        """Both have what they are asked for: the few first answers of one are not what the two are compared by."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        with httpx.Client(headers=headers, trust_env=False, timeout=30) as http:
            for track, path in itertools.product(TRACKS, self._paths()):
                http.get(self.url(track) + path).raise_for_status()

    def _paths(self) -> list[str]:
        """Manifests of every version."""
        tenant = self.tenant
        return [f"/v1/packages/{tenant.package_id}/versions/{v}/manifest" for v in range(1, tenant.newest + 1)]

    def _scraped(self) -> dict[str, float]:
        """Answers of each version as Prometheus knows them."""
        asked = HttpPrometheus(self.prometheus_url)
        rows = asked.query(f"sum by (track) ({ANSWERED})", datetime.now().astimezone())
        asked.close()
        return {row.labels["track"]: row.value for row in rows}

    def _told(self) -> dict[str, float]:
        """The same as they tell it themselves."""
        found: dict[str, float] = {}
        for track in TRACKS:
            text = httpx.get(f"{self.url(f'{track}-metrics')}/metrics", trust_env=False, timeout=5).text
            samples = (each for family in text_string_to_metric_families(text) for each in family.samples)
            found[track] = sum(each.value for each in samples if each.name == ANSWERED)
        return found

    @contextmanager
    def load(self, threads: int = 3) -> Iterator[Load]:
        """Callers that ask for manifests in turn, each as soon as it has its answer."""
        over, load, paths = threading.Event(), Load(), self._paths()
        headers = {"Authorization": f"Bearer {self.token()}"}
        with httpx.Client(base_url=self.url("stable"), headers=headers, trust_env=False) as http:
            right = {path: http.get(path).raise_for_status().content for path in paths}

        def ask() -> None:
            with httpx.Client(base_url=self.url("gateway"), headers=headers, trust_env=False, timeout=30) as http:
                for path in itertools.cycle(paths):
                    if over.is_set():
                        return
                    began = time.monotonic()
                    answer = http.get(path)
                    how = "right" if answer.content == right[path] else "wrong"
                    if answer.status_code >= 500:
                        how = "error"
                    elif time.monotonic() - began > 0.5:
                        how = "slow"
                    load.met[answer.headers["x-served-by"], how] += 1
                    over.wait(0.01)

        started = [threading.Thread(target=ask) for _ in range(threads)]
        for thread in started:
            thread.start()
        try:
            yield load
        finally:
            over.set()
            for thread in started:
                thread.join()

    def start_version(self, track: str) -> None:
        """A process of the application, as `track`."""
        badness = {"BADNESS": str(self._badness)} if track == "canary" else {}
        self.start(
            track, ["tests.support.version_process", str(self.ports[track])], CONTENT_RELEASE=f"of-{track}",
            CONTENT_RELEASE_TRACK=track, CONTENT_METRICS_PORT=str(self.ports[f"{track}-metrics"]),
            CONTENT_TENANT_REQUESTS_PER_MINUTE="1000000", **badness,
        )  # fmt: skip

    def ready(self, *names: str) -> None:
        for name in names:
            until(f"{name} ready", lambda name=name: self.answers(name), 90.0)

    def start(self, name: str, argv: list[str], **env: str) -> None:
        home: Home = self.tenant.running.home
        environment = {
            **os.environ,
            "CONTENT_SETTINGS": str(home.settings),
            "BADNESS": str(self.folder / "none"),
            "PYTHONFAULTHANDLER": "1",
            **env,
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *argv], env=environment, stdout=log, stderr=log,
                cwd=Path(__file__).resolve().parents[2],
            )  # fmt: skip

    def ended(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Wait for one that was told to end; where it does not, what its threads were doing is told."""
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # PYTHONFAULTHANDLER writes where it stood
            process.wait(30)
            raise AssertionError(f"{name} did not end:\n{(self.folder / f'{name}.log').read_text()[-4000:]}") from None

    def answers(self, name: str) -> bool:
        assert self.processes[name].poll() is None, (self.folder / f"{name}.log").read_text()[-2000:]
        try:
            return httpx.get(f"{self.url(name)}/readyz", trust_env=False, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def two_versions(tenant: Populated, folder: Path, kind: str = "real" if REAL else "stand-in") -> Iterator[Versions]:
    """Up and ready; all of it ends with the block."""
    names = ["stable", "canary", "stable-metrics", "canary-metrics", "gateway", "admin"]
    ports = choose(names, tenant.running.home.reserved_by_others())
    found = Versions(tenant, folder, ports, folder / "badness")
    found.be("")
    try:
        for track in TRACKS:
            found.start_version(track)
        found.start(
            "gateway",
            [
                "cluster.local.gateway", "--port", str(ports["gateway"]), "--admin-port", str(ports["admin"]),
                "--stable", found.url("stable"), "--canary", found.url("canary"), "--file", str(folder / "gateway.json"),
            ],
        )  # fmt: skip
        found.ready(*TRACKS, "gateway")
        with prometheus(kind, {track: ports[f"{track}-metrics"] for track in TRACKS}, folder) as url:
            found.prometheus_url = url
            asked, at = HttpPrometheus(url), datetime.now
            until("both scraped", lambda: _scraped(asked, at().astimezone()), 30.0)
            asked.close()
            yield found
    finally:
        for process in found.processes.values():
            process.terminate()
        for name, process in found.processes.items():
            found.ended(name, process)


def _scraped(asked: Any, now: datetime) -> bool:
    """Both tell numbers of their own: the stable version has answered `/readyz` at least."""
    rows = asked.query(f"sum by (track) ({ANSWERED})", now)
    return {row.labels.get("track") for row in rows} == set(TRACKS)
