"""Messages that name a learner are taken out of the streams, and nothing else; over a user that may do no more than that."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from pydantic import SecretStr

from cluster import erasing
from cluster.erasing import Erasing
from cluster.events import DEAD, DOMAIN, GLOBAL, OURS
from cluster.local import nats as local_nats
from cluster.local.configuration import PASSWORDS
from cluster.local.home import Home
from cluster.local.part import Site
from cluster.local.ports import choose
from cluster.settings import Settings
from content.errors import ContentError
from tasks.about_learner import about

pytestmark = pytest.mark.timeout(120)
ADA, BOB, SALT = "ada@school", "bob@school", "salt"
DIGEST = hmac.new(SALT.encode(), ADA.encode(), hashlib.sha256).hexdigest()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = Home(Path(tmp_path_factory.mktemp("erasing")) / "home")
    home.prepare()
    found = Site(home, choose(["nats", "nats_http"], set()), {name: secrets.token_hex(8) for name in PASSWORDS})
    part = local_nats.Nats()
    part.before_start(found)
    with home.log("nats").open("ab") as out:
        process = subprocess.Popen(list(part.plan(found).argv), stdout=out, stderr=out)
    end = time.monotonic() + 60
    while part.unhealthy(found) is not None:
        assert time.monotonic() < end, home.log("nats").read_text()[-2000:]
        time.sleep(0.02)
    part.set_up(found)
    yield found
    process.kill()
    process.wait(60)


def event(learner: str, tenant: str = "acme", **more: Any) -> bytes:
    return json.dumps({"data": {"tenant_id": tenant, "learner_id": learner, **more}}).encode()


async def fill(site: Site) -> None:
    client = await nats.connect(local_nats.url(site), user="operator", password=site.secrets["nats_operator"])
    try:
        publish = client.jetstream().publish
        for learner in (ADA, BOB, ADA):
            await publish("enrollment.created.v1", event(learner))
            await publish("content.play_package.bundle.published.v1", event(learner))
        await publish(
            "content.play_package.published.v1", event(ADA)
        )  # names nobody by its type, so it is not looked at
        await publish("dead.enrollment.created.v1", event(ADA)[:-2])
        await publish("dead.enrollment.created.v1", b"no JSON at all")
        await publish("enrollment.created.v1", event(ADA, "other-school"))
    finally:
        await client.close()


async def left(site: Site) -> dict[str, list[bytes]]:
    client = await nats.connect(local_nats.url(site), user="operator", password=site.secrets["nats_operator"])
    try:
        stream_api, found = client.jetstream(), dict[str, list[bytes]]()
        for stream in (DOMAIN, OURS, DEAD):
            found[stream] = []
            for sequence in range(1, (await stream_api.stream_info(stream)).state.last_seq + 1):
                try:
                    found[stream].append((await stream_api.get_msg(stream, sequence)).data or b"")
                except nats.js.errors.NotFoundError:
                    continue
        return found
    finally:
        await client.close()


def test_what_names_the_person_goes_and_all_else_stays(site: Site) -> None:
    settings = Settings(
        nats_url=local_nats.url(site), nats_erasure_user="erasure",
        nats_erasure_password=SecretStr(site.secrets["nats_erasure"]),
    )  # fmt: skip

    async def work() -> tuple[dict[str, int], dict[str, list[bytes]], int | None]:
        await fill(site)
        removed: dict[str, int] = {}
        async with Erasing.connect(settings) as streams:
            for stream in (DOMAIN, OURS, DEAD):
                until = await streams.end(stream)
                assert until
                at, removed[stream] = 0, 0
                while at < until:  # in small portions, as a job that is killed would
                    gone, at = await streams.remove(stream, about("acme", SALT, DIGEST), after=at, until=until, most=2)
                    removed[stream] += gone
                again, _ = await streams.remove(stream, about("acme", SALT, DIGEST), after=0, until=until, most=100)
                assert again == 0
            return removed, await left(site), await streams.end(GLOBAL)

    removed, there, foreign = asyncio.run(work())
    assert removed == {DOMAIN: 2, OURS: 2, DEAD: 1}
    assert there == {
        DOMAIN: [event(BOB), event(ADA, "other-school")],
        OURS: [event(BOB), event(ADA)],
        DEAD: [b"no JSON at all"],
    }
    assert foreign is None, "a stream that this user may not look at is left to its owner"


@pytest.mark.parametrize(
    ("message", "theirs"),
    [
        ({"data": {"tenant_id": "acme", "learner_id": ADA}}, True),
        ({"data": {"tenant_id": "acme", "learner_id": BOB}}, False),
        ({"data": {"tenant_id": "other", "learner_id": ADA}}, False),
        ({"data": {"tenant_id": "acme"}}, False),
        ({}, False),
        # Where they are not wanted, which is why a letter is dead.
        ({"data": "ada@school"}, True),
        ({"data": {"tenant": "acme", "learner_id": ADA}}, True),
        ({"data": {"tenant": "other", "learner_id": ADA}}, False),
        ({"data": {"tenant_id": " Acme", "learner_id": ADA}}, True),
        ({"data": {"tenant_id": "acme", "learner": {"learner_id": ADA}}}, True),
        ({"data": [{"tenant_id": "acme", "learner_id": ADA}]}, True),
        ({"data": {"tenant_id": "acme"}, "learner_id": ADA}, True),
        ({"tenant_id": "other", "learner_id": ADA}, False),
        ({"data": {"tenant_id": "acme", "learner_id": [BOB, ADA]}}, True),
        ({"data": {"tenant_id": "acme", "learnerId": ADA}}, True),
        ({"data": {"tenant_id": 7, "by_learner": {ADA: True}}}, True),
        ({"data": {"tenant_id": ADA, "learner_id": 7}}, False),  # a tenant's name is no learner's
        (
            {"data": {"tenant_id": "acme", "course_id": ADA, "learner_id": BOB}},
            False,
        ),  # well formed: it says who it is about
        # Cut, or no JSON at all.
        ({"": '{"data": {"learner_id": "ada\\u0040school", "cour'}, True),
        ({"": '{"data": {"tenant_id": "acme", "who": ["ada@school", "cour'}, True),
        ({"": '{"data": {"tenant_id": "other", "who": ["ada@school", "cour'}, False),
        ({"": "tenant=acme&learner=ada@school"}, True),
        ({"": '{"data": {"learner_id":"ada@scho'}, False),
    ],
)
def test_which_messages_are_about_somebody(message: dict[str, Any], theirs: bool) -> None:
    assert about("acme", SALT, DIGEST)(message) is theirs


def test_a_learner_whose_id_came_as_a_number_is_found() -> None:
    of_7 = hmac.new(SALT.encode(), b"7", hashlib.sha256).hexdigest()
    assert about("acme", SALT, of_7)({"data": {"tenant_id": "acme", "learner_id": 7}})
    assert not about("acme", SALT, of_7)({"data": {"tenant_id": "acme", "learner_id": True, "n": 77}})


def test_a_stream_that_does_not_answer_is_not_taken_for_somebody_elses(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one of ours that we may not ask for, nor any while it is silent."""
    monkeypatch.setattr(erasing, "ANSWER_S", 2.0)

    async def ends(user: str, *streams: str) -> list[str]:
        settings = Settings(
            nats_url=local_nats.url(site), nats_erasure_user=user,
            nats_erasure_password=SecretStr(site.secrets[f"nats_{user}"]),
        )  # fmt: skip
        said: list[str] = []
        async with Erasing.connect(settings) as asked:
            for stream in streams:
                try:
                    said.append("left" if await asked.end(stream) is None else "ours")
                except ContentError as error:
                    assert error.retryable
                    said.append(error.code)
        return said

    assert asyncio.run(ends("erasure", DOMAIN, "NEVER_MADE", GLOBAL, OURS)) == ["ours", "left", "left", "ours"]
    assert asyncio.run(ends("edge", DOMAIN, OURS, DEAD)) == ["left", "events-unavailable", "events-unavailable"]

    async def silent(self: Any, *_: Any, **__: Any) -> Any:
        raise TimeoutError

    monkeypatch.setattr(nats.js.JetStreamContext, "stream_info", silent)
    assert asyncio.run(ends("erasure", DOMAIN, OURS, DEAD)) == ["events-unavailable"] * 3
