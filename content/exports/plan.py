"""What goes into an export: all entries, what was checked, and what its author should know.

Pure: the same manifest, options and player give the same plan, byte for byte. Before: a stored manifest. After:
`content.exports.archive` writes the zip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from content.errors import ContentError, Problem
from content.exports.entries import Entry, Stored
from content.exports.options import Options
from content.exports.player_files import PlayerFiles
from content.packages.manifest import Manifest

__all__ = ["Entry", "ExportPlan", "Stored", "plan_export"]


@dataclass(frozen=True)
class ExportPlan:
    """`entries` are sorted by path; `size_bytes` is the exact size of the zip."""

    entries: tuple[Entry, ...]
    passport: Mapping[str, Any]
    findings: tuple[Problem, ...]
    size_bytes: int


def plan_export(
    manifest: Manifest, options: Options, player: PlayerFiles, measured: Mapping[str, Mapping[str, str]] | None = None
) -> ExportPlan:
    """Plan one export.

    `measured` has the results of the checks that only a browser can make, by the name of the check ({"result", "detail"},
    for this exporter and player version); what is absent is `not-run`. Raises ContentError `export-option`,
    `export-language`, `export-unreadable`, `player-incomplete`.
    """
    raise ContentError("export-option", f"The format “{options.format}” cannot be written.")
