"""A published export: the files of its zip one by one in the store, where the edge serves them as a site.

Renditions are copied inside the store. The files lie below the folder of the attempt, beside its zip, and are named by no row of
their own: whoever removes the zip removes them, and a site of which no row names the zip is garbage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from cluster import places
from cluster.objects import Objects
from content.errors import ContentError
from content.exports import Entry, Stored
from content.media_types import media_type, with_charset

AT_ONCE = 8


def publish(
    objects: Objects,
    tenant: str,
    folder: str,
    entries: Sequence[Entry],
    each: Callable[[float], None],
    place: str = places.SITE,
) -> None:
    """Put every entry below `folder`, an attempt's without `/` at its end, and there at `place`. Blocks; `each` is told the share that
    is done before each file, and may raise. Raises what the store raises; then what lies below `folder` is removed, if it can be."""

    def put(number: int, entry: Entry) -> None:
        each(number / len(entries))
        key, kind = f"{folder}{place}{entry.path}", media_type(entry.path)
        kind = kind if entry.foreign else with_charset(kind)
        if isinstance(entry.content, Stored):
            objects.copy(places.asset(tenant, entry.content.digest), key, kind)
        else:
            objects.put(key, entry.content, kind)

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
