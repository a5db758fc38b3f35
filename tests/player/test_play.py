"""The learner's player: its pure parts under node, with the vectors of the saved state that Python is run against too."""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path

import pytest

from cluster import player
from tests.player.node import NODE, PLAYER, ROOT, node

pytestmark = pytest.mark.xdist_group("player")
MOST_GZIPPED = 120_000  # bytes of script, without a SCORM run-time
MOST_WITH_RUNTIME = 130_000


@pytest.mark.parametrize("program", ["play-unit", "imported-unit"])
def test_the_pure_parts(tmp_path: Path, program: str) -> None:
    node("build.mjs", str(tmp_path))
    environment = {**os.environ, "STATE_VECTORS": str(ROOT / "tests" / "vectors" / "state")}
    done = subprocess.run(
        [NODE, "--test", "--test-force-exit", str(tmp_path / f"{program}.js")],
        cwd=PLAYER,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.parametrize("adapter", ["local", "scorm12", "scorm2004", "cmi5", "xapi"])
def test_each_adapter_is_small_and_fetches_nothing_by_itself(adapter: str) -> None:
    script = player.load().get(f"player-{adapter}.js")
    assert len(gzip.compress(script, 9)) < MOST_GZIPPED
    assert b"eval(" not in script and b"new Function" not in script
    assert b"https://cdn" not in script


def test_the_player_of_imported_packages_has_a_run_time_in_it_and_says_whose() -> None:
    script = player.load().get("player-imported.js")
    assert len(gzip.compress(script, 9)) < MOST_WITH_RUNTIME
    assert b"eval(" not in script and b"new Function" not in script
    assert script.startswith(b"/*!\nWith scorm-again:\nMIT License")
    assert (player.SHELL / "player-imported.js").read_bytes() == script
