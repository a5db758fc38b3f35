"""PDF documents: a picture of the first page, made in the sandbox; a broken one is passed on as it is, with a warning."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cluster.settings import Settings
from content.errors import ContentError
from content.media import Probe, findings, plan
from content.media.probe import Kind
from tasks import render as rendering
from tasks.render import look, probe, render
from tests.support.sandboxes import sandboxed

SETTINGS = Settings()
KIND: Kind = "file"


def pdf(path: Path, *sizes: tuple[int, int], colour: str = "red") -> Path:
    """A document with a page of each size, in pixels of 1/72 inch."""
    first, *others = (Image.new("RGB", size, colour) for size in sizes)
    first.save(path, "PDF", save_all=True, append_images=others)
    return path


def by_hand(path: Path, *, page: str = "/MediaBox [0 0 200 100]", stream: str = "", trailer: str = "") -> Path:
    """A document of one page, written out."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R {page} /Contents 4 0 R >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
    ]
    body, places = "%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{each}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    body += f"xref\n0 5\n0000000000 65535 f \n{table}trailer\n<< /Size 5 /Root 1 0 R {trailer} >>\nstartxref\n{len(body)}\n%%EOF"
    path.write_bytes(body.encode("latin-1"))
    return path


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ([(595, 842)], (320, 453)),
        ([(842, 595), (100, 100)], (320, 227)),
        ([(100, 50)], (320, 160)),
        ([(100, 5000)], (20, 960)),
        ([(5000, 10)], (320, 1)),
    ],
)
def test_a_picture_of_the_first_page(sizes: list[tuple[int, int]], shown: tuple[int, int], tmp_path: Path):
    path = pdf(tmp_path / "lesson.pdf", *sizes)
    found = probe(path, KIND, SETTINGS, "lesson")
    assert (found.media_type, found.frames, found.unshown) == ("application/pdf", len(sizes), "")
    copy, thumbnail = (render(path, each, tmp_path, lambda _: None, SETTINGS, "lesson") for each in plan(KIND, found))
    assert (copy.role, copy.media_type) == ("file", "application/pdf")
    assert copy.path.read_bytes() == path.read_bytes()
    assert (thumbnail.role, thumbnail.media_type) == ("thumbnail", "image/webp")
    with Image.open(thumbnail.path) as picture:
        assert picture.size == (thumbnail.width, thumbnail.height) == shown
        red, green, blue = picture.convert("RGB").getpixel((shown[0] // 2, shown[1] // 2))  # pyright: ignore
        assert red > 200 and green < 60 and blue < 60
    again = render(path, plan(KIND, found)[1], tmp_path, lambda _: None, SETTINGS, "lesson")
    assert again.digest == thumbnail.digest
    assert sandboxed(tmp_path) == []


def test_a_turned_page_is_shown_as_it_is_read(tmp_path: Path):
    path = by_hand(tmp_path / "a.pdf", page="/MediaBox [0 0 200 100] /Rotate 90")
    assert (probe(path, KIND, SETTINGS).width, probe(path, KIND, SETTINGS).height) == (320, 640)


def test_scripts_and_addresses_in_a_document_do_nothing(tmp_path: Path):
    action = "/AA << /O << /S /JavaScript /JS (app.alert\\(1\\)) >> >> /A << /S /URI /URI (http://127.0.0.1:1/) >>"
    path = by_hand(tmp_path / "a.pdf", page=f"/MediaBox [0 0 200 100] {action}", stream="1 0 0 rg 0 0 200 100 re f")
    assert probe(path, KIND, SETTINGS).unshown == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("cut", "cannot be shown"),
        ("locked", "password"),
        ("huge", "cannot be shown"),
        ("empty", "cannot be shown"),
        ("noise", "cannot be shown"),
    ],
)
def test_a_broken_document_is_passed_on_with_a_warning(name: str, why: str, tmp_path: Path):
    path = tmp_path / "a.pdf"
    match name:
        case "cut":
            path.write_bytes(pdf(path, (595, 842)).read_bytes()[:60])
        case "locked":
            locked = "<< /Filter /Standard /V 1 /R 2 /P -4 /O <" + "41" * 32 + "> /U <" + "42" * 32 + "> >>"
            by_hand(path, trailer=f"/Encrypt {locked} /ID [<00><00>]")
        case "huge":
            by_hand(path, page="/MediaBox [0 0 0 0]").write_bytes(b"%PDF-1.7\n" + b"\x00" * 5000)
        case "empty":
            path.write_bytes(b"%PDF-1.7\n%%EOF")
        case _:
            path.write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 50)
    found, made = look(path, KIND, tmp_path, SETTINGS, "lesson")
    assert made == ()
    assert (found.media_type, found.width) == ("application/pdf", 0)
    assert why in found.unshown and "lesson" in found.unshown
    (recipe,) = plan(KIND, found)
    assert recipe.role == "file"
    (problem,) = findings("lesson", found, ("/units/0/blocks/0/asset",))
    assert (problem.code, problem.severity) == ("pdf-unreadable", "warning")


def test_other_files_are_not_looked_into(tmp_path: Path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04" + b"\x00" * 2000 + b"%PDF-1.7")
    found = probe(path, KIND, SETTINGS)
    assert found == Probe(KIND, "application/octet-stream", size_bytes=path.stat().st_size)
    assert [each.name for each in plan(KIND, found)] == ["copy"]


@pytest.mark.parametrize(("code", "retryable"), [("render-failed", True), ("media-unreadable", True), ("x", False)])
def test_a_decoder_that_died_is_no_fact_about_a_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, retryable: bool
):
    def dies(*_: object) -> Probe:
        raise ContentError(code, "The decoder ended with -9.", "", retryable)

    monkeypatch.setattr(rendering, "_looked_at", dies)
    with pytest.raises(ContentError) as died:
        probe(pdf(tmp_path / "sheet.pdf", (595, 842)), KIND, SETTINGS)
    assert died.value.code == code
