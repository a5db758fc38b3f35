"""Which renditions of a course go into an export, and under which names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from content.exports.options import Options
from content.media.choose import PROFILES, choose
from content.media.renditions import Rendition

# A page opened from a disk has no media types but those that follow from names. What is not here is a download.
EXTENSIONS = {
    "image/webp": "webp",
    "image/avif": "avif",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "video/mp4": "mp4",
    "audio/mp4": "m4a",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "text/vtt": "vtt",
    "text/plain": "txt",
    "text/csv": "csv",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "application/epub+zip": "epub",
    "application/json": "json",
    "application/rtf": "rtf",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
}


def chosen_renditions(renditions: Sequence[Rendition], options: Options) -> list[Rendition]:
    """One rendition of each role for the profile; of pictures each width up to the profile's, so that a page can offer
    them all. Where films are left out their sound and the stills of their scenes stand in, if a build made them. In order of
    role, width and media type."""
    offered = [each for each in renditions if options.video or each.role != "video"]
    chosen = {each for each in choose(offered, options.profile) if each.role not in ("image", "still")}
    if not options.video:
        chosen |= {each for each in offered if each.role == "still"}
    pictures = [each for each in renditions if each.role == "image"]
    limit = max(PROFILES[options.profile].image_width, min((each.width or 0 for each in pictures), default=0))
    chosen |= {each for each in pictures if (each.width or 0) <= limit}
    return sorted(chosen, key=lambda each: (each.role, each.width or 0, each.at_s or 0, each.media_type, each.digest))


def media_path(rendition: Rendition) -> str:
    """Where a rendition lies in every export: its name follows from its bytes."""
    extension = EXTENSIONS.get(rendition.media_type, "bin")
    return f"media/{rendition.digest.removeprefix('sha256:')[:24]}.{extension}"


def rendition_document(each: Rendition, path: str) -> dict[str, Any]:
    sizes = {"width": each.width, "height": each.height, "duration_s": each.duration_s, "at_s": each.at_s}
    return {
        "role": each.role,
        "media_type": each.media_type,
        "path": path,
        **{name: value for name, value in sizes.items() if value is not None},
        "size_bytes": each.size_bytes,
        "digest": each.digest,
    }
