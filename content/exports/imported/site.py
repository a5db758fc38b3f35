"""The html export of an imported package: a page of ours around the package's own files.

    index.html              names the player and nothing else; its policy lets it show the files beside it in a frame
    course.js               globalThis.course = {"shape": 1, "kind": "scorm", "package_id", "version", "metadata", "scorm"}
    player.js, player.css   `player-imported.js` of the player
    content/<path>          the files as they came, the original manifest too

Its course is as it was imported, not repaired: content may call its items by their names. What the files may do is for the
headers of whoever serves them to say, since they are pages of their own; from a disk they are opened as any page is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from content.canonical import canonical
from content.exports.pages import COURSE, INDEX, SCRIPT, STYLE, skeleton
from content.exports.player_files import IMPORTED, PlayerFiles
from content.exports.player_files import STYLE as PLAYER_STYLE
from content.exports.xml import text

CONTENT: Final = "content/"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)


def site_files(course: Mapping[str, Any], player: PlayerFiles) -> dict[str, bytes]:
    """Our part of the site of a `course_document`. Raises ContentError `player-incomplete`."""
    metadata = course["metadata"]
    language, (direction,) = metadata["language"], [each["direction"] for each in metadata["languages"]]
    title = text(metadata["title"][language])
    return {
        INDEX: skeleton(language, direction, title, POLICY, (COURSE, SCRIPT)),
        COURSE: b"globalThis.course = " + canonical(course) + b";\n",
        SCRIPT: player.get(IMPORTED),
        STYLE: player.get(PLAYER_STYLE),
    }
