"""A published export: the files of its zip one by one in the store, where the edge serves them as a site.

Renditions are copied inside the store. The files lie below the folder of the attempt, beside its zip, and are named by no row of
their own: whoever removes the zip removes them, and a site of which no row names the zip is garbage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import PurePosixPath

from cluster import places
from cluster.objects import MEDIA_TYPE, Objects
from content.errors import ContentError
from content.exports import Entry, Stored

AT_ONCE = 8
TYPES = {
    "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
    "json": "application/json", "webmanifest": "application/manifest+json", "txt": "text/plain; charset=utf-8",
    "xml": "application/xml", "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg", "gif": "image/gif",
    "webp": "image/webp", "avif": "image/avif", "ico": "image/vnd.microsoft.icon", "mp4": "video/mp4", "m4a": "audio/mp4",
    "mp3": "audio/mpeg", "opus": "audio/ogg", "ogg": "audio/ogg", "webm": "video/webm", "vtt": "text/vtt; charset=utf-8",
    "pdf": "application/pdf", "woff2": "font/woff2",
}  # fmt: skip
"""By the ending of a name; a browser is told not to guess, so what is not here is only downloaded."""


def media_type(path: str) -> str:
    return TYPES.get(PurePosixPath(path).suffix.lower().lstrip("."), MEDIA_TYPE)


def publish(
    objects: Objects, tenant: str, folder: str, entries: Sequence[Entry], each: Callable[[float], None]
) -> None:
    """Put every entry below `folder`, an attempt's without `/` at its end. Blocks; `each` is told the share that
    is done before each file, and may raise. Raises what the store raises; then what lies below `folder` is removed, if it can be."""

    def put(number: int, entry: Entry) -> None:
        each(number / len(entries))
        key = f"{folder}{places.SITE}{entry.path}"
        if isinstance(entry.content, Stored):
            objects.copy(places.asset(tenant, entry.content.digest), key, media_type(entry.path))
        else:
            objects.put(key, entry.content, media_type(entry.path))

    try:
        with ThreadPoolExecutor(AT_ONCE) as workers:
            try:
                for _ in workers.map(put, range(len(entries)), entries):
                    pass
            except BaseException:
                workers.shutdown(cancel_futures=True)
                raise
    except BaseException:
        with suppress(ContentError):  # what is left garbage collection finds
            objects.delete([key for key, _ in objects.keys(f"{folder}/")])
        raise
