"""Several regions side by side on one machine, each a stack of its own in a folder below the one given.

The first two are complete, further ones reduced to what answers and hears: Postgres, NATS, API and relay. Each has its own
ports, data, secrets and keys; what they share is the identity provider, since its tokens say where a tenant lives, and the
links between their NATS servers (`cluster.regions`), each with a password of its own. A region that was started so may be
stopped and started alone by its folder: it finds its links again.
Before: nothing, or an earlier `up`. After: `cluster.local.stack`, once for each region.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cluster.local import identity
from cluster.local.errors import LocalStackError
from cluster.local.home import Home, read_json, write_json, write_secret
from cluster.local.links import Links
from cluster.local.stack import PartStatus, Progress, Stack, StackInfo
from cluster.migrations import migrate
from cluster.regions import accepts, link_user
from cluster.settings import Settings
from cluster.topology import REGIONS

FILE = "regions.json"
COMPLETE = 2
"""So many regions are whole; a third one would take a laptop's memory."""
TRIES = 3
Through = Mapping[tuple[str, str], int]
"""(region that connects, peer) → port to go through in place of the peer's own: a proxy, in tests."""


class Regions:
    """The regions that live in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the last `up`, in its order; none where the folder holds a stack of its own, or nothing."""
        return tuple(read_json(self.path / FILE).get("kinds", {}))

    def stack(self, name: str) -> Stack:
        if name not in self.names:
            known = ", ".join(self.names) or "none"
            what = f"There is no region {name!r} in {self.path}." if name else f"{self.path} has several regions."
            raise LocalStackError("unknown-region", what, f"Name one with --region: {known}.")
        return Stack(self.path / name)

    def kind(self, name: str) -> str:
        return read_json(self.path / FILE)["kinds"][name]

    def up(
        self,
        names: Sequence[str],
        progress: Progress | None = None,
        *,
        ray: bool = True,
        before_ray: Callable[[Settings], None] | None = None,
        overrides: Callable[[str], Mapping[str, Any]] | None = None,
        through: Through | None = None,
    ) -> dict[str, StackInfo]:
        """Start what is not running of these regions. Without `ray` none has Ray: API and relay are processes.

        `before_ray` prepares the first region; the others get their schema, and no tenant: a tenant lives in one region.
        `overrides` gives settings of a region that outrank the stack's.
        """
        tell = progress or (lambda _: None)
        _check(names)
        if (self.path / "stack.json").exists():
            raise LocalStackError(
                "home-taken", f"{self.path} is the home of one stack already.", "Choose another with --home."
            )
        for name in set(self.names) - set(names):
            Stack(self.path / name).down()
        kinds = {name: _kind(number, ray) for number, name in enumerate(names)}
        stacks = {name: Stack(self.path / name) for name in names}
        passwords = self._prepare(kinds)
        for _ in range(TRIES):
            ports = {name: stacks[name].ports() for name in names}
            for name in names:
                _links(name, ports, passwords, through or {}).write(stacks[name].home)
            urls = {name: f"http://127.0.0.1:{ports[name]['api']}" for name in names}

            def start(name: str, urls: Mapping[str, str] = urls) -> StackInfo:
                own = {"region": name, "region_urls": urls, **(overrides(name) if overrides else {})}
                ready = before_ray if before_ray and name == names[0] else _schema
                return stacks[name].up(
                    lambda line: tell(f"{name}  {line}"), kind=kinds[name], before_ray=ready, overrides=own
                )

            with ThreadPoolExecutor(1 if ray else len(names)) as pool:
                found = dict(zip(names, pool.map(start, names), strict=True))
            if all(stacks[name].ports() == ports[name] for name in names):
                return found
            tell("note: another program took a port: the links are made anew")
        raise LocalStackError("port-taken", "Ports are taken faster than they are chosen.", "Try again.", True)

    def down(self, progress: Progress | None = None) -> dict[str, list[str]]:
        """Stop every region, the last one first; returns what was running in each. Data stays."""
        tell = progress or (lambda _: None)
        return {
            name: self.stack(name).down(lambda line, name=name: tell(f"{name}  {line}"))
            for name in reversed(self.names)
        }

    def status(self) -> dict[str, list[PartStatus]]:
        """Every part of every region, asked now."""
        return {name: self.stack(name).status() for name in self.names}

    def _prepare(self, kinds: Mapping[str, str]) -> Mapping[str, str]:
        """The folders, one identity provider for all, and the passwords of the links (made once, then kept)."""
        self.path.mkdir(mode=0o755, parents=True, exist_ok=True)
        homes = [Home(self.path / name) for name in kinds]
        for home in homes:
            home.prepare()
        identity.ensure_identity(homes[0])
        for home in homes[1:]:
            write_secret(home.keys / identity.FILE, (homes[0].keys / identity.FILE).read_text())
        known: dict[str, str] = read_json(self.path / FILE).get("passwords", {})
        pairs = [f"{one}-{other}" for one in kinds for other in kinds if one != other and accepts(one, other)]
        passwords = {pair: known.get(pair) or secrets.token_hex(24) for pair in pairs}
        write_json(self.path / FILE, {"kinds": dict(kinds), "passwords": {**known, **passwords}})
        return passwords


def _schema(settings: Settings) -> None:
    migrate(settings)


def _check(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in REGIONS]
    if unknown or len(set(names)) != len(names) or len(names) < COMPLETE:
        raise LocalStackError(
            "regions-invalid",
            f"{','.join(names) or 'Nothing'} is no list of regions.",
            f"Name two or more of {', '.join(REGIONS)}, each once.",
        )


def _kind(number: int, ray: bool) -> str:
    if number >= COMPLETE:
        return "reduced"
    return "complete" if ray else "light"


def _links(name: str, ports: Mapping[str, Mapping[str, int]], passwords: Mapping[str, str], through: Through) -> Links:
    peers = [peer for peer in ports if peer != name]
    addresses: dict[str, str] = {}
    for peer in peers:
        if not accepts(name, peer):
            port = through.get((name, peer), ports[peer]["nats_leaf"])
            addresses[peer] = f"nats-leaf://{link_user(name)}:{passwords[f'{peer}-{name}']}@127.0.0.1:{port}"
    return Links(name, {peer: passwords[f"{name}-{peer}"] for peer in peers if accepts(name, peer)}, addresses)
