"""Making a damaged part whole: the same bytes again, from the assets it was encrypted from.

Salt and nonce prefix of a file follow from content key, part and file (docs/bundle-format.md, "Stream"), so encrypting the
asset again gives the segments that the index vouches for. Each is compared before it counts, and nothing takes the damaged
part's place unless all of them are right: an upload is completed at the end or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cluster.objects import PIECE, Objects
from content.bundles.index import IndexFile
from content.bundles.keys import ContentKey, associated_data, file_id, stream_start
from content.bundles.stream import SALT_BYTES, FileSealer, block_sizes
from content.canonical import DIGEST_PREFIX
from content.errors import ContentError
from tasks.sealing import Source


def heal(
    objects: Objects,
    prefix: str,
    path: str,
    size: int,
    files: Sequence[IndexFile],
    sources: Sequence[Source],
    keys: Mapping[str, ContentKey],
) -> None:
    """Write the part `path` of `size` bytes anew; `files` are all its files in order, `keys` the content keys by kid. Blocks.

    Raises ContentError `part-not-healed` where the assets do not lead to the bytes that were signed, or what the store
    raises; the stored part is then as it was.
    """
    by_id = {(kid, file_id(key, source.digest)): source for kid, key in keys.items() for source in sources}
    upload = objects.begin(prefix + path)
    try:
        pieces: list[dict[str, Any]] = []
        written = 0
        for body in _pieces(_segments(objects, path, files, by_id, keys)):
            pieces.append(objects.piece(prefix + path, upload, len(pieces) + 1, body))
            written += len(body)
        if written != size:
            raise ContentError("part-not-healed", f"The files known of {path} are not all of it.")
        objects.finish(prefix + path, upload, pieces)
    except BaseException:
        objects.abort(prefix + path, upload)
        raise


def _segments(
    objects: Objects,
    path: str,
    files: Sequence[IndexFile],
    by_id: Mapping[tuple[str, str], Source],
    keys: Mapping[str, ContentKey],
) -> Iterator[bytes]:
    """The part's segments, each as the index vouches for it."""
    for file in files:
        source = by_id.get((file.kid, file.id))
        if source is None:
            raise ContentError("part-not-healed", f"What the file {file.id} of {path} was made from is not known.")
        key = keys[file.kid]
        start = stream_start(key, path, file.id)
        sealer = FileSealer(
            key.key,
            associated_data(file.kid, file.id),
            size=file.size,
            salt=start[:SALT_BYTES],
            nonce_prefix=start[SALT_BYTES:],
        )
        plain = hashlib.sha256()
        for i, block in enumerate(objects.read(source.key, block_sizes(file.size))):
            plain.update(block)
            segment = bytes(sealer.encrypt(block))
            if hashlib.sha256(segment).digest() != file.segments[32 * i : 32 * i + 32]:
                raise ContentError("part-not-healed", f"The asset {source.digest} does not lead to what was signed.")
            yield segment
        if DIGEST_PREFIX + plain.hexdigest() != source.digest:
            raise ContentError("part-not-healed", f"The asset {source.digest} is changed, too.")


def _pieces(segments: Iterator[bytes]) -> Iterator[bytes]:
    """Joined to what an upload takes at a time."""
    buffer = bytearray()
    for segment in segments:
        buffer += segment
        if len(buffer) >= PIECE:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)
