"""Two programs of the service as plain processes, for a stack without Ray: the API, and the relay.

What Ray Serve adds (more replicas, their supervision, rolling updates) is missing; what an API replica and a relay do is
the same, since they are the same classes. They start when the schema is there, and end before the servers do.
"""

from __future__ import annotations

import importlib.metadata
import sys
import time
from typing import ClassVar

from cluster.local.part import Part, Plan, Site, http_problem

SILENT_S = 15.0
"""A relay that has not said for so long that it is well is not."""


class _Program(Part):
    deadline_s: ClassVar[float] = 90.0

    def version(self, site: Site) -> str:
        return importlib.metadata.version("content-service")

    def plan(self, site: Site) -> Plan:
        # -P: not the current folder, so that nothing there can stand in for a module of ours
        argv = [sys.executable, "-P", "-m", *self.module(site)]
        return Plan(argv, {"CONTENT_SETTINGS": str(site.home.settings)}, inputs=site.settings_digest)

    def module(self, site: Site) -> list[str]:
        raise NotImplementedError


class Api(_Program):
    """One replica of content-api, served by uvicorn."""

    name: ClassVar[str] = "api"
    ports: ClassVar[tuple[str, ...]] = ("api", "api_inside")

    def address(self, site: Site) -> str:
        return site.url("api")

    def module(self, site: Site) -> list[str]:
        where = ["--host", "127.0.0.1", "--port", str(site.ports[site.inside])]
        return ["uvicorn", "serve_app.api:create_app", "--factory", *where, "--log-level", "warning"]

    def unhealthy(self, site: Site) -> str | None:
        return http_problem(site.url(site.inside), "/livez")


class Relay(_Program):
    """One replica of content-outbox-relay: events out, and in."""

    name: ClassVar[str] = "relay"
    ports: ClassVar[tuple[str, ...]] = ()

    def address(self, site: Site) -> str:
        return ""

    def module(self, site: Site) -> list[str]:
        return ["actors.process", "relay", str(site.home.work / "relay.well")]

    def before_start(self, site: Site) -> None:
        (site.home.work / "relay.well").unlink(missing_ok=True)

    def unhealthy(self, site: Site) -> str | None:
        try:
            age_s = time.time() - (site.home.work / "relay.well").stat().st_mtime
        except FileNotFoundError:
            return "it is starting"
        return None if age_s < SILENT_S else f"it was last well {age_s:.0f} s ago"
