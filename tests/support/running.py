"""A stack that is up, as a test sees it: its address and database from outside, its processes, its parts one by one.

`CONTENT_TEST_HOME` names the home of a stack to use again and to leave running: a minute saved while tests are written.
With `CONTENT_TEST_NO_RAY` Ray is left out and one replica of the API runs beside the tests: enough for what builds nothing.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
import pytest
from psycopg.rows import dict_row

from cluster.local.home import Home, read_json, tail
from cluster.local.postgres import DATABASE
from cluster.local.processes import members, stop
from cluster.local.stack import EVERY, Stack
from cluster.local.stack import Running as Note
from cluster.objects import Objects
from cluster.sandbox.slots import FOLDER
from cluster.settings import Settings
from tasks.bootstrap import prepare
from tests.support.failpoints import Failpoints
from tests.support.replicas import replicas
from tests.support.sandboxes import sandboxed
from tests.support.waiting import until

LEASE_S = 6.0
"""Short, so that what a killed worker held is taken over soon; a heartbeat comes every half of it."""
KINDS = ("assets/", "packages/", "withdrawn/", "bundles/", "exports/", "previews/", "imports/")


@contextmanager
def started(factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Up at the beginning, down at the end whatever happens."""
    kept = os.environ.get("CONTENT_TEST_HOME")
    home = Path(kept) if kept else factory.mktemp("running") / "home"
    folder = home / "failpoints"
    folder.mkdir(parents=True, exist_ok=True)
    stack = Stack(home)
    overrides: dict[str, Any] = {"failpoints": str(folder), "lease_s": LEASE_S, "drain_s": 5.0}
    overrides |= {
        "webhook_allow_private": True,
        "webhook_retry_s": [0.2, 0.4],
        "webhook_timeout_s": 20.0,
        "holdings_deadline_s": 20.0,
    }
    overrides |= {"event_log_every_s": 0.5}  # garbage collection waits for the log
    overrides |= {"trace_exporter": "file", "trace_folder": str(home / "traces")}
    ray = not os.environ.get("CONTENT_TEST_NO_RAY")
    try:
        info = stack.up(ray=ray, before_ray=prepare, overrides=overrides)
        found = Running(stack, info.settings, Failpoints(folder), factory.mktemp("media"))
        with nullcontext() if ray else replicas(stack.home, 1, [urlsplit(info.settings.api_url).port or 0]):
            yield found
    finally:
        if not kept:
            stack.down()


class Running:
    """The stack of this run."""

    def __init__(self, stack: Stack, settings: Settings, failpoints: Failpoints, media: Path) -> None:
        self.stack, self.settings, self.failpoints, self.media = stack, settings, failpoints, media
        self.home: Home = stack.home
        self.objects = Objects(settings)
        self._secrets: dict[str, str] = read_json(self.home.keys / "secrets.json")

    # -- what lasts ---------------------------------------------------------------------------------------------------

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows as the superuser sees them: of every tenant, whatever the policies say."""
        with self.superuser() as connection:
            return connection.execute(sql.encode(), parameters or None).fetchall()

    def superuser(self) -> psycopg.Connection[dict[str, Any]]:
        """A connection that no policy binds."""
        port = read_json(self.home.state)["ports"]["postgres"]
        return psycopg.Connection[dict[str, Any]].connect(
            host="127.0.0.1", port=port, user="postgres", password=self._secrets["postgres"], dbname=DATABASE,
            row_factory=dict_row, autocommit=True,
        )  # fmt: skip

    def keys(self) -> set[str]:
        """Every key in the bucket below the prefixes that the service uses."""
        return {key for kind in KINDS for key, _ in self.objects.keys(kind)}

    def heard(self, tenant: str, subject: str | None = None) -> list[dict[str, Any]]:
        """The events that sync-service heard of a tenant, each once, in the order in which they came first."""
        answer = httpx.get(f"{self.settings.sync_url}/v1/events", trust_env=False, timeout=60).raise_for_status()
        events = [entry["event"] for entry in answer.json()["events"]]
        return [e for e in events if e["data"]["tenant_id"] == tenant and subject in (None, e["type"])]

    # -- processes ----------------------------------------------------------------------------------------------------

    def replicas(self, pool: str) -> set[int]:
        """The pids of a pool's replicas. Their titles name the app, which the importer's is not called after, and the pool."""
        note = self._noted().get("ray")
        if note is None:
            return set()
        title = re.compile(rf"ServeReplica:[^:]+:{re.escape(pool)}(?![\w-])")
        return {process.pid for process in members(note.started) if title.search(_title(process))}

    def encoders(self) -> list[psutil.Process]:
        """The ffmpeg processes that work on this stack's jobs, each in its sandbox."""
        found = [psutil.Process(pid) for pid in sandboxed(self.home.work) if psutil.pid_exists(pid)]
        return [process for process in found if "ffmpeg" in _title(process).partition(" ")[0]]

    def leftovers(self) -> list[str]:
        """What nobody works on any more but is still there: folders of jobs, and encoders."""
        found = self.home.work.iterdir() if self.home.work.is_dir() else ()
        folders = [str(path) for path in found if path.name != FOLDER]  # sandboxes wait there for the next job
        return folders + [f"{process.pid}: {_title(process)}" for process in self.encoders()]

    def processes(self, part: str) -> list[psutil.Process]:
        """The processes of one part."""
        return list(members(self._noted()[part].started))

    def health(self, part: str) -> str:
        """What `status` says of one part now."""
        return next(entry.health for entry in self.stack.status() if entry.part == part)

    def stop_part(self, name: str) -> None:
        """End one server of the stack and nothing else."""
        part = next(part for part in EVERY if part.name == name)
        stop(self._noted()[name].started, part.ask, part.patience_s)

    def start_part(self) -> None:
        """Start again what was stopped: the same ports, the data that was there. Everything else goes on running."""
        before = {name: note.pid for name, note in self._noted().items()}
        # Without Ray the port of the API is taken, by the replica beside the tests.
        ray = "ray" in before
        info = self.stack.up(ray=ray, overrides={} if ray else {"api_url": self.settings.api_url})
        assert info.settings == self.settings, "a part came back elsewhere"
        moved = [name for name in info.kept if self._noted()[name].pid != before[name]]
        assert "ray" in info.kept or not ray
        assert not moved

    def workers_ready(self, deadline_s: float = 90.0) -> None:
        """Wait until every pool has a replica that works: its listener or its lock is in the database."""
        pools = (
            "content-builder",
            "content-bundler",
            "content-exporter",
            "content-outbox-relay",
            "content-scorm-importer",
        )
        until("a replica in every pool", lambda: all(self.replicas(pool) for pool in pools), deadline_s)

    def _noted(self) -> dict[str, Note]:
        parts = read_json(self.home.state).get("parts", {})
        return {name: Note(**note) for name, note in parts.items()}

    # -- logs ---------------------------------------------------------------------------------------------------------

    def log_ends(self, lines: int = 25, newest: int = 6) -> Iterator[tuple[str, str]]:
        """The ends of the logs that were written last: what Ray's workers said first, then the parts."""
        session = self.home.short / "ray" / "session_latest" / "logs"
        found = [*session.glob("worker-*.out"), *session.glob("worker-*.err"), *session.glob("serve/replica_*.log")]
        fresh = [path for path in found if path.stat().st_size and time.time() - path.stat().st_mtime < 300]
        for path in sorted(fresh, key=lambda path: path.stat().st_mtime)[-newest:]:
            yield path.name, tail(path, lines)
        for part in (
            "content-builder",
            "content-bundler",
            "content-exporter",
            "content-outbox-relay",
            "content-render",
        ):
            yield part, tail(self.home.log(part), lines)
        for part in ("content-api", "neighbours", "postgres"):
            yield part, tail(self.home.log(part), 10)
        with suppress(psycopg.Error):  # it may be Postgres that is away
            jobs = self.rows(
                "select tenant, job_id, state, attempt, message, problem from jobs order by updated_at desc limit 5"
            )
            yield "jobs", json.dumps(jobs, default=str, indent=1)


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
