"""The doctor on a stack without Ray: all is well there, and whatever is broken is named with what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import psycopg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from cluster.local.home import read_json
from cluster.local.stack import Stack
from cluster.settings import Settings
from cluster.streams import ensure_streams
from serve_app.cli import app
from tasks import doctor
from tasks.bootstrap import prepare
from tasks.doctor import Finding, event_log

pytestmark = pytest.mark.timeout(180)
UNUSED = {"events: intake": "warn", "event log: database": "warn"}
"""Nothing was ever taken in on this stack, nor archived: its pools do not run."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("doctor") / "home")
    try:
        stack.up(ray=False, before_ray=prepare)
        yield stack
    finally:
        stack.down()


@pytest.fixture(autouse=True)
def nobody_archives_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is that told after a minute of tests."""
    monkeypatch.setattr(event_log, "LATE_S", 3600.0)


@pytest.fixture
def settings(stack: Stack) -> Settings:
    return Settings(**read_json(stack.home.settings))


def examined(settings: Settings, *only: str) -> dict[str, Finding]:
    """What was found, by name; of the groups `only`, where some are named."""
    left_out = ["pools", *(name for name in doctor.CHECKS if only and name not in only)]
    return {finding.name: finding for finding in asyncio.run(doctor.examine(settings, left_out))}


def wrong(found: dict[str, Finding]) -> dict[str, str]:
    assert all(finding.remedy for finding in found.values() if finding.status != "ok")
    return {finding.name: finding.status for finding in found.values() if finding.status != "ok"}


def changed(settings: Settings, **values: Any) -> Settings:
    return settings.model_copy(update=values)


def run(stack: Stack, *words: str) -> Any:
    return CliRunner().invoke(app, ["doctor", "--home", str(stack.home.path), *words], terminal_width=80)


def test_on_a_fresh_stack_all_is_well(stack: Stack, settings: Settings) -> None:
    found = examined(settings)
    assert wrong(found) == UNUSED
    assert len(found) > 25
    answer = run(stack, "--without", "pools", "--json")
    assert answer.exit_code == 4, "warnings only"
    assert {entry["name"] for entry in json.loads(answer.stdout)} == set(found)


def test_the_table_is_narrow_and_names_what_to_do(stack: Stack) -> None:
    answer = run(stack)
    assert answer.exit_code == 1, "there is no Ray"
    assert max(len(line.rstrip()) for line in answer.stdout.splitlines()) <= 80
    assert "→ Start Ray and the service" in answer.stdout
    assert run(stack, "--without", "pools", "--without", "events", "--without", "log").exit_code == 0
    assert run(stack, "--without", "nonsense").exit_code == 2


@pytest.mark.parametrize(
    ("name", "value", "group", "finding"),
    [
        ("s3_secret_key", SecretStr("wrong-one"), "storage", "storage: objects"),
        ("openbao_token", SecretStr("s.wrong"), "keys", "keys: wrapping"),
        ("nats_password", SecretStr("wrong-one"), "events", "events: NATS"),
        ("nats_monitor_url", "", "events", "events: on the disk"),
        ("edge_private_key", SecretStr("no key"), "settings", "settings: edge key"),
        ("jwt_jwks_file", Path("/nowhere/jwks.json"), "settings", "settings: identity"),
        ("media_url", "", "settings", "settings: complete"),
        ("original_max_bytes", 1 << 60, "machine", "machine: workspace"),
    ],
)
def test_a_setting_that_is_wrong_is_named(settings: Settings, name: str, value: Any, group: str, finding: str) -> None:
    assert set(wrong(examined(changed(settings, **{name: value}), group))) - set(UNUSED) == {finding}


def test_a_login_that_is_refused_or_too_mighty_is_named(stack: Stack, settings: Settings) -> None:
    good = settings.postgres_worker.get_secret_value()
    refused = changed(settings, postgres_worker=SecretStr(good.replace("content_worker:", "content_worker:x")))
    found = examined(refused, "database")
    assert wrong(found) == {"database: worker": "fail"}
    assert found["database: worker"].what == "the password is wrong"
    mighty = changed(settings, postgres_worker=settings.postgres_owner)
    assert wrong(examined(mighty, "database")) == {"database: worker": "fail"}


def test_what_only_a_developer_may_do_is_refused_in_production(settings: Settings) -> None:
    found = examined(changed(settings, profile="production"), "settings")
    assert found["settings: safe"].status == "fail"
    assert "openbao_url" in found["settings: safe"].what


def test_a_table_without_protection_and_a_missing_migration_are_named(settings: Settings) -> None:
    with psycopg.connect(settings.postgres_owner.get_secret_value(), autocommit=True) as owner:
        owner.execute("create table bare (tenant text primary key)")
        owner.execute("delete from migrations where name like '0006%'")
        try:
            found = examined(settings, "database")
        finally:
            owner.execute("drop table bare")
            owner.execute("insert into migrations (name) values ('0006_telemetry.sql')")
    assert wrong(found) == {"database: tenants": "fail", "database: schema": "fail"}
    assert "bare" in found["database: tenants"].what
    assert "0006_telemetry.sql" in found["database: schema"].what


def test_a_stream_that_is_missing_or_differs_and_dead_letters_are_named(stack: Stack, settings: Settings) -> None:
    secrets = read_json(stack.home.keys / "secrets.json")

    async def break_them() -> None:
        client = await nats.connect(settings.nats_url, user="operator", password=secrets["nats_operator"])
        try:
            operator = client.jetstream()
            await operator.delete_stream("DOMAIN")
            config = (await operator.stream_info("CONTENT_EVENTS")).config
            config.max_age = 60.0
            config.duplicate_window = 30.0
            await operator.update_stream(config)
            await operator.publish("dead.authoring.nonsense", b"?")
        finally:
            await client.close()

    async def mend() -> None:
        await ensure_streams(settings.nats_url, "operator", secrets["nats_operator"])
        client = await nats.connect(settings.nats_url, user="operator", password=secrets["nats_operator"])
        try:
            await client.jetstream().purge_stream("CONTENT_DEAD")
        finally:
            await client.close()

    asyncio.run(break_them())
    try:
        found = examined(settings, "events")
    finally:
        asyncio.run(mend())
    assert wrong(found) == {
        "events: DOMAIN": "fail",
        "events: CONTENT_EVENTS": "fail",
        "events: dead letters": "warn",
        "events: intake": "warn",
    }
    assert found["events: CONTENT_EVENTS"].what == "differs in max_age, duplicate_window"
    assert found["events: dead letters"].what.startswith("1 events")


def test_events_that_nobody_publishes_are_named(stack: Stack, settings: Settings) -> None:
    worker = settings.postgres_worker.get_secret_value()
    with psycopg.connect(worker) as db:
        db.execute("select set_config('app.tenant', 'demo', true)")
        db.execute(
            "insert into outbox (tenant, id, partition, key, sequence, type, data, created_at)"
            " values ('demo', gen_random_uuid(), 1, 'k', 1, 't', '{}', now() - interval '1 hour')"
        )
    try:
        found = examined(settings, "work")
    finally:
        with psycopg.connect(worker) as db:
            db.execute("select set_config('app.tenant', 'demo', true)")
            db.execute("delete from outbox")
    assert wrong(found) == {"work: outbox": "warn"}
    assert found["work: outbox"].what.startswith("1 events, the oldest 36")


def test_lists_that_nobody_renews_are_named(settings: Settings) -> None:
    found = examined(changed(settings, list_ttl_s=settings.list_ttl_s * 5), "work")
    assert wrong(found) == {"work: lists": "fail"}
    assert "demo" in found["work: lists"].what


def test_a_server_that_is_away_hides_nothing_else(stack: Stack, settings: Settings) -> None:
    """Last in this file would not do: the order is shuffled. So it is started again."""
    from cluster.local.nats import Nats
    from cluster.local.processes import stop
    from cluster.local.stack import Running

    note = Running(**read_json(stack.home.state)["parts"]["nats"])
    part = Nats()
    stop(note.started, part.ask, part.patience_s)
    try:
        found = examined(settings)
        assert {name: status for name, status in wrong(found).items() if name not in UNUSED} == {"events: NATS": "fail"}
        answer = run(stack, "--without", "pools")
        assert answer.exit_code == 1
        assert "cannot be reached" in answer.stdout
    finally:
        stack.up(ray=False)
