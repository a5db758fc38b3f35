"""The demo's course under ids of its own for each run, so that it can run any number of times on one stack.

The changed picture gets a comment with the run's name: its bytes are new in each run, so its renditions are too, while
all others come from the cache from the second run on.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from serve_app.demo_course import make_demo_course

MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".mp4": "video/mp4",
    ".wav": "audio/wav",
    ".srt": "application/x-subrip",
}
Media = Mapping[str, tuple[Path, str]]


@dataclass(frozen=True)
class RunCourse:
    """Both revisions of the draft and the originals that each needs: media id → (file, media type)."""

    course_id: str
    draft_id: str
    draft: Mapping[str, Any]
    changed_draft: Mapping[str, Any]
    media: Media
    changed_media: Media
    changed_asset: str


def make_run_course(folder: Path, run: str) -> RunCourse:
    """Raises ContentError `demo-media-missing`."""
    found = make_demo_course(folder)
    course_id, draft_id = f"{found.course_id}-{run}", f"{found.draft_id}-{run}"
    changed = f"{found.changed_asset}-{run}"
    fresh = folder / f"{changed}.png"
    comment = PngInfo()
    comment.add_text("Comment", f"run {run}")
    with Image.open(found.media[found.changed_asset]) as picture:
        picture.save(fresh, pnginfo=comment)
    media = {name: _typed(path) for name, path in found.media.items() if name != found.changed_asset}
    second = _renamed(found.changed_draft, found.changed_asset, changed)
    return RunCourse(
        course_id,
        draft_id,
        {**copy.deepcopy(dict(found.draft)), "course_id": course_id, "draft_id": draft_id},
        {**second, "course_id": course_id, "draft_id": draft_id},
        media,
        {changed: _typed(fresh)},
        changed,
    )


def _typed(path: Path) -> tuple[Path, str]:
    return path, MEDIA_TYPES.get(path.suffix, "application/octet-stream")


def _renamed(document: Any, old: str, new: str) -> Any:
    """The same JSON with one asset's id changed, wherever it stands."""
    if isinstance(document, Mapping):
        return {(new if key == old else key): _renamed(value, old, new) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [_renamed(value, old, new) for value in document]
    return new if document == old else document
