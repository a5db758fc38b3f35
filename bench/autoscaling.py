"""From an enrolment spike to the full bundler pool and back, and the API by its CPU, on a node for each replica.

`make autoscaling-demo` plays it and draws `docs/pictures/autoscaling.svg`. The pools' bounds are narrower than the table's,
and calm is short, so that it fits two cores and some minutes; what a replica asks, what a node has, when one more is wanted
and the code that decides are production's.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import dropwhile
from pathlib import Path

import httpx

from bench.course import draft, image_block, picture, publish, published
from bench.enrolment import register
from bench.nodes import Nodes, State, nodes
from bench.results import Result, fact
from bench.stack import new_tenant
from cluster.connections import Connections
from cluster.database import fetch_one
from cluster.local.home import Home, read_json, write_json
from cluster.local.identity import mint_token
from cluster.settings import Settings
from cluster.topology import BUNDLER
from tasks import claims

BOUNDS: Mapping[str, tuple[int, int]] = {
    "content-api": (1, 3),
    "content-builder": (1, 1),
    "content-bundler": (1, 6),
    "content-exporter": (1, 1),
    "content-outbox-relay": (1, 1),
}
CALM_S = 30.0
SPIKE, CALLERS, UNLIMITED = 6000, 12, 1_000_000
LOOK_S = 1.0
DEADLINE_S = 300.0


@dataclass(frozen=True)
class Look:
    """What there was at one moment; seconds since the spike."""

    at_s: float
    depth: int
    state: State


@dataclass
class Course:
    """Looks, marks and figures of one run, as they come."""

    began: float = field(default_factory=time.monotonic)
    looks: list[Look] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    decisions: list[str] = field(default_factory=list)
    node_events: list[str] = field(default_factory=list)

    def now(self) -> float:
        return time.monotonic() - self.began

    def mark(self, text: str) -> float:
        at = self.now()
        self.marks.append((at, text))
        sys.stderr.write(f"  {at:6.1f} s  {text}\n")
        return at


def measure(home: Path, settings: Settings) -> list[Result]:
    played = play(home, settings)
    return [fact(f"autoscaling: {name}", value, unit(name)) for name, value in played.figures.items()]


def unit(name: str) -> str:
    """What a figure of this name counts."""
    return next((what for what in ("bundles", "requests") if name.startswith(what)), "s")


def play(
    home: Path,
    settings: Settings,
    *,
    spike: int = SPIKE,
    bounds: Mapping[str, tuple[int, int]] = BOUNDS,
    run: Course | None = None,
) -> Course:
    """The whole scenario, noted in `run` as it goes. Raises AssertionError where a bundle was lost or doubled, TimeoutError
    where nothing moves."""
    noted = run or Course()
    file = production_settings(home, bounds)
    with nodes(file, bounds, Home(home).reserved_by_others(), home / "logs" / "nodes.log") as cluster:
        cluster.deploy(list(bounds))
        try:
            asyncio.run(_play(noted, home, settings, cluster, spike, bounds))
        finally:
            noted.decisions, noted.node_events = cluster.decisions(), cluster.node_events()
    return noted


def production_settings(home: Path, bounds: Mapping[str, tuple[int, int]]) -> Path:
    """The stack's settings in the profile of production, where replicas take CPUs and the units of their pools."""
    path = home / "production.json"
    own = read_json(Home(home).settings)
    own |= {"profile": "production", "learner_origin": "", "pool_bounds": dict(bounds), "calm_s": CALM_S}
    write_json(path, own)
    return path


async def _play(
    run: Course, home: Path, settings: Settings, cluster: Nodes, spike: int, bounds: Mapping[str, tuple[int, int]]
) -> None:
    connections = await Connections.open(settings)
    watching = asyncio.create_task(_watch(run, cluster, connections))
    try:
        await _until(run, lambda last: dict(last.state.nodes) == {name: least for name, (least, _) in bounds.items()})
        tenant = await new_tenant(connections)
        async with connections.db.tenant(tenant) as tx:
            await tx.execute(
                b"update tenants set limits = limits || jsonb_build_object('requests_per_minute', %s::bigint)",
                [UNLIMITED],
            )
        await register(connections, tenant, spike)
        course = await _enrolled(connections, tenant, spike)
        await _spike(run, cluster, home, connections, tenant, course, spike, bounds[BUNDLER.name])
        await _load(run, cluster, home, tenant, bounds["content-api"])
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await connections.close()


async def _watch(run: Course, cluster: Nodes, connections: Connections) -> None:
    while True:
        async with connections.ops.connection() as connection:
            depth = await claims.depth(connection)
        state = await asyncio.to_thread(cluster.state)
        run.looks.append(Look(run.now(), depth, state))
        await asyncio.sleep(LOOK_S)


async def _until(run: Course, what: Callable[[Look], bool]) -> Look:
    """The first look of which it is true. Raises TimeoutError with the last one."""
    deadline, seen = time.monotonic() + DEADLINE_S, len(run.looks)
    while time.monotonic() < deadline:
        for look in run.looks[seen:]:
            seen += 1
            if what(look):
                return look
        await asyncio.sleep(0.1)
    raise TimeoutError(f"not in {DEADLINE_S:.0f} s; {run.looks[-1:]}")


async def _enrolled(connections: Connections, tenant: str, count: int) -> str:
    """A course that every registered device's learner is enrolled in, and that there is no package of yet."""
    course = f"awaited-{uuid.uuid4().hex[:6]}"
    async with connections.db.tenant(tenant) as tx:
        await tx.execute(
            b"""insert into enrolments (tenant, enrollment_id, learner_id, course_id)
                select tenant, 'enr-' || device_id, learner_id, %s from devices where tenant = %s""",
            [course, tenant],
        )
    return course


async def _spike(
    run: Course,
    cluster: Nodes,
    home: Path,
    connections: Connections,
    tenant: str,
    course: str,
    spike: int,
    bounds: tuple[int, int],
) -> None:
    """The course that all of them are enrolled in is published, so that all their bundles are due at once; the pool grows to its
    most, works it all off, and falls back with its nodes."""
    least, most = bounds
    folder = home / "bench-media"
    folder.mkdir(exist_ok=True)
    media = {f"p{n}": (picture(folder / f"p{n}.png", n), "image/png") for n in range(3)}
    document = draft("Awaited", [image_block(asset) for asset in media])
    package = await publish(home, tenant, document, media, course, 1)
    await published(connections, tenant, package, 1)
    run.began = time.monotonic()
    run.looks.clear()
    run.mark(f"a course with {spike} learners is published")
    name = BUNDLER.name
    asked = await _until(run, lambda look: look.state.targets[name] == most)
    run.figures["spike to the decision for the full bundler pool"] = asked.at_s
    node = await _until(run, lambda look: look.state.nodes[name] == most)
    run.figures["spike to all bundler nodes"] = node.at_s
    full = await _until(run, lambda look: look.state.replicas[name] == most)
    run.figures["spike to the full bundler pool"] = full.at_s
    run.mark(f"{most} bundlers")
    await _drain_one(run, cluster)
    done = await _until(run, lambda look: look.depth == 0)
    run.figures["spike to drained"] = done.at_s
    run.mark("all bundles made")
    fallen = await _until(run, lambda look: look.state.replicas[name] == least)
    run.figures["drained to the least bundlers"] = fallen.at_s - done.at_s
    gone = await _until(run, lambda look: look.state.nodes[name] == least)
    run.figures["drained to the least bundler nodes"] = gone.at_s - done.at_s
    run.mark(f"{least} bundler, {least} node")
    run.figures["bundles made"] = await bundles_once(connections, tenant, spike)


async def _drain_one(run: Course, cluster: Nodes) -> None:
    """One bundler's pod ends, as `preStop` has it: by the same command. Its work is finished or goes on elsewhere."""
    pod = next(instance for instance, pool in cluster.pods().items() if pool == BUNDLER.name)
    began = run.mark("a bundler's pod is drained")
    environment = {
        **os.environ,
        "RAY_ADDRESS": cluster.gcs_address,
        "RAY_AUTH_MODE": "disabled",
        "PYTHONPATH": str(Path.cwd()),
    }
    argv = [sys.executable, "-m", "actors.drain", "--instance", pod, "--wait-s", "90"]
    drained = await asyncio.to_thread(
        subprocess.run, argv, env=environment, capture_output=True, text=True, check=False
    )
    assert drained.returncode == 0, drained.stderr[-2000:]
    run.figures["preStop of a bundler's pod at work"] = run.mark("it has left") - began


async def bundles_once(connections: Connections, tenant: str, spike: int) -> int:
    """Nothing lost and nothing doubled: as many ready bundles, devices, licences, and events that sync-service heard, as there
    were enrolments; and each event of a bundle of its own."""
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(
            tx,
            """select count(*) as rows, count(*) filter (where state = 'ready') as ready,
                      count(distinct (device_id, package_id)) as devices,
                      (select count(*) from licences) as licences,
                      (select count(distinct bundle_id) from licences) as licensed
               from bundles""",
        )
    found, deadline = {**(row or {}), "told": 0}, time.monotonic() + DEADLINE_S
    while found["told"] < spike and time.monotonic() < deadline:
        events = await asyncio.to_thread(_heard, connections.settings, tenant)
        found |= {"told": len(events), "subjects": len(set(events.values()))}
        await asyncio.sleep(1)
    assert set(found.values()) == {spike}, found
    return spike


def _heard(settings: Settings, tenant: str) -> dict[str, str]:
    """Id of each event about a bundle that was published → the bundle."""
    kind = "content.play_package.bundle.published.v1"
    answer = httpx.get(f"{settings.sync_url}/v1/events", params={"subject": kind}, trust_env=False, timeout=60)
    events = [entry["event"] for entry in answer.raise_for_status().json()["events"]]
    return {
        event["id"]: event["data"]["bundle_id"]
        for event in events
        if event["type"] == kind and event["data"]["tenant_id"] == tenant
    }


async def _load(run: Course, cluster: Nodes, home: Path, tenant: str, bounds: tuple[int, int]) -> None:
    """Callers without a pause until the API has grown to its most, then calm."""
    least, most = bounds
    ended, failed = threading.Event(), []
    token = mint_token(home, tenant, ["content:read"], "bench")
    with ThreadPoolExecutor(CALLERS) as pool:
        began = run.mark(f"{CALLERS} callers of the API without a pause")
        calls = [pool.submit(_call, cluster.url, token, ended, failed) for _ in range(CALLERS)]
        try:
            full = await _until(run, lambda look: look.state.replicas["content-api"] == most)
        finally:
            ended.set()
    run.figures["load to the full API pool"] = full.at_s - began
    run.figures["requests answered meanwhile"] = sum(call.result() for call in calls)
    assert not failed, failed[:3]
    calm = run.mark(f"{most} replicas of the API; the callers rest")
    fallen = await _until(run, lambda look: look.state.nodes["content-api"] == least)
    run.figures["calm to the least API nodes"] = fallen.at_s - calm
    run.mark(f"{least} replica of the API, {least} node")


def _call(url: str, token: str, ended: threading.Event, failed: list[str]) -> int:
    """A list of a hundred bundles, again and again: much work for the API, little for whoever asks and for the proxy."""
    answered = 0
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60
    ) as client:
        while not ended.is_set():
            try:
                answer = client.get("/v1/bundles", params={"limit": 100})
                if answer.status_code != 200:
                    failed.append(f"{answer.status_code}")
                answered += 1
            except httpx.HTTPError as error:
                failed.append(repr(error))
    return answered


def decided(run: Course) -> list[str]:
    """Of the controller's log, the lines that say a decision and its reason."""
    return [line for line in run.decisions if " scales from " in line]


def main() -> None:
    """`python -m bench.autoscaling PICTURE`: play it and draw it."""
    import tempfile

    from bench.autoscaling_picture import draw
    from bench.results import keep, show
    from bench.stack import up
    from cluster.local.stack import Stack

    with tempfile.TemporaryDirectory(prefix="content-autoscaling-") as folder:
        home, run = Path(folder) / "home", Course()
        try:
            play(home, up(home, ray=False), run=run)
        finally:  # what was seen of a run that failed says why it did
            Stack(home).down()
            if run.looks:
                Path(sys.argv[1]).write_text(draw(run))
            sys.stderr.writelines(f"  {line}\n" for line in decided(run))
    found = [fact(f"autoscaling: {name}", value, unit(name)) for name, value in run.figures.items()]
    show(found)
    keep(found)
    nodes_told = [line for line in run.node_events if line.startswith(("Adding", "Removing"))]
    # While a node of the beginning is not there yet, it is told again and again.
    nodes_told = list(dropwhile(lambda line: line in nodes_told[: len(BOUNDS)], nodes_told))
    sys.stdout.write(json.dumps({"decisions": decided(run), "nodes": nodes_told}, indent=1) + "\n")


if __name__ == "__main__":
    main()
