"""What crosses between regions, as data: one stream, one direction at a time, and nothing else.

Each region has a NATS cluster and a JetStream domain of its own. Two regions are joined by one leaf-node link, which ends on
both sides in an account of its own that holds nothing: what the account with the streams exports to it, and imports from it,
is listed here name by name. So a peer that is broken into can read the events of `CONTENT_GLOBAL` that began here, and
acknowledge them; it cannot make a consumer, publish into a stream of ours, or see another peer.

A region's `CONTENT_GLOBAL` is fed by the others' through consumers that each of them keeps for it (`us-to-eu` in us), which
pass on what began there (`content.>`) alone. Here it is kept below `region.us.`, which no consumer passes on: nothing
loops, and the name of a region in a subject is what the link says, not what a message says.
Before: `cluster.topology.REGIONS`. After: `cluster.streams` (the streams), `cluster.local.nats` and the production servers
(docs/regions.md), which are configured by the same functions.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.topology import REGIONS

GLOBAL = "CONTENT_GLOBAL"
ORIGINAL = "content.>"
"""Subjects of what began in the region itself."""
FOREIGN = "region.*.content.>"
"""Subjects of what came from others, below the name of the region it began in."""
ACCOUNT, SYSTEM = "CONTENT", "SYS"
ANSWERS = "_R_.>"
"""Where a server hears the answers to what it asked across an account's border."""
RECONNECT = "1s"


@dataclass(frozen=True)
class Flow:
    """`CONTENT_GLOBAL` of one region into another's: the names that both sides know it by."""

    origin: str
    to: str

    @property
    def consumer(self) -> str:
        """The durable consumer in the origin that remembers how far the other has come."""
        return f"{self.origin}-to-{self.to}"

    @property
    def delivered(self) -> str:
        """The subject its messages travel on."""
        return f"regions.{self.origin}.{self.consumer}"

    @property
    def api(self) -> str:
        """What stands for `$JS.API` of the origin on the other side."""
        return f"regions.{self.origin}.api"

    @property
    def reset(self) -> str:
        """The one request of JetStream's API that crosses: begin again behind a sequence."""
        return f"CONSUMER.RESET.{GLOBAL}.{self.consumer}"

    @property
    def acknowledged(self) -> tuple[str, ...]:
        """The subjects of acknowledgements, in the form that servers use up to 2.15, and in the next one's."""
        return f"$JS.FC.{GLOBAL}.{self.consumer}.>", f"$JS.FC.{self.origin}.*.{GLOBAL}.{self.consumer}.>"

    def stored_as(self) -> str:
        """What `content.>` of the origin is called in the other's stream."""
        return f"region.{self.origin}.{ORIGINAL}"


def origin_of(subject: str) -> str:
    """The region in which a message of `CONTENT_GLOBAL` began; empty for this one."""
    words = subject.split(".")
    return words[1] if words[0] == "region" and len(words) > 1 else ""


def link_account(peer: str) -> str:
    return f"LINK_{peer.upper()}"


def link_user(peer: str) -> str:
    return f"link-{peer}"


def accepts(region: str, peer: str) -> bool:
    """Whether this side of the link listens; the other one connects. One link for each pair."""
    return REGIONS.index(region) < REGIONS.index(peer)


def accounts(
    region: str, peers: Sequence[str], users: Sequence[Mapping[str, Any]], secret: Callable[[str], str]
) -> dict[str, Any]:
    """The accounts of a region's servers: the streams' with its `users`, and one for the link to each peer.

    `secret` gives the password of a peer that connects here (for a server with certificates it may be empty).
    """
    ours: dict[str, Any] = {"jetstream": "enabled", "users": list(users), "exports": [], "imports": []}
    found: dict[str, Any] = {ACCOUNT: ours, SYSTEM: {}}
    for peer in peers:
        link, out, back = link_account(peer), Flow(region, peer), Flow(peer, region)
        ours["exports"] += [
            {"service": f"$JS.API.{out.reset}", "accounts": [link]},
            {"stream": out.delivered, "accounts": [link]},
            *({"service": subject, "accounts": [link]} for subject in out.acknowledged),
        ]
        ours["imports"] += [
            _service(link, f"{back.api}.{back.reset}"),
            {"stream": {"account": link, "subject": back.delivered}},
            *(_service(link, subject) for subject in back.acknowledged),
        ]
        found[link] = {
            "imports": [
                {**_service(ACCOUNT, f"$JS.API.{out.reset}"), "to": f"{out.api}.{out.reset}"},
                {"stream": {"account": ACCOUNT, "subject": out.delivered}},
                *(_service(ACCOUNT, subject) for subject in out.acknowledged),
            ],
            "exports": [
                {"service": f"{back.api}.{back.reset}", "accounts": [ACCOUNT]},
                {"stream": back.delivered, "accounts": [ACCOUNT]},
                *({"service": subject, "accounts": [ACCOUNT]} for subject in back.acknowledged),
            ],
            "users": [_link_user(region, peer, secret(peer))] if accepts(region, peer) else [],
        }
    return found


def leafnodes(region: str, listen: str, addresses: Mapping[str, str]) -> dict[str, Any]:
    """The links themselves: where peers that come later in the list connect, and those of the others (`addresses`: peer →
    address with credentials). Servers tell no addresses of each other: a link takes the way it was given, or none."""
    remotes = [
        {"urls": [url], "account": link_account(peer), "ignore_discovered_servers": True}
        for peer, url in sorted(addresses.items())
        if not accepts(region, peer)
    ]
    return {"listen": listen, "no_advertise": True, "reconnect": RECONNECT, "remotes": remotes}


def _service(account: str, subject: str) -> dict[str, Any]:
    return {"service": {"account": account, "subject": subject}}


def _link_user(region: str, peer: str, password: str) -> dict[str, Any]:
    """The peer's user here: it may come as a leaf node alone, and the link carries these subjects and no others."""
    out, back = Flow(region, peer), Flow(peer, region)
    to_us = [f"{out.api}.{out.reset}", *out.acknowledged, back.delivered, ANSWERS]
    to_them = [f"{back.api}.{back.reset}", *back.acknowledged, out.delivered, ANSWERS]
    return {
        "user": link_user(peer),
        **({"password": password} if password else {}),
        "allowed_connection_types": ["LEAFNODE"],
        "permissions": {"publish": to_us, "subscribe": to_them},
    }


def facts(region: str) -> dict[str, Any]:
    """What a production server of a region is configured with, besides users, certificates and addresses."""
    peers = [name for name in REGIONS if name != region]
    return {
        "jetstream": {"domain": region, "sync_interval": "always"},
        "system_account": SYSTEM,
        "accounts": accounts(region, peers, [], lambda _: ""),
        "leafnodes": leafnodes(region, "0.0.0.0:7422", {peer: f"tls://nats.{peer}.example:7422" for peer in peers}),
    }


if __name__ == "__main__":
    print(json.dumps(facts(sys.argv[1]), indent=1))
