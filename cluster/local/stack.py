"""Start, find again and stop the local stack.

`up` starts what is not running, side by side, and keeps what is healthy and was started by the same plan; data, secrets
and ports are found again in the home. `down` ends the processes noted in `stack.json` and nothing else: Ray, then
our own programs, then the servers they use. What belongs to a stack is its kind: complete with Ray, the servers alone,
light (the API and the relay as processes in place of Ray), or reduced (only what answers and hears other regions).
A note is written as soon as a process exists, so that an interrupted `up` leaves nothing that `down` does not know of.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cluster import importer, sandbox
from cluster.local import configuration, learner_page, machine, mesh, ports, ray_head
from cluster.local.apps import Edge, Neighbours
from cluster.local.errors import LocalStackError, part_failed
from cluster.local.home import Home, read_json, tail, write_json
from cluster.local.keys import Keys
from cluster.local.nats import Nats
from cluster.local.part import Part, Site, environment
from cluster.local.postgres import Postgres
from cluster.local.processes import Started, memory_bytes, spawn, stop
from cluster.local.programs import Api, Relay
from cluster.local.s3 import S3
from cluster.settings import Settings
from cluster.topology import POOLS
from content.errors import ContentError

Progress = Callable[[str], None]
SERVERS: tuple[Part, ...] = (Postgres(), Nats(), S3(), Keys())
APPS: tuple[Part, ...] = (Edge(), Neighbours())
BASE: tuple[Part, ...] = (*SERVERS, *APPS)
RAY = ray_head.RayHead()
SERVE = ray_head.ServeApps()
PARTS: tuple[Part, ...] = (*BASE, RAY, SERVE)
PROGRAMS: tuple[Part, ...] = (Api(), Relay())
KINDS: dict[str, tuple[Part, ...]] = {
    "complete": PARTS,
    "servers": BASE,
    "light": (*BASE, *PROGRAMS),
    "reduced": (SERVERS[0], SERVERS[1], *PROGRAMS),
}
MESH = mesh.Mesh()
EVERY: tuple[Part, ...] = (*PARTS, *PROGRAMS, MESH)
SERVICES = (*(pool.name for pool in POOLS), "content-render", "content-deployer")
OTHER_LOGS = ("edge-access", *SERVICES)
"""Logs that are no part's own: the edge's access log, and those of the service's processes (setting `log_folder`)."""
HEALTH_PATIENCE_S = 20.0
TRIES = 3
"""How often `up` begins anew where, between the choice of a port and its use, somebody else took it."""


@dataclass(frozen=True)
class Running:
    """What `stack.json` notes of a part. `start_s`: from the command to the end of its set-up."""

    pid: int
    created: float
    fingerprint: str
    start_s: float = 0.0

    @property
    def started(self) -> Started:
        return Started(self.pid, self.created)


@dataclass(frozen=True)
class PartStatus:
    """One line of `status`. Health is `ok`, `stopped`, or why it does not serve; memory in bytes over all its processes."""

    part: str
    version: str
    address: str
    health: str
    pss_bytes: int = 0
    rss_bytes: int = 0
    pid: int | None = None
    start_s: float = 0.0


@dataclass(frozen=True)
class StackInfo:
    """A stack that is up: where things are, how long each part took (seconds), what the machine lacks."""

    home: Path
    settings: Settings
    addresses: Mapping[str, str]
    start_s: Mapping[str, float]
    total_s: float
    kept: tuple[str, ...]
    warnings: tuple[str, ...]


class Stack:
    """The stack that lives in a folder."""

    def __init__(self, home: Path) -> None:
        self.home = Home(home)
        self._noting = threading.Lock()

    # -- up -------------------------------------------------------------------------------------------------------

    def up(
        self,
        progress: Progress | None = None,
        *,
        ray: bool = True,
        kind: str = "",
        before_ray: Callable[[Settings], None] | None = None,
        overrides: Mapping[str, Any] | None = None,
        mtls: bool | None = None,
    ) -> StackInfo:
        """Start what is not running. Raises LocalStackError naming the first part that does not come up.

        `kind` is one of KINDS; without it, complete or (without `ray`) the servers alone. `before_ray` is called with the settings once everything but Ray is healthy (migrations, first tenant).
        `mtls` has its parts speak by mTLS (docs/mesh.md), or no longer; without a word it stays as it was.
        `overrides` are settings that outrank the stack's; they are kept for later calls.
        """
        tell, began = progress or (lambda _: None), time.monotonic()
        kind = kind or ("complete" if ray else "servers")
        self.home.prepare()
        with self.home.locked():
            self._choose(mtls)
            for left in reversed(range(TRIES)):
                try:
                    return self._up(tell, began, kind, before_ray, overrides or {})
                except LocalStackError as error:
                    if error.code != "port-taken" or not left:
                        raise
                    tell(f"note: another program took a port of {error.part}: beginning anew with another one")
        raise AssertionError("unreachable")

    def _up(
        self,
        tell: Progress,
        began: float,
        kind: str,
        before_ray: Callable[[Settings], None] | None,
        overrides: Mapping[str, Any],
    ) -> StackInfo:
        warnings = machine.check(self.home.path)
        parts = self._parts(kind)
        base, ray = [part for part in parts if part in BASE or part is MESH], RAY in parts
        if kind != "servers":
            self._end_others(parts, tell)
        site = self._site(overrides)
        self._note(kind=kind)
        warnings += machine.check_sandbox(configuration.load_settings(self.home.path))
        for warning in warnings:
            tell(f"note: {warning}")
        kept = [part.name for part in parts if self._is_kept(part, site)]
        if RAY.name not in kept and SERVE.name in kept:
            kept.remove(SERVE.name)
        settings = configuration.load_settings(self.home.path)
        # Ray takes longest to start and needs none of the others; the deployer meanwhile imports what it binds.
        later = [part for part in ((RAY, SERVE) if ray else ()) if part.name not in kept]
        ray_head.hold(site)
        with ThreadPoolExecutor(1) as beside:
            coming = beside.submit(self._start_together, later, site, tell)
            try:
                self._start_together([part for part in base if part.name not in kept], site, tell)
                set_up_s = self._set_up(settings, before_ray, tell)
            except BaseException:
                ray_head.let_go(site, "stop")
                raise
            ray_head.let_go(site)
            coming.result()
            self._start_together([part for part in parts if part in PROGRAMS and part.name not in kept], site, tell)
        start_s = {name: running.start_s for name, running in self._noted().items()} | set_up_s
        return StackInfo(
            self.home.path, settings, self._addresses(site, parts), start_s, time.monotonic() - began, tuple(kept), tuple(warnings)
        )  # fmt: skip

    def _choose(self, mtls: bool | None) -> None:
        state = read_json(self.home.state)
        if mtls is None or mtls == bool(state.get("mtls")):
            return
        if any(self._alive(running) for running in self._noted(state).values()):
            raise LocalStackError(
                "stack-running",
                "A stack that runs cannot begin or end to speak by mTLS.",
                "Run `content-service down` first.",
            )
        self._note(mtls=mtls)

    def _parts(self, kind: str) -> tuple[Part, ...]:
        """What belongs to a stack of this kind; under mTLS the mesh's doors, too."""
        return (*KINDS[kind], MESH) if read_json(self.home.state).get("mtls") else KINDS[kind]

    def rotate(self, *, authority: bool = False) -> list[str]:
        """New certificates for everybody, by a new authority if it is said; running parts read them. Returns who was told.

        Raises LocalStackError `stack-unknown`, `no-mtls`.
        """
        with self.home.locked():
            site, told = self._known_site(), list[str]()
            if not site.mtls:
                raise LocalStackError("no-mtls", "This stack does not speak by mTLS.", "Start it with `up --mtls`.")
            site.authority.rotate(mesh.IDENTITIES, authority=authority)
            for part in EVERY:
                note = self._noted().get(part.name)
                if part.reload is not None and self._alive(note):
                    assert note is not None
                    part.renew(site)
                    os.kill(note.pid, part.reload)
                    told.append(part.name)
            return told

    def ports(self) -> Mapping[str, int]:
        """The ports this stack will be started with, chosen now where it has none yet."""
        self.home.prepare()
        with self.home.locked():
            return self._site({}).ports

    def _end_others(self, parts: Sequence[Part], tell: Progress) -> None:
        """End what runs here and is no part of this kind of stack: it would hold the port of what takes its place."""
        if self.home.state.exists():
            site = self._known_site()
            for part in EVERY:
                if part not in parts:
                    self._stop(part, site, tell)

    def _site(self, overrides: Mapping[str, Any]) -> Site:
        """Ports (kept, or chosen where new or taken by somebody else), secrets, and `settings.json` written from them."""
        state = read_json(self.home.state)
        known: dict[str, int] = state.get("ports", {})
        running = self._noted(state)
        wanted = dict.fromkeys(port for part in (*PARTS, MESH) for port in part.ports)
        alive = {port for part in EVERY if self._alive(running.get(part.name)) for port in part.ports}
        if RAY.name in running and self._alive(running[RAY.name]):
            alive |= {"api", "api_inside"}
        foreign = self.home.reserved_by_others()
        good = {
            name: port for name, port in known.items() if name in alive or (port not in foreign and ports.is_free(port))
        }
        fresh = ports.choose([name for name in wanted if name not in good], foreign | set(good.values()))
        chosen = good | fresh
        self.home.reserve(chosen.values())
        kept_overrides = {**state.get("overrides", {}), **overrides}
        site = Site(self.home, chosen, configuration.ensure_secrets(self.home), mtls=bool(state.get("mtls")))
        if site.mtls:
            site.authority.ensure(mesh.IDENTITIES)
        configuration.tell_neighbours(site)
        document = configuration.settings_of(site, kept_overrides)
        write_json(self.home.settings, document)
        self._note(ports=chosen, overrides={name: document[name] for name in kept_overrides})
        return replace(site, settings_digest=_digest(document))

    def _is_kept(self, part: Part, site: Site) -> bool:
        running = self._noted().get(part.name)
        if running is None or running.started.process() is None or running.fingerprint != part.plan(site).fingerprint():
            return False
        deadline = time.monotonic() + HEALTH_PATIENCE_S
        while part.unhealthy(site) is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def _start_together(self, parts: Sequence[Part], site: Site, tell: Progress) -> None:
        if not parts:
            return
        with ThreadPoolExecutor(len(parts)) as pool:
            futures = [(part, pool.submit(self._start, part, site, tell)) for part in parts]
        failed = [error for _, future in futures if (error := future.exception()) is not None]
        if failed:
            raise failed[0]

    def _start(self, part: Part, site: Site, tell: Progress) -> None:
        began = time.monotonic()
        previous = self._noted().get(part.name)
        if previous is not None:  # dead, unhealthy, or started by another plan
            stop(previous.started, part.ask, part.patience_s)
        try:
            part.before_start(site)
            plan = part.plan(site)
            started = spawn(
                part.name, plan.argv, self.home.log(part.name), environment(plan.env), plan.cwd or self.home.path
            )
            running = Running(started.pid, started.created, plan.fingerprint())
            self._note_part(part.name, running)
            self._await_health(part, site, started)
            part.set_up(site)
        except LocalStackError:
            raise
        except Exception as error:
            raise part_failed(part.name, f"{type(error).__name__}: {error}", self.home.log_end(part.name)) from error
        running = replace(running, start_s=round(time.monotonic() - began, 2))
        self._note_part(part.name, running)
        tell(f"{part.name:<12}{running.start_s:5.1f} s   {part.address(site)}")

    def _await_health(self, part: Part, site: Site, started: Started) -> None:
        deadline = time.monotonic() + part.deadline_s
        while (problem := part.unhealthy(site)) is not None:
            if started.process() is None:
                raise part_failed(part.name, "its process ended.", self.home.log_end(part.name))
            if time.monotonic() > deadline:
                raise part_failed(
                    part.name,
                    f"after {part.deadline_s:.0f} s it still is not ready: {problem}.",
                    self.home.log_end(part.name),
                )
            time.sleep(0.03)

    def _set_up(
        self, settings: Settings, before_ray: Callable[[Settings], None] | None, tell: Progress
    ) -> dict[str, float]:
        if before_ray is None:
            return {}
        began = time.monotonic()
        before_ray(settings)
        seconds = round(time.monotonic() - began, 2)
        tell(f"{'set-up':<12}{seconds:5.1f} s")
        return {"set-up": seconds}

    # -- down, status, logs ---------------------------------------------------------------------------------------

    def down(self, progress: Progress | None = None) -> list[str]:
        """Stop what this stack started, in reverse order; returns the parts that were running. Data stays."""
        if not self.home.state.exists():
            return []
        tell, stopped = progress or (lambda _: None), list[str]()
        with self.home.locked():
            site = self._known_site()

            def stop_one(part: Part) -> None:
                if self._stop(part, site, tell):
                    stopped.append(part.name)

            for together in (RAY, SERVE, *PROGRAMS, MESH), APPS, SERVERS:  # who uses others goes before them
                with ThreadPoolExecutor(len(together)) as pool:
                    list(pool.map(stop_one, together))
            self.home.drop_short_folder()
        return stopped

    def _stop(self, part: Part, site: Site, tell: Progress) -> bool:
        """Stop a part that was noted; whether it was running."""
        note = self._noted().get(part.name)
        if note is None:
            return False
        was_running = self._alive(note)
        if was_running:
            gently = stop(note.started, part.ask, part.patience_s)
            tell(f"{part.name:<12}stopped" + ("" if gently else " by force"))
        with suppress(OSError):
            part.after_stop(site)
        self._note_part(part.name, None)
        return was_running

    def status(self) -> list[PartStatus]:
        """Every part, asked now. Raises LocalStackError `stack-unknown` where no stack was ever started."""
        site, running = self._known_site(), self._noted()
        kind = read_json(self.home.state).get("kind", "complete")
        parts = self._parts(kind if kind in ("light", "reduced") else "complete")
        with ThreadPoolExecutor(len(parts)) as pool:
            return list(pool.map(lambda part: self._status_of(part, site, running.get(part.name)), parts))

    def sandbox(self) -> PartStatus:
        """Where media are decoded, as a line of `status`."""
        try:
            used = sandbox.backend(configuration.load_settings(self.home.path))
        except ContentError as error:
            return PartStatus("sandbox", "", "", f"{error.message} {error.remedy}")
        health = "unsafe: media are decoded without one" if used == "none" else "ok"
        return PartStatus("sandbox", sandbox.find(used).version if used != "none" else "", used, health)

    def importer(self) -> PartStatus:
        """Where packages of others are read, as a line of `status`: as it says itself."""
        settings = configuration.load_settings(self.home.path)
        if not self._alive(self._noted().get(SERVE.name)):
            return PartStatus("importer", "", settings.importer_url, "stopped")
        try:
            found = asyncio.run(importer.status(settings))
        except ContentError as error:
            return PartStatus("importer", "", settings.importer_url, error.message)
        health = "ok" if found["works"] else f"{found['sandbox']} {found['remedy']}".strip()
        if found["sandbox"] == "none":
            health = "unsafe: packages are read without a sandbox"
        told = f"{found['sandbox']} {found['version']}".strip() if found["works"] else ""
        return PartStatus("importer", told, settings.importer_url, health)

    def _status_of(self, part: Part, site: Site, note: Running | None) -> PartStatus:
        version, address = part.version(site), part.address(site)
        if note is None or note.started.process() is None:
            return PartStatus(part.name, version, address, "stopped" if note is None else "ended by itself")
        pss, rss = memory_bytes(note.started)
        return PartStatus(part.name, version, address, part.unhealthy(site) or "ok", pss, rss, note.pid, note.start_s)

    def logs(self, part: str, *, lines: int = 50, follow: bool = False) -> Iterator[str]:
        """The last lines of a part's log, then, with `follow`, what is added until the caller stops."""
        known = (*(p.name for p in EVERY), *OTHER_LOGS)
        if part not in known:
            raise LocalStackError("unknown-part", f"There is no part {part!r}.", f"There are: {', '.join(known)}.")
        path = self.home.logs / "edge-access.jsonl" if part == "edge-access" else self.home.log(part)
        if not path.exists():
            raise LocalStackError(
                "no-log", f"{part} has no log below {self.home.path}.", "Run `content-service up` first."
            )
        yield from tail(path, lines).splitlines()
        if follow:
            yield from _followed(path)

    def _addresses(self, site: Site, parts: Sequence[Part]) -> dict[str, str]:
        ray = RAY in parts
        addresses = {part.name: address for part in parts if part != SERVE and (address := part.address(site))}
        pages = {"api": site.url("api"), "dashboard": site.url("ray_dashboard")}
        return addresses | ({**pages, "learner": f"{site.url('neighbours')}{learner_page.PATH}/"} if ray else {})

    # -- stack.json -----------------------------------------------------------------------------------------------

    def _known_site(self) -> Site:
        state = read_json(self.home.state)
        if not state:
            raise LocalStackError(
                "stack-unknown",
                f"No stack was ever started in {self.home.path}.",
                "Run `content-service up` first, or name its --home.",
            )
        return Site(
            self.home,
            state.get("ports", {}),
            configuration.ensure_secrets(self.home),
            _digest(read_json(self.home.settings)),
            bool(state.get("mtls")),
        )

    def _noted(self, state: Mapping[str, Any] | None = None) -> dict[str, Running]:
        noted = (read_json(self.home.state) if state is None else state).get("parts", {})
        return {name: Running(**note) for name, note in noted.items()}

    def _alive(self, note: Running | None) -> bool:
        return note is not None and note.started.process() is not None

    def _note(self, **changes: Any) -> None:
        with self._noting:
            write_json(self.home.state, {**read_json(self.home.state), **changes})

    def _note_part(self, name: str, running: Running | None) -> None:
        with self._noting:
            state = read_json(self.home.state)
            parts = {**state.get("parts", {}), name: asdict(running) if running else None}
            write_json(self.home.state, {**state, "parts": {key: note for key, note in parts.items() if note}})


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def _followed(path: Path) -> Iterator[str]:
    with path.open(errors="replace") as file:
        file.seek(0, 2)
        while True:
            line = file.readline()
            if line:
                yield line.rstrip("\n")
            else:
                time.sleep(0.2)
