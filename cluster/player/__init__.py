"""The learner's player as `make player` built it: a folder of this package, read once in a process.

The folder is no part of the repository; a wheel has it as package data. Who needs the player and finds none is told what to
do (`player-not-built`). After: `content.exports.plan_export`.
"""

from __future__ import annotations

import functools
from pathlib import Path

from content.errors import ContentError
from content.exports.player_files import PlayerFiles, files_version

BUILT = Path(__file__).parent / "built"
LEARNER = BUILT / "learner"
"""The learner's page, which is served as it is and goes into no export."""


@functools.cache
def load(folder: Path = BUILT) -> PlayerFiles:
    """Every file of an export's player, by its path below the folder. Blocks. Raises ContentError `player-not-built`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and LEARNER.name not in path.parts)
    if not paths:
        raise ContentError("player-not-built", "The learner's player was not built here.", "Run `make player`.")
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    return PlayerFiles(files_version(files), files)
