"""Exports: a PlayPackage as a zip that other people's platforms, browsers and disks can play.

`options` is what may be chosen, `player_files` the player that goes in, `plan` all entries of the zip with its passport,
`archive` the bytes. Packages that were imported go out through `imported`.
"""

from content.exports.imported.formats import interfaces_in
from content.exports.options import EXPORTER_VERSION, FORMATS, REPORTS, Options
from content.exports.plan import Entry, ExportPlan, Stored, caption_files, plan_export, searched_files
from content.exports.player_files import PlayerFiles, files_version

__all__ = [
    "EXPORTER_VERSION",
    "FORMATS",
    "REPORTS",
    "Entry",
    "ExportPlan",
    "Options",
    "PlayerFiles",
    "Stored",
    "caption_files",
    "files_version",
    "interfaces_in",
    "plan_export",
    "searched_files",
]
