"""What another region says of tenants: the first word on a name counts, what another one says of it is refused, and what an operator
does when the first word was false."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from cluster.connections import Connections
from cluster.events import NEVER_S, Events, Source
from content.events import Envelope, parse
from tasks.elsewhere import Elsewhere, receive
from tests.support.kept import World, made, served
from tests.support.plain_postgres import PlainPostgres

RUNBOOK = Path(__file__).resolve().parents[2] / "docs/runbooks/foreign-refused.md"
NAME = "acme"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainPostgres]:
    with served(tmp_path_factory) as found:
        yield found


@pytest.fixture
def world(postgres: PlainPostgres) -> Iterator[World]:
    with made(postgres) as found:
        yield found


def event(region: str, kind: str, data: dict[str, object]) -> Envelope:
    body = {
        "specversion": "1.0", "id": f"{region}-{kind}", "source": f"/content-service/{region}", "type": f"content.{kind}.v1",
        "subject": NAME, "time": "2026-11-27T08:00:00Z", "tenant_id": NAME, "data": {"tenant_id": NAME, **data},
    }  # fmt: skip
    return parse(json.dumps(body).encode())


def heard(world: World, region: str, kind: str, **data: object) -> str:
    async def take(connections: Connections) -> str:
        return await receive(connections, region, event(region, kind, data))

    return world.run(take)


def revoked(world: World, region: str) -> str:
    named = {"bundles": [], "devices": ["d1"], "packages": [], "versions": [], "kids": [], "complete": True}
    return heard(world, region, "revocation.issued", version=[1, 1], issued_at="2026-11-27T08:00:00Z", **named)


def test_a_false_word_on_a_name_is_told_apart_and_taken_back_as_the_runbook_says(
    world: World, postgres: PlainPostgres
) -> None:
    assert heard(world, "us", "tenant.homed", home_region="us") == "named", "counted, since many of them are an alert"
    assert heard(world, "us", "tenant.homed", home_region="us") == "recorded"
    assert revoked(world, "us") == "recorded"
    assert revoked(world, "ap") == "conflict"

    (statements,) = re.findall(r"```sql\n(.*?)```", RUNBOOK.read_text(), re.DOTALL)
    assert "'eu'" in statements and f"'{NAME}'" in statements
    postgres.execute(statements.replace("'eu'", "'ap'"), user="content_worker")  # the page says as whom

    assert revoked(world, "us") == "conflict"
    assert revoked(world, "ap") == "recorded"
    rows = postgres.execute(
        f"select region, count(*) from foreign_tenants join foreign_revocations using (tenant) where tenant = '{NAME}' group by 1"
    )
    assert rows == [("ap", 1)]


def test_a_region_that_feeds_nothing_is_told_as_silent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Left out by `ensure_streams`, say, since it could not begin anew: no source of the stream says that it is missing."""
    urls = {"us": "https://us.example", "eu": "https://eu.example", "me": "https://me.example"}
    told: dict[str, float] = {}

    class Gauge:
        def set(self, value: float, origin: str) -> None:
            told[origin] = value

    class Fed:
        def puller(self, *_: object) -> None: ...

        async def sources(self, _: str) -> list[Source]:
            return [Source("us", 0.5, 0)]

    async def look(connections: Connections) -> None:
        settings = connections.settings.model_copy(update={"region": "eu", "region_urls": urls})
        await Elsewhere(replace(connections, settings=settings), cast("Events", Fed())).look()

    monkeypatch.setattr("tasks.elsewhere.REGION_SILENCE", Gauge())
    world.run(look)
    assert told == {"us": 0.5, "me": NEVER_S}
