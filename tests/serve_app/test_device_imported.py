"""An imported package on a device: its files by their paths, names that no disk minds, and a page that runs nothing."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.canonical import digest
from content.exports import Stored
from serve_app.device.download import Silent
from serve_app.device.reading import open_offline, verify
from serve_app.device.safe_names import MAX_NAME_BYTES, safe_names
from serve_app.device.sync import sync
from serve_app.device.unpack import Opened, unpack
from tests.content.exports.examples import read as blob
from tests.content.packages import test_embedded as embedding
from tests.content.scorm.imported import FILES, course, manifest
from tests.serve_app.device_world import NOW, Shop, bundle, phone
from tests.vectors import world as w

ODD = {
    **FILES,
    "../../escaped.txt": b"no",
    "aux.txt": b"device",
    "A.txt": b"upper",
    "a.txt": b"lower",
    "/etc/x": b"root",
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    made = manifest(course(title="Birds <script>"), ODD, tenant=w.TENANT, package_id=w.PACKAGE)
    files = {made.digest: made.to_bytes(), **{digest(data): data for data in ODD.values()}}
    device, shop = phone(tmp_path_factory.mktemp("device") / "phone"), Shop([bundle(1, made_of=files)])
    with shop.api() as api, shop.edge() as edge:
        assert sync(device, api, edge, clock=lambda: NOW, watch=Silent()).taken[0].new
    with open_offline(device, device.shelf.find(None), NOW) as bundle_:
        assert verify(bundle_).files == len(files)
        return unpack(bundle_, tmp_path_factory.mktemp("out") / "course")


def test_every_file_is_there_under_its_path(opened: Opened):
    content = opened.folder / "content"
    for path, data in FILES.items():
        assert (content / path).read_bytes() == data
    assert (opened.assets, opened.bytes) == (len(ODD), sum(map(len, ODD.values())))
    assert opened.languages == ("de-CH",)
    assert opened.left_out == ()


def test_odd_names_stay_in_the_folder_and_apart(opened: Opened):
    written = [path for path in opened.folder.rglob("*") if path.is_file()]
    assert len(written) == len(ODD) + 2
    assert all(path.resolve().is_relative_to(opened.folder.resolve()) for path in written)
    assert not (opened.folder.parent / "escaped.txt").exists()
    below = {
        path.read_bytes(): path.relative_to(opened.folder / "content").as_posix()
        for path in written
        if "content" in path.parts
    }
    assert below[b"device"] == "_aux.txt"
    assert below[b"upper"].lower() != below[b"lower"].lower()


def test_the_page_tells_the_tree_and_opens_nothing(opened: Opened):
    page = opened.page.read_text(encoding="utf-8")
    assert "Birds &lt;script&gt;" in page
    assert "One &amp; &lt;b&gt;" in page
    assert page.index("Folder") < page.index("<ul><li>Two")
    assert "default-src 'none'" in page
    assert not any(each in page for each in ("<a ", "<script", "<iframe", "src="))


@pytest.fixture(scope="module", params=["whole", "without a file of the package"])
def with_embed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bool, Opened]:
    made = embedding.build(tenant=w.TENANT, package_id=w.PACKAGE)
    theirs = {digest(data): data for data in embedding.ODD.values()}
    ours = {
        file.digest: b"".join(blob(Stored(file.digest, file.size_bytes)))
        for file in made.files_for("phone")
        if file.digest not in theirs
    }
    left = {**theirs} if request.param == "whole" else dict(list(theirs.items())[1:])
    files = {made.digest: made.to_bytes(), **ours, **left}
    device, shop = phone(tmp_path_factory.mktemp("device") / "phone"), Shop([bundle(made.version, made_of=files)])
    with shop.api() as api, shop.edge() as edge:
        sync(device, api, edge, clock=lambda: NOW, watch=Silent())
    with open_offline(device, device.shelf.find(None), NOW) as bundle_:
        return request.param == "whole", unpack(bundle_, tmp_path_factory.mktemp("out") / "course")


def test_a_course_that_embeds_a_package_has_its_files_or_says_that_it_has_not(with_embed: tuple[bool, Opened]):
    whole, opened = with_embed
    folder = opened.folder / "embedded" / embedding.PACKAGE
    page = opened.page.read_text(encoding="utf-8")
    if not whole:
        assert not folder.exists()
        assert f"{embedding.PACKAGE}: not in this bundle." in page
        assert opened.left_out == ("three",)
        return
    for path, data in FILES.items():
        assert (folder / path).read_bytes() == data
    assert f"in embedded/{embedding.PACKAGE}" in page
    assert opened.left_out == ()


@given(st.lists(st.text(min_size=1, max_size=300), unique=True, max_size=8))
def test_names_are_safe_and_apart_whatever_the_paths(paths: list[str]):
    names = safe_names(paths)
    assert set(names) == set(paths)
    keys = {unicodedata.normalize("NFC", name.casefold()) for name in names.values()}
    assert len(keys) == len(names)
    for name in names.values():
        assert all(part not in ("", ".", "..") and len(part.encode()) <= MAX_NAME_BYTES for part in name.split("/"))
        assert not set(name) & set('<>:"\\|?*\0')
    files = {Path(name) for name in names.values()}
    assert not any(parent in files for name in files for parent in name.parents)


def test_harmless_names_stay():
    assert safe_names(FILES) == {path: path for path in FILES}
