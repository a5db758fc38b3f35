"""What is made by whoever looks at an original is what its recipes make one by one, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cluster.settings import Settings
from content.errors import ContentError
from content.media import MOST_AT_ONCE, made_at_once, plan
from content.media.probe import Kind
from tasks.render import look, probe, render
from tests.support.sandboxes import sandboxed

SETTINGS = Settings()
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 30"><path d="M0 0h4v4z"/></svg>'


def photo(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.effect_mandelbrot((2400, 1500), (-2, -1, 1, 1), 40).convert("RGB").save(path, "JPEG", exif=exif)


def animation(path: Path) -> None:
    frames = [Image.new("RGB", (50, 40), colour) for colour in ("red", "green")]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:], duration=120)


ORIGINALS: dict[str, tuple[Kind, Callable[[Path], object], int]] = {
    "a photo, all rungs of the ladder": ("image", photo, MOST_AT_ONCE),
    "a small picture": ("image", lambda path: Image.new("RGBA", (100, 50)).save(path, "PNG"), 2),
    "shapes": ("image", lambda path: path.write_text(SVG), 1),
    "captions": ("captions", lambda path: path.write_text("1\n00:00:00,000 --> 00:00:01,000\nfajr\n"), 1),
    "an animation, which may be dear": ("image", animation, 0),
    "a file": ("file", lambda path: path.write_bytes(b"PK"), 0),
}


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_same_bytes_as_one_by_one(name: str, tmp_path: Path) -> None:
    kind, write, count = ORIGINALS[name]
    original, out, single = tmp_path / "original", tmp_path / "out", tmp_path / "single"
    write(original)
    out.mkdir()
    single.mkdir()
    found, made = look(original, kind, out, SETTINGS)
    assert found == probe(original, kind, SETTINGS)
    assert len(made) == count
    assert made_at_once(found) is bool(made)
    recipes = plan(kind, found)
    assert len(recipes) <= MOST_AT_ONCE
    for each, recipe in zip(made, recipes, strict=bool(made)):
        one = render(original, recipe, single, lambda _: None, SETTINGS)
        assert each.rendition == one.rendition
        assert each.path.read_bytes() == one.path.read_bytes()
    assert sorted(out.iterdir()) == sorted(each.path for each in made)


@pytest.mark.parametrize("kind", ["image", "captions"])
def test_a_fault_leaves_nothing(kind: Kind, tmp_path: Path) -> None:
    original, out = tmp_path / "original", tmp_path / "out"
    original.write_text("neither picture nor captions")
    out.mkdir()
    with pytest.raises(ContentError, match="my-asset") as refused:
        look(original, kind, out, SETTINGS, "my-asset")
    assert refused.value.code in ("media-unreadable", "captions-unreadable")
    assert list(out.iterdir()) == []
    assert sandboxed(tmp_path) == []


def test_a_limit_that_is_passed_leaves_nothing(tmp_path: Path) -> None:
    original, out = tmp_path / "original", tmp_path / "out"
    photo(original)
    out.mkdir()
    with pytest.raises(ContentError) as refused:
        look(original, "image", out, Settings(render_max_output_bytes=2000))
    assert refused.value.code == "render-failed"
    assert list(out.iterdir()) == []


def test_captions_that_overlap_are_seen_in_the_sandbox(tmp_path: Path) -> None:
    original, out = tmp_path / "original", tmp_path / "out"
    original.write_text("WEBVTT\n\n00:01.000 --> 00:14.000\none\n\n00:12.500 --> 00:20.000\ntwo\n")
    out.mkdir()
    found, _ = look(original, "captions", out, SETTINGS)
    assert (found.overlaps, found.overlap_s) == (1, 12.5)
