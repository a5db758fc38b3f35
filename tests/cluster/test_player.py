"""The built player as a process sees it: read once, again when it was built anew, and never the learner's page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster import player
from content.errors import ContentError
from content.exports.player_files import files_version


def test_it_is_read_once_and_again_when_it_was_built_anew(tmp_path: Path) -> None:
    (tmp_path / "schemas/scorm12").mkdir(parents=True)
    (tmp_path / "player.css").write_text("a {}")
    (tmp_path / "schemas/scorm12/a.xsd").write_text("<a/>")
    (tmp_path / "learner").mkdir()
    (tmp_path / "learner/page.js").write_text("1")
    first = player.load(tmp_path)
    assert first.files == {"player.css": b"a {}", "schemas/scorm12/a.xsd": b"<a/>"}
    assert first.version == files_version(first.files)
    assert player.load(tmp_path) is first
    (tmp_path / "learner/page.js").write_text("22")
    assert player.load(tmp_path) is first
    (tmp_path / "player.css").write_text("a { color: red }")
    assert player.load(tmp_path).version != first.version


def test_without_it_who_needs_it_is_told_what_to_do(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(ContentError) as missing:
            player.load(folder)
        assert (missing.value.code, missing.value.remedy) == ("player-not-built", "Run `make player`.")


def test_what_was_measured_is_another_release_for_that_format_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = player.PlayerFiles("861996fb22ba3a1c", {})

    def told(passed: str) -> None:
        found = {"formats": {"html": {"resume": {"result": passed}}}, "player": ours.version, "exporter": 1}
        (tmp_path / "measured.json").write_text(json.dumps(found))
        player.measured.cache_clear()

    monkeypatch.setattr(player, "MEASURED", tmp_path / "measured.json")
    player.measured.cache_clear()
    try:
        assert player.release(ours, 1, "html") == ours.version
        told("passed")
        first = player.release(ours, 1, "html")
        assert first.startswith(f"{ours.version}.") and player.release(ours, 1, "xapi") == ours.version
        assert player.release(ours, 2, "html") == ours.version
        told("failed")
        assert player.release(ours, 1, "html") not in (first, ours.version)
    finally:
        player.measured.cache_clear()
