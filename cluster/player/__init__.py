"""The learner's player as `make player` built it: a folder of this package, read once in a process, and again once it was
built anew, so that all processes of a machine have the same.

The folder is no part of the repository; a wheel has it as package data. Who needs the player and finds none is told what to
do (`player-not-built`). After: `content.exports.plan_export`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

from content.canonical import canonical, digest
from content.errors import ContentError
from content.exports.player_files import PlayerFiles, files_version

BUILT = Path(__file__).parent / "built"
LEARNER = BUILT / "learner"
"""The learner's page, which is served as it is and goes into no export."""
SHELL = BUILT / "shell"
"""The player of imported packages as the edge serves it on each package's own origin (`/_player/`); in no export either."""
MEASURED = Path(__file__).parent / "measured.json"
"""What a browser found out about exports with the player and exporter that it names (`make measured`)."""
_Seen = tuple[tuple[str, int, int], ...]
"""Name, size and time of change of every file."""


def load(folder: Path = BUILT) -> PlayerFiles:
    """Every file of an export's player, by its path below the folder. Blocks. Raises ContentError `player-not-built`."""
    return _read(folder, _look(folder))


@functools.cache
def measured(version: str, exporter: int) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """By format and check, for a passport; nothing if it was measured for another player or exporter."""
    document = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    known = (document.get("player"), document.get("exporter")) == (version, exporter)
    return document["formats"] if known else {}


def release(ours: PlayerFiles, exporter: int, format_name: str) -> str:
    """What of a release the bytes of an export follow from beside the exporter: the player's version, and what was measured for
    the format, since that stands in the passport."""
    found = measured(ours.version, exporter).get(format_name)
    return f"{ours.version}.{digest(canonical(found)).removeprefix('sha256:')[:8]}" if found else ours.version


def _look(folder: Path) -> _Seen:
    found: list[tuple[str, int, int]] = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if name.parts[0] not in (LEARNER.name, SHELL.name) and path.is_file():
            status = path.stat()
            found.append((name.as_posix(), status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))


@functools.lru_cache(maxsize=1)
def _read(folder: Path, seen: _Seen) -> PlayerFiles:
    if not seen:
        raise ContentError("player-not-built", "The learner's player was not built here.", "Run `make player`.")
    files = {name: (folder / name).read_bytes() for name, _, _ in seen}
    return PlayerFiles(files_version(files), files)
