from __future__ import annotations

from typing import Any

from content.drafts import Draft
from content.drafts import parse as parse_draft
from content.errors import ContentError, InvalidInput
from content.media import Probe
from content.packages import invalid_media, media_findings


def course(*blocks: dict[str, Any]) -> Draft:
    return parse_draft(
        {
            "language": "en",
            "title": {"en": "T"},
            "description": {"en": "D"},
            "license": "CC0-1.0",
            "units": [{"id": "u", "title": {"en": "U"}, "blocks": list(blocks)}],
        }
    )


def picture(name: str, asset: str) -> dict[str, Any]:
    return {"type": "image", "id": name, "asset": asset, "decorative": True}


FILM = {
    "type": "video",
    "id": "film",
    "asset": "film-1",
    "captions": [{"asset": "words", "language": "en"}, {"asset": "other-words", "language": "de"}],
}


def test_every_broken_file_at_every_place_that_names_it():
    draft = course(picture("a", "cat"), FILM, picture("b", "dog"), picture("c", "cat"))
    cat = ContentError("media-unreadable", "The picture “cat” cannot be read: it ends early.", "Upload it anew.")
    words = ContentError("captions-unreadable", "The captions hold no text.", "Write some.")
    dog = Probe("image", "image/png", 10, 10)
    error = invalid_media(draft, {"words": words, "cat": cat}, media_findings(draft, {"dog": dog}))
    assert isinstance(error, InvalidInput)
    assert (error.code, error.message, error.retryable) == (
        "media-invalid",
        "2 files of the course cannot be used.",
        False,
    )
    assert [(each.pointer, each.code, each.severity) for each in error.problems] == [
        ("/units/0/blocks/0/asset", "media-unreadable", "error"),
        ("/units/0/blocks/3/asset", "media-unreadable", "error"),
        ("/units/0/blocks/1/captions/0/asset", "captions-unreadable", "error"),
        ("/units/0/blocks/2/asset", "image-small", "warning"),
    ]
    assert error.problems[0].message == "The picture “cat” cannot be read: it ends early. Upload it anew."
    assert error.problems[2].message == "“words”: The captions hold no text. Write some."


def test_captions_that_go_on_after_the_film():
    draft = course(FILM)
    film = Probe("video", "video/mp4", 640, 360, duration_s=60.0)
    late = Probe("captions", "text/vtt", duration_s=95.2)
    fits = Probe("captions", "text/vtt", duration_s=60.9)
    (problem,) = media_findings(draft, {"film-1": film, "words": fits, "other-words": late})
    assert (problem.pointer, problem.code) == ("/units/0/blocks/0/captions/1/asset", "captions-late")
    assert "1:35" in problem.message and "1:00" in problem.message
    assert media_findings(draft, {"film-1": film}) == ()
