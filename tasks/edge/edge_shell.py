"""The shell of imported packages in the bucket, from where a CDN serves it at `/_player/` of each package's origin (ADR 0035).

The local edge reads it from the player as it was built; here the same files are put below the prefix that `cluster.edge.edge_rules` has for
them. They name nobody and are the same for all, so any process may put them there again at any time.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import structlog

from cluster import player
from cluster.edge import edge_rules
from cluster.objects import Objects
from content.errors import ContentError
from content.media_types import media_type, with_charset

log = structlog.get_logger()


def publish(objects: Objects, folder: Path = player.SHELL) -> int:
    """Put what differs and return how many files that were. Blocks. Raises ContentError `player-not-built`, `storage-unavailable`."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file()] if folder.is_dir() else []
    if not files:
        raise ContentError("player-not-built", "The player was not built.", "Run `make player`.")
    put = 0
    for path in files:
        body, key = path.read_bytes(), f"{edge_rules.SHELL}{path.name}"
        if _digest_of(objects, key) != hashlib.sha256(body).digest():
            objects.put(key, body, with_charset(media_type(path.name)))
            put += 1
    log.info("the shell of imported packages is in the bucket", files=len(files), put=put)
    return put


def _digest_of(objects: Objects, key: str) -> bytes | None:
    try:
        return hashlib.sha256(objects.get(key)).digest()
    except ContentError as error:
        if error.code == "object-missing":
            return None
        raise
