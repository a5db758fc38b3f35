"""Formats that are not taken, each refused by its name."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from cluster.settings import Settings
from content.errors import ContentError
from content.media import Kind
from tasks.render import probe

SETTINGS = Settings()


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    body = major + b"\0\0\0\0" + b"".join(compatible)
    return (len(body) + 8).to_bytes(4) + b"ftyp" + body + b"\0\0\0\x08free"


def zipped() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.txt", "a")
    return data.getvalue()


def raw_tiff(tag: int, value: int) -> bytes:
    """A TIFF whose directory has one more tag, as cameras' formats do."""
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "TIFF", tiffinfo={tag: value})
    return data.getvalue()


FILM = ftyp(b"isom", b"isom", b"mp42") + b"\0" * 50
STRANGERS: list[tuple[Kind, bytes, str]] = [
    ("image", ftyp(b"heic", b"mif1"), "HEIC"),
    ("image", ftyp(b"mif1", b"mif1", b"heic"), "HEIC"),
    ("image", ftyp(b"crx ", b"crx ", b"isom"), "raw"),
    ("image", FILM, "film"),
    ("image", b"\x1aE\xdf\xa3" + b"\0" * 50, "film"),
    ("image", b"RIFF\0\0\0\0AVI LIST", "film"),
    ("image", b"%PDF-1.7\n", "PDF"),
    ("image", b"8BPS\0\x01", "Photoshop"),
    ("image", b"\0\0\x01\0\x01\0", "ICO"),
    ("image", b"\xff\x0a" + b"\0" * 20, "JPEG XL"),
    ("image", b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
    ("image", b"%!PS-Adobe-3.0 EPSF-3.0", "PostScript"),
    ("image", b"FUJIFILMCCD-RAW 0201", "raw"),
    ("image", b"IIU\0\x08\0", "raw"),
    ("image", b"II*\0\x10\0\0\0CR\x02\0", "raw"),
    ("image", raw_tiff(0x00FE, 1), "raw"),
    ("image", raw_tiff(0xC612, 1), "raw"),
    ("image", zipped(), "ZIP"),
    ("image", b"\x1f\x8b\x08\0", "gzip"),
    ("image", b"<!DOCTYPE html><html>", "web page"),
    ("image", b"\x7fELF\x02", "program"),
    ("video", zipped(), "ZIP"),
    ("video", b"\xff\xd8\xff\xe0", "picture (JPEG)"),
    ("video", ftyp(b"avif", b"mif1"), "picture (AVIF)"),
    ("video", b"#EXTM3U\n#EXT-X-VERSION:3\n", "list of other files"),
    ("video", b"\xff\xfe#\0E\0X\0T\0M\0003\0U\0", "list of other files"),
    ("video", b"ffconcat version 1.0\nfile x.mp4\n", "list of other files"),
    ("video", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    ("video", b"%PDF-1.7\n", "PDF"),
    ("audio", b"[playlist]\nFile1=http://x.example/\n", "list of other files"),
    ("audio", b"\x89PNG\r\n\x1a\n", "picture (PNG)"),
]


@pytest.mark.parametrize(("kind", "data", "name"), STRANGERS)
def test_refused_by_name_with_a_way_out(kind: Kind, data: bytes, name: str, tmp_path: Path):
    path = tmp_path / "original"
    path.write_bytes(data)
    with pytest.raises(ContentError) as refused:
        probe(path, kind, SETTINGS, "my-asset")
    assert refused.value.code == "media-unsupported"
    assert "my-asset" in refused.value.message and name in refused.value.message
    assert refused.value.remedy
    assert not refused.value.retryable


@pytest.mark.parametrize("data", [b"", b"\0" * 5000])
@pytest.mark.parametrize("kind", ["image", "video", "audio"])
def test_nothing_in_it(kind: Kind, data: bytes, tmp_path: Path):
    path = tmp_path / "original"
    path.write_bytes(data)
    with pytest.raises(ContentError) as refused:
        probe(path, kind, SETTINGS, "my-asset")
    assert (refused.value.code, refused.value.remedy) == ("media-unreadable", "Upload it anew.")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_what_is_taken_whatever_its_name(form: str, tmp_path: Path):
    path = tmp_path / "picture.mp4"
    Image.new("RGB", (40, 30), "red").save(path, form)
    found = probe(path, "image", SETTINGS)
    assert (found.width, found.height, found.codec) == (40, 30, form.lower())
