"""Opening offline: what a person sees is what was published, and nothing of it can run."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import serve_app.cli.device as cli
from content.canonical import canonical
from content.errors import ContentError
from serve_app.cli import main
from serve_app.device.download import Silent
from serve_app.device.folder import DeviceFolder
from serve_app.device.reading import open_offline, verify
from serve_app.device.sync import sync
from serve_app.device.unpack import unpack
from tests.serve_app.device_world import (
    CAPTIONS,
    FILM,
    NOW,
    POSTER,
    SHEET,
    Shop,
    bundle,
    later,
    manifest,
    phone,
    picture,
)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> DeviceFolder:
    found, shop = phone(tmp_path_factory.mktemp("device") / "phone"), Shop([bundle(1)])
    with shop.api() as api, shop.edge() as edge:
        assert sync(found, api, edge, clock=lambda: NOW, watch=Silent()).taken[0].new
    return found


@pytest.fixture(scope="module")
def course(device: DeviceFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "course"
    with open_offline(device, device.shelf.find(None), NOW) as opened:
        made = unpack(opened, out)
    assert (made.assets, made.languages) == (6, ("en", "ar"))
    return out


class Page(HTMLParser):
    """Tags with their attributes, in order, and what stands in title and style."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_files_are_the_published_ones(course: Path) -> None:
    assert (course / "manifest.json").read_bytes() == canonical(manifest(1)[0])
    found = {path.name: path.read_bytes() for path in (course / "assets").iterdir()}
    assert set(found) == {"Pic-1.webp", "film.mp4", "film-poster.webp", "sound.m4a", "words.vtt", "sheet.pdf"}
    assert (found["Pic-1.webp"], found["film.mp4"], found["film-poster.webp"]) == (picture(1), FILM, POSTER)
    assert (found["words.vtt"], found["sheet.pdf"]) == (CAPTIONS, SHEET)


@pytest.mark.parametrize(
    ("name", "language", "direction"), [("index.html", "en", "ltr"), ("index.ar.html", "ar", "rtl")]
)
def test_a_page_per_language_shows_all_of_it(course: Path, name: str, language: str, direction: str) -> None:
    page = Page(course / name)
    assert page.all("html") == [{"lang": language, "dir": direction}]
    places = [
        attributes.get(member)
        for _, attributes in page.tags
        for member in ("src", "poster", "href")
        if attributes.get(member)
    ]
    local = {place for place in places if place and not place.startswith("data:")}
    assert all((course / place).is_file() for place in local)
    assert {Path(place).name for place in local} >= {path.name for path in (course / "assets").iterdir()}
    (track,) = page.all("track")
    assert base64.b64decode((track["src"] or "").partition("base64,")[2]) == CAPTIONS
    other = "index.ar.html" if language == "en" else "index.html"
    assert other in [attributes.get("href") for attributes in page.all("a")]


def test_what_the_bundle_was_planned_without_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found, shop = phone(tmp_path / "small"), Shop([bundle(1, without=(FILM, POSTER, CAPTIONS, SHEET))])
    with shop.api() as api, shop.edge() as edge:
        sync(found, api, edge, clock=lambda: NOW, watch=Silent())
    monkeypatch.setattr(cli, "_now", lambda: NOW)
    with pytest.raises(SystemExit):
        main(["device", "open", str(found.path), "-o", str(tmp_path / "course")])
    assert "2 assets" in (told := capsys.readouterr().out)
    assert "Not in this bundle: the files of u." in told
    text = (tmp_path / "course" / "index.html").read_text(encoding="utf-8")
    assert "film: not in this bundle." in text
    assert "sheet: not in this bundle." in text
    assert "<p>Not in this bundle:</p><ul><li>A &lt;b&gt;title&lt;/b&gt; &amp; more</li></ul>" in text
    assert "Three <em>notes</em>." in text, "what can be read is there"
    assert {path.name for path in (tmp_path / "course" / "assets").iterdir()} == {"Pic-1.webp", "sound.m4a"}


def test_a_whole_bundle_says_nothing_of_the_sort(course: Path) -> None:
    assert "ot in this bundle" not in (course / "index.html").read_text(encoding="utf-8")


def test_nothing_in_a_page_can_run(course: Path) -> None:
    for path in course.glob("*.html"):
        page = Page(path)
        assert not page.all("script")
        assert not [
            name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"
        ]
        (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
        assert policy is not None
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        text = path.read_text(encoding="utf-8")
        assert "<b>title" not in text
        assert "<b>Hello" not in text
        assert "Because <i>" not in text
    english = (course / "index.html").read_text(encoding="utf-8")
    assert "A &lt;b&gt;title&lt;/b&gt; &amp; more" in english
    assert 'alt="A &quot;quoted&quot; alt"' in english
    assert re.search(r'<li class="correct">Because &lt;i&gt;</li><li>No</li>', english)
    assert "<strong>Hi</strong>" in english
    assert "Three <em>notes</em>." in english


def test_a_folder_that_holds_something_is_left_alone(device: DeviceFolder, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with open_offline(device, device.shelf.find(None), NOW) as opened, pytest.raises(ContentError) as refused:
        unpack(opened, tmp_path)
    assert refused.value.code == "output-not-empty"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_tampered_part_leaves_no_folder(device: DeviceFolder, tmp_path: Path) -> None:
    path = device.shelf.blob(next(part for part in bundle(1).blobs if part.endswith(".part")))
    honest = path.read_bytes()
    path.write_bytes(honest[:-100] + bytes([honest[-100] ^ 1]) + honest[-99:])
    try:
        with pytest.raises(ContentError) as refused, open_offline(device, device.shelf.find(None), NOW) as opened:
            unpack(opened, tmp_path / "out")
    finally:
        path.write_bytes(honest)
    assert refused.value.code == "segment-digest"
    assert list(tmp_path.iterdir()) == []


def test_verify_reads_every_segment(device: DeviceFolder) -> None:
    with open_offline(device, device.shelf.find(None), NOW) as opened:
        found = verify(opened)
    assert (found.files, found.segments) == (7, 10)


def test_an_expired_licence_is_refused(device: DeviceFolder) -> None:
    with pytest.raises(ContentError) as refused, open_offline(device, device.shelf.find(None), later(301)):
        pass
    assert refused.value.code == "licence-expired"


def test_commands_offline(
    device: DeviceFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["device", *arguments])
        return int(ended.value.code or 0), capsys.readouterr().out

    monkeypatch.setattr(cli, "_now", lambda: NOW)
    folder = str(device.path)
    code, text = run("list", folder, "--json")
    assert (code, len(json.loads(text)["bundles"])) == (0, 1)
    code, text = run("verify", folder, "--json")
    assert (code, json.loads(text)["bundles"][0]["segments"]) == (0, 10)
    code, text = run("verify", folder)
    assert code == 0
    assert "✓ digest of the index" in text
    code, text = run("open", folder, "-o", str(tmp_path / "course"), "--json")
    assert (code, json.loads(text)["assets"]) == (0, 6)
    code, text = run("open", folder, "-o", str(tmp_path / "course"), "--json")
    assert (code, json.loads(text)["error"]["code"]) == (1, "output-not-empty")
    code, text = run("open", folder, "bnd_none", "-o", str(tmp_path / "none"), "--json")
    assert (code, json.loads(text)["error"]["code"]) == (1, "bundle-missing")
    code, text = run("new", str(tmp_path / "fresh"), "--tenant", "demo", "--json")
    assert (code, json.loads(text)["tenant"]) == (0, "demo")
    code, text = run("verify", str(tmp_path / "fresh"), "--json")
    assert (code, json.loads(text)["error"]["code"]) == (1, "bundle-missing")
    code, text = run("sync", str(tmp_path / "fresh"), "--json")
    assert (code, json.loads(text)["error"]["code"]) == (1, "device-not-registered")
