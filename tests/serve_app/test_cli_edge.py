"""The edge's commands on the files of a local stack, without one running: what they print, their exit codes, and no private key anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.edge import edge_keys
from cluster.local.edge_keys import LocalKeys
from cluster.local.home import Home, write_json
from serve_app.cli import app, main

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A stack's folder with one key that signs; its edge is not running."""
    monkeypatch.delenv("CONTENT_SETTINGS", raising=False)
    monkeypatch.delenv("CONTENT_PROFILE", raising=False)
    home = Home(tmp_path)
    home.prepare()
    pem = edge_keys.new_key()
    write_json(home.edge_keys, {})
    key_id = LocalKeys(home.edge_keys).add(edge_keys.public_of(pem))
    write_json(home.settings, {"edge_key_id": key_id, "edge_private_key": pem, "edge_url": NOBODY})
    write_json(home.keys / "secrets.json", {"edge_private_key": pem, "openbao_token": "x"})
    return home


def run(home: Home, *words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["edge", *words, "--home", str(home.path)])
    assert "PRIVATE" not in answer.output
    return answer.exit_code, answer.output


def rows(home: Home) -> list[dict[str, Any]]:
    code, text = run(home, "keys", "--json")
    assert code == 0
    return json.loads(text)


def test_the_first_step_publishes_and_both_files_of_the_stack_know_it(home: Home) -> None:
    (first,) = rows(home)
    assert (first["state"], first["at_the_edge"]) == ("signs", True)
    code, text = run(home, "rotate")
    assert code == 0 and "publish K" in text and "let it sign" in text
    states = {row["key"]: row["state"] for row in rows(home)}
    assert sorted(states.values()) == ["next", "signs"] and states[first["key"]] == "signs"
    (following,) = states.keys() - {first["key"]}
    for path in (home.settings, home.keys / "secrets.json"):
        document = json.loads(path.read_text())
        assert document["edge_next_key_id"] == following and "BEGIN PRIVATE KEY" in document["edge_next_private_key"]
    assert "next" in run(home, "keys")[1]


def test_a_next_key_that_the_edge_was_not_asked_about_does_not_sign(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    run(home, "rotate")
    with pytest.raises(SystemExit) as left:
        main(["edge", "rotate", "--home", str(home.path)])
    assert left.value.code == 5, "the edge does not answer: again later"
    assert "The edge does not answer" in capsys.readouterr().err
    assert sorted(row["state"] for row in rows(home)) == ["next", "signs"]


def test_a_key_that_signs_and_is_not_at_the_edge_is_told(home: Home) -> None:
    write_json(home.edge_keys, {})
    code, text = run(home, "keys")
    assert code == 1 and "refuses what" in text


def test_without_a_cdn_nothing_is_invalidated_and_nobody_told(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(home, "invalidate", "packages/", "--cause", "2.4.0")
    assert code == 0 and "No CDN is told here" in text
    assert json.loads(run(home, "invalidate", "packages/", "--cause", "2.4.0", "--json")[1])["told"] is False
    with pytest.raises(SystemExit) as left:
        main(["edge", "tell", "--home", str(home.path)])
    assert left.value.code == 1 and "No CDN is told here" in capsys.readouterr().err
