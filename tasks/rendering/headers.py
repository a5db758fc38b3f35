"""What a film's bytes say where the library says nothing: whether the end is missing, and what its codecs are called."""

from __future__ import annotations

import re
from pathlib import Path

_CODEC_NAMES = re.compile(rb"stsd[\s\S]{12}([\x20-\x7e]{4})|([VA]_[A-Z0-9/._]{2,30})")
_READ_BYTES = 1 << 20
_MAX_BOXES = 1000


def is_cut_short(path: Path) -> bool:
    """Whether this is an MP4 whose last box (ISO 14496-12 §4.2) is longer than what is left of the file."""
    size, at = path.stat().st_size, 0
    with path.open("rb") as file:
        for number in range(_MAX_BOXES):
            file.seek(at)
            header = file.read(16)
            if len(header) < 8 or (number == 0 and header[4:8] != b"ftyp"):
                return 0 < len(header) < 8 and number > 0
            length = int.from_bytes(header[:4])
            if length == 1:
                length = int.from_bytes(header[8:16])
            if length < 8:  # 0: to the end of the file; less: no box
                return False
            at += length
            if at >= size:
                return at > size
    return False


def codec_names(path: Path) -> list[str]:
    """The names of codecs that stand at the beginning and the end of an MP4 or Matroska file."""
    with path.open("rb") as file:
        data = file.read(_READ_BYTES)
        file.seek(max(0, path.stat().st_size - _READ_BYTES))
        data += file.read(_READ_BYTES)
    found = [(mp4 or matroska).decode("ascii").strip() for mp4, matroska in _CODEC_NAMES.findall(data)]
    return list(dict.fromkeys(found))[:8]
