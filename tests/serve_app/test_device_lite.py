"""A film whose bundle holds its lite edition, as the page of an opened course shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serve_app.device.page_blocks import Speaker, block

SPEAK = Speaker("en", "en")
FILM = {
    "type": "video",
    "id": "v",
    "asset": "film",
    "title": {"en": "T"},
    "captions": [],
    "transcript": {"en": "<p>Said.</p>"},
}


@dataclass(frozen=True)
class File:
    name: str
    size_bytes: int = 9
    path: Path = Path("x")


def test_stills_and_sound_stand_in_for_the_film():
    roles = {"still-webp-02": File("film-b.webp"), "still-webp-01": File("film-a.webp"), "audio": File("film.m4a")}
    html = block(FILM, {"film": {**roles, "poster": File("film-poster.webp")}}, SPEAK)
    assert (
        html.index("film-a.webp")
        < html.index("film-b.webp")
        < html.index('<audio controls preload="metadata" src="assets/film.m4a"')
    )
    assert "<video" not in html
    assert "Said." in html
    assert "not in this bundle" not in html


def test_with_the_film_there_nothing_changes():
    html = block(FILM, {"film": {"video": File("film.mp4"), "poster": File("p.webp")}}, SPEAK)
    assert "<video" in html
    assert "<img" not in html


def test_a_film_of_which_nothing_is_there_is_said_to_be_absent():
    assert "not in this bundle" in block(FILM, {}, SPEAK)
