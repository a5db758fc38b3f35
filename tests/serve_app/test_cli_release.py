"""`content-service release`: what it prints, its exit codes, and that a wrong plan or token says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.local.gateway import Division, administration
from cluster.release import state as states
from serve_app.cli import app
from serve_app.cli.exits import AGAIN, FAILED, USAGE
from tests.support.served import served

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def division(tmp_path: Path) -> Division:
    return Division(tmp_path / "gateway.json")


@pytest.fixture
def gateway(division: Division) -> Iterator[str]:
    with served(administration(division)) as url:
        yield url


def promote(gateway: str, *more: str) -> tuple[int, str]:
    address = ["--gateway", gateway, "--stable-url", NOBODY, "--canary-url", NOBODY, "--prometheus", NOBODY]
    found = CliRunner().invoke(app, ["release", "promote", *address, *more])
    return found.exit_code, found.output


def test_without_a_release_there_is_nothing_to_see(gateway: str) -> None:
    found = CliRunner().invoke(app, ["release", "status", "--gateway", gateway])
    assert (found.exit_code, found.output) == (0, "No release was begun here; the canary gets 0 %.\n")


def test_versions_that_do_not_answer_are_waited_for(gateway: str) -> None:
    code, told = promote(gateway, "--without-comparison", "--once", "--json")
    assert code == AGAIN
    assert json.loads(told) == {"decision": "hold", "reason": "the canary does not answer yet", "findings": []}


def test_what_is_compared_has_to_be_said(gateway: str) -> None:
    code, told = promote(gateway, "--once")
    assert code == USAGE
    assert "--without-comparison" in told


def test_a_plan_that_is_none(gateway: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('{"steps": [{"share": 10, "soak": 1}]}')
    found = CliRunner().invoke(
        app, ["release", "promote", "--gateway", gateway, "--without-comparison", "--plan", str(plan)]
    )
    assert getattr(found.exception, "code", "") == "plan-invalid"
    assert "“soak” is not known" in str(found.exception)


def test_traffic_without_a_release_is_for_a_person(gateway: str, division: Division) -> None:
    division.set(30, {})
    code, told = promote(gateway, "--without-comparison", "--once")
    assert code == FAILED
    assert "30 % although no release is under way" in told
    assert division.share == 30


def test_rolling_back_by_hand(gateway: str, division: Division) -> None:
    division.set(50, {states.STATE: "{broken"})
    for _ in range(2):
        found = CliRunner().invoke(app, ["release", "rollback", "--gateway", gateway, "--reason", "complaints"])
        assert found.exit_code == 0
    assert division.share == 0
    told = CliRunner().invoke(app, ["release", "status", "--gateway", gateway, "--json"])
    document = json.loads(told.output)
    assert document["state"]["phase"] == "rolled-back"
    assert document["state"]["reason"] == "by hand: complaints"
    assert [each["decision"] for each in document["decisions"]] == ["roll-back"]
    shown = CliRunner().invoke(app, ["release", "status", "--gateway", gateway])
    assert "complaints" in shown.output
