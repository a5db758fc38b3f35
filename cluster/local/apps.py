"""The two programs of ours in the stack: the edge and the neighbours' stubs. Each is told only what it needs.

Neither reads `settings.json`: the edge gets the public half of the URL-signing key, S3 credentials that can only read, and
a NATS user that hears which manifests changed; the neighbours get their own NATS user and a folder, and stand for the
platform's sign-in too (`learner_page`). Their configuration is a file (0600) named on the command line.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any, ClassVar

from cluster.local import configuration, nats
from cluster.local.authority import spiffe
from cluster.local.home import write_secret
from cluster.local.identity import DEMO_LEARNER, DEMO_TENANT
from cluster.local.part import Part, Plan, Site, http_problem
from cluster.mesh_door import digest_of


class _App(Part):
    module: ClassVar[str]
    patience_s: ClassVar[float] = 5.0

    def version(self, site: Site) -> str:
        return importlib.metadata.version("content-service")

    def address(self, site: Site) -> str:
        return site.url(self.ports[0])

    def plan(self, site: Site) -> Plan:
        # -P: not the current folder, so that nothing there can stand in for a module of ours
        argv = [sys.executable, "-P", "-m", self.module, str(self._file(site))]
        return Plan(argv, inputs=json.dumps(self.configuration(site)))

    def before_start(self, site: Site) -> None:
        write_secret(self._file(site), json.dumps(self.configuration(site), indent=1))

    def unhealthy(self, site: Site) -> str | None:
        return http_problem(site.url(self.ports[0]), "/livez")

    def configuration(self, site: Site) -> dict[str, Any]:
        raise NotImplementedError

    def _file(self, site: Site) -> Path:
        return site.home.keys / f"{self.name}-app.json"


def _mesh(site: Site, user: str) -> dict[str, Any]:
    """Where a program finds its certificate, and whom it expects at NATS; nothing without mTLS."""
    if not site.mtls:
        return {}
    return {"mesh": {"folder": str(site.authority.of(nats.IDENTITIES[user])), "nats": spiffe("nats")}}


class Edge(_App):
    name: ClassVar[str] = "edge"
    ports: ClassVar[tuple[str, ...]] = ("edge",)
    module: ClassVar[str] = "cluster.local.edge"

    def before_start(self, site: Site) -> None:
        configuration.ensure_key_group(site)
        super().before_start(site)

    def configuration(self, site: Site) -> dict[str, Any]:
        return {
            "port": site.ports["edge"],
            "public_url": site.url("edge"),
            "keys_file": str(site.home.edge_keys),
            "s3_endpoint": site.url("s3"),
            "s3_bucket": "content",
            "s3_access_key": site.secrets["s3_edge_access"],
            "s3_secret_key": site.secrets["s3_edge_secret"],
            "access_log": str(site.home.logs / "edge-access.jsonl"),
            "cut_file": str(site.home.path / "edge-cut"),
            "nats_url": nats.url(site),
            "nats_user": nats.user_of(site, "edge"),
            "nats_password": site.secrets["nats_edge"],
            "site_url": configuration.site_url(site),
            "learner_origins": [site.url("neighbours")],
            **_mesh(site, "edge"),
        }


class Neighbours(_App):
    name: ClassVar[str] = "neighbours"
    ports: ClassVar[tuple[str, ...]] = ("neighbours",)
    module: ClassVar[str] = "cluster.local.neighbours_app"

    def configuration(self, site: Site) -> dict[str, Any]:
        return {
            "port": site.ports["neighbours"],
            "data": str(site.home.path / "neighbours"),
            "nats_url": nats.url(site),
            "nats_user": nats.user_of(site, "neighbours"),
            "nats_password": site.secrets["nats_neighbours"],
            **_mesh(site, "neighbours"),
            "door_sha256": digest_of(site.secrets["mesh_door"]) if site.mtls else "",
            "learning": {
                "home": str(site.home.path),
                "api_url": site.url("api"),
                "edge_url": site.url("edge"),
                "tenant": DEMO_TENANT,
                "learner": DEMO_LEARNER,
                "site_url": configuration.site_url(site),
            },
        }
