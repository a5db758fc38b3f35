"""The shell in which a page plays imported packages out of a bundle: five files of ours at `/_player/` of each package's origin.

They are the same for everybody and name nobody, so they need no signature; whom they may be framed by the policy says. What they
play, the page around hands over: below `/_player/content/` there is nothing here, only what the shell's service worker answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.responses import Response

from cluster import player
from cluster.edge import edge_rules
from content.errors import ContentError
from content.media_types import media_type, with_charset

PREFIX: Final = f"/{edge_rules.SHELL}"
WORKER: Final = edge_rules.SHELL_WORKER


def shell_file(path: str, headers: Mapping[str, str], folder: Path = player.SHELL) -> Response:
    """Raises ContentError `not-found`."""
    name = path.removeprefix(PREFIX) or "index.html"
    if "/" in name or name.startswith(".") or not (folder / name).is_file():
        raise ContentError("not-found", "There is nothing here.")
    told = {**headers, "cache-control": "no-cache", **edge_rules.ALWAYS}
    return Response((folder / name).read_bytes(), headers=told, media_type=with_charset(media_type(name)))
