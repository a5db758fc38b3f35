"""The html export: a static site that is also an installable app.

`sw.js` comes with the player and begins with `importScripts("precache.js")`, which sets

    self.precache = {"version": "<16 hexadecimal digits>", "paths": ["index.html", …], "size_bytes": 123};

`paths` are the addresses of all files that playing needs, relative to `sw.js`, sorted; the worker keeps them under `version`, which is
another one as soon as a byte of one of them is, and answers for the folder itself with `index.html`. Opened from a disk
there is no worker, and none is needed.
"""

from __future__ import annotations

from collections.abc import Mapping

from content.canonical import canonical, digest
from content.exports.entries import Stored
from content.exports.export_course import ExportCourse
from content.exports.imported.addresses import address
from content.exports.pages import ICON, INDEX, WEB_MANIFEST
from content.exports.player_files import WORKER, PlayerFiles
from content.exports.xml import in_language, text

PRECACHE = "precache.js"
_ACCENT, _BACKGROUND = "#1f4e79", "#ffffff"
_SHORT_CHARS = 30


def app_files(course: ExportCourse, player: PlayerFiles, files: Mapping[str, bytes | Stored]) -> dict[str, bytes]:
    """What makes an app of a site whose other `files` are given. Raises ContentError `player-incomplete`."""
    shell = {WEB_MANIFEST: web_manifest(course), ICON: icon(course)}
    return {**shell, WORKER: player.get(WORKER), PRECACHE: precache({**files, **shell})}


def web_manifest(course: ExportCourse) -> bytes:
    """The W3C's web application manifest."""
    title = text(in_language(course.metadata["title"], course.language))
    accent, background = _colours(course)
    document = {
        "name": title,
        "short_name": text(title, _SHORT_CHARS),
        "description": text(in_language(course.metadata["description"], course.language)),
        "lang": course.language,
        "dir": course.direction,
        "start_url": INDEX,
        "scope": "./",
        "display": "standalone",
        "theme_color": accent,
        "background_color": background,
        "icons": [{"src": ICON, "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
    }
    return canonical(document)


def icon(course: ExportCourse) -> bytes:
    """An open book in the course's colours; no script, no style, nothing loaded."""
    accent, background = _colours(course)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f'<rect width="64" height="64" rx="12" fill="{accent}"/>'
        f'<path d="M12 18c7-3 14-2 20 2v28c-6-4-13-5-20-2z" fill="{background}"/>'
        f'<path d="M52 18c-7-3-14-2-20 2v28c6-4 13-5 20-2z" fill="{background}" fill-opacity=".8"/>'
        "</svg>\n"
    ).encode()


def precache(files: Mapping[str, bytes | Stored]) -> bytes:
    """precache.js over these files."""
    digests = {path: digest(file) if isinstance(file, bytes) else file.digest for path, file in files.items()}
    size_bytes = sum(len(file) if isinstance(file, bytes) else file.size_bytes for file in files.values())
    addresses = sorted(address(path, files) for path in files)
    version = digest(canonical(digests)).removeprefix("sha256:")[:16]
    return b"self.precache = " + canonical({"version": version, "paths": addresses, "size_bytes": size_bytes}) + b";\n"


def _colours(course: ExportCourse) -> tuple[str, str]:
    colours: Mapping[str, str | None] = course.metadata["theme"].get("colours") or {}
    return colours.get("accent") or _ACCENT, colours.get("background") or _BACKGROUND
