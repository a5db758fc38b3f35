"""How soon a bad version is found, and how many requests it has hurt by then: one kind of badness after the other.

Two versions of the application as processes, the local gateway, a load through it, and a Prometheus that scrapes once a second (the
real one where there is a binary). The promoter looks every second, with the objectives of production and soak times that
no bad version lives to see; in production it looks every 15 s and Prometheus scrapes every 15 s, so some 20 s are added.
A request is hurt if its answer is a 5xx, another manifest than was published, or slower than half a second.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench.results import Result, fact
from cluster.local.stack import Stack
from cluster.release.decision import Begin, RollBack
from cluster.settings import Settings
from tests.support.failpoints import Failpoints
from tests.support.light import Light
from tests.support.populated import Populated
from tests.support.prometheus import REAL
from tests.support.versions import QUICK, two_versions

KINDS = {
    "every 2nd a 500": "errors:2",
    "every 20th a 500": "errors:20",
    "0.6 s slower": "slow:0.6",
    "every manifest wrong": "manifests:1",
    "the manifest of every 19th version wrong": "manifests:19",
    "a member lost": "lost",
}
VERSIONS = 38
"""So many that some are of every 19th."""
WARM_S = 5.0


def measure(home: Path, settings: Settings) -> list[Result]:
    found: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="content-canary-") as folder:
        running = Light(Stack(home), settings, Failpoints(Path(folder)), Path(folder))
        with ExitStack() as ended:
            ended.callback(running.end)
            running.serve()
            versions = ended.enter_context(two_versions(Populated(running, versions=VERSIONS), Path(folder)))
            sys.stderr.write(f"  Prometheus: {REAL or 'the stand-in'}\n")
            for name, badness in KINDS.items():
                versions.reset()
                plan = replace(QUICK, steps=tuple(replace(step, soak_s=120.0) for step in QUICK.steps))
                with versions.load() as load, versions.promoter(plan, per_look=8) as promoter:
                    time.sleep(WARM_S)
                    versions.be(badness)
                    load.met.clear()
                    began, looked = time.monotonic(), promoter.look(again=True)
                    assert isinstance(looked.decision, Begin)
                    while not looked.ended:
                        time.sleep(1.0)
                        looked = promoter.look()
                    took_s = time.monotonic() - began
                    assert isinstance(looked.decision, RollBack), looked
                found += [
                    fact(f"canary: {name}: found after", took_s, "s"),
                    fact(f"canary: {name}: requests hurt", load.hurt(), "requests"),
                    fact(f"canary: {name}: of all requests meanwhile", 100 * load.hurt() / max(load.total, 1), "%"),
                ]
                sys.stderr.write(f"  {name}: {took_s:.1f} s, {load.hurt()} of {load.total}; {looked.decision.reason}\n")
    return found
