"""The player as bytes: handed in, never read here, so that an export follows from its arguments alone.

    player-scorm12.js  player-scorm2004.js  player-cmi5.js  player-xapi.js  player-local.js   one for each adapter
    player-imported.js          plays an imported package in the html export
    player.css
    sw.js                       the service worker of the html export; it loads precache.js (`content.exports.html`)
    schemas/<edition>/<name>    control documents; editions are scorm12, scorm2004-3rd and scorm2004-4th
    schemas/LICENSE             the licence under which they were distributed
    licenses.txt                licences of what is bundled into the scripts; may be absent

Further files are of no concern here. After: `content.exports.plan`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from content.errors import ContentError

SCRIPTS = {
    "scorm12": "player-scorm12.js",
    "scorm2004-3rd": "player-scorm2004.js",
    "scorm2004-4th": "player-scorm2004.js",
    "cmi5": "player-cmi5.js",
    "xapi": "player-xapi.js",
    "html": "player-local.js",
}
IMPORTED = "player-imported.js"
STYLE = "player.css"
WORKER = "sw.js"
LICENSES = "licenses.txt"
SCHEMAS = "schemas/"
SCHEMA_LICENSE = "schemas/LICENSE"
# As they are called in a zip.
LICENSES_FILE = "licenses.txt"
SCHEMA_LICENSE_FILE = "control-documents-license.txt"


@dataclass(frozen=True)
class PlayerFiles:
    """What `make player` built. `version` is of the player: `files_version(files)`, 16 hexadecimal digits."""

    version: str
    files: Mapping[str, bytes]

    def get(self, name: str) -> bytes:
        """One file. Raises ContentError `player-incomplete`."""
        try:
            return self.files[name]
        except KeyError:
            message = f"The player was built without “{name}”."
            raise ContentError("player-incomplete", message, "Run `make player`, or install the whole wheel.") from None

    def schemas(self, edition: str) -> dict[str, bytes]:
        """The control documents of one edition by their relative name. Raises ContentError `player-incomplete`."""
        folder = f"{SCHEMAS}{edition}/"
        found = {name[len(folder) :]: self.files[name] for name in sorted(self.files) if name.startswith(folder)}
        if not found:
            self.get(folder)
        return found


def files_version(files: Mapping[str, bytes]) -> str:
    """The version of a player made of these files: names and bytes, in whatever order."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return total.hexdigest()[:16]
