"""The originals of a draft in a folder: `cover.jpg` for the asset `cover`."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from content.errors import InvalidInput, Problem

MEDIA_TYPES = {
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".wav": "audio/wav",
    ".heic": "image/heic",
    ".webp": "image/webp",
    ".mkv": "video/x-matroska",
}
UNKNOWN = "application/octet-stream"


def originals(document: dict[str, Any], folder: Path | None) -> dict[str, tuple[Path, str]]:
    """asset id → (file, media type) for every asset that the draft names. A draft that is valid is expected.

    Raises InvalidInput `media-missing` with every asset that has no file, or more than one.
    """
    from content.drafts import parse

    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder and folder.is_dir() else []
    found: dict[str, tuple[Path, str]] = {}
    problems: list[Problem] = []
    for original in parse(document).originals():
        named = [path for path in files if path.name == original.asset] or [
            path for path in files if path.stem == original.asset
        ]
        if len(named) == 1:
            found[original.asset] = named[0], media_type(named[0])
        else:
            what = f"{len(named)} files are called “{original.asset}”" if named else f"no file for “{original.asset}”"
            problems.append(
                Problem(original.pointers[0], "media-missing", f"{what} in {folder or 'no folder at all'}.")
            )
    if problems:
        raise InvalidInput(
            "media-missing",
            "The draft names media that were not given.",
            "Put each original into the folder of --media, named by its asset id.",
            False,
            tuple(problems),
        )
    return found


def media_type(path: Path) -> str:
    """By the file's ending; what is unknown is left to the probe, which looks at the bytes."""
    suffix = path.suffix.lower()
    return MEDIA_TYPES.get(suffix) or mimetypes.guess_type(path.name)[0] or UNKNOWN
