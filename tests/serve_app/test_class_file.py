"""One file for a class: every device that may have the course and no other, checked before anybody carries it away."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from content.devices.identity import DeviceIdentity
from content.errors import ContentError
from serve_app.cli import main
from serve_app.client import Client
from serve_app.device import class_choice, download
from serve_app.device.class_choice import Wanted, choose
from serve_app.device.class_file import gather
from serve_app.device.download import Silent
from serve_app.device.exporting import Exported
from serve_app.device.importing import import_file
from tests.serve_app.device_world import API, FILM, NOW, Made, Shop, bundle, phone, problem
from tests.serve_app.test_device_stick import another, film
from tests.vectors import world as w

pytestmark = pytest.mark.usefixtures("no_pauses")

OWNERS = (w.PHONE, w.TABLET, w.CLASSMATE)


class School(Shop):
    """The API as a teacher's token sees it. `left` are enrolments, devices and versions that are over."""

    def __init__(self, bundles: list[Made], **more: Any) -> None:
        super().__init__(bundles, **more)
        self.rows: dict[str, dict[str, Any]] = {}
        self.left: set[str] = set()
        self.taken_back: set[str] = set()

    def teacher(self) -> Client:
        transport = httpx.MockTransport(self._teacher)
        return Client(API, token="of-a-teacher", clock=lambda: NOW, transport=transport)

    def _teacher(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer of-a-teacher"
        kind, _, name = request.url.path.removeprefix("/v1/").partition("/")
        state = "over" if name in self.left else "active"
        if kind in ("enrolments", "devices"):
            return httpx.Response(200, json={"state": state})
        if kind == "packages" and name == w.PACKAGE:
            return httpx.Response(200, json={"version": max(made.licence.version for made in self.bundles)})
        if kind == "packages" and name.startswith(f"{w.PACKAGE}/versions/"):
            state = "withdrawn" if name.rpartition("/")[2] in self.left else "published"
            return httpx.Response(200, json={"state": state})
        if kind == "bundles" and not name:
            asked = request.url.params
            assert (asked["state"], asked["package_id"]) == ("ready", w.PACKAGE)
            rows = [self._row(made) for made in self.bundles]
            known = ("device_id", "learner_id", "enrollment_id")
            rows = [row for row in rows if all(asked.get(each, row[each]) == row[each] for each in known)]
            return httpx.Response(200, json={"items": rows, "next": None})
        if kind == "revocations":
            assert request.url.params["kind"] == "bundle"
            return httpx.Response(200, json={"items": [{"subject": each} for each in self.taken_back], "next": None})
        if kind == "packages":
            return problem(404, "not-found")
        request.headers["content-tenant"], request.headers["dpop"] = w.TENANT, "not asked for"
        return self._api(request)

    def _row(self, made: Made) -> dict[str, Any]:
        licence = made.licence
        number = [each.id for each in OWNERS].index(licence.device.id)
        row = {
            **super()._row(made), "device_id": licence.device.id, "learner_id": f"learner-{number}",
            "enrollment_id": f"enr-{number}", "profile": licence.profile, "policy": "shared",
            "index_digest": licence.index.digest,
        }  # fmt: skip
        return row | self.rows.get(licence.bundle_id, {})


@pytest.fixture
def school(first: Made) -> School:
    return School([first, *(another(owner, first) for owner in OWNERS[1:])])


def export(school: School, folder: Path, **wanted: Any) -> Exported:
    parts = folder / "parts"
    parts.mkdir(exist_ok=True)
    with school.teacher() as api, school.edge() as edge:
        offers = choose(api, Wanted(w.PACKAGE, **wanted))
        return gather(api, edge, w.TENANT, offers, folder / "class.cbundle", parts, NOW, Silent())


def refused(code: str, school: School, folder: Path, **wanted: Any) -> ContentError:
    with pytest.raises(ContentError) as found:
        export(school, folder, **wanted)
    assert found.value.code == code, found.value
    assert not (folder / "class.cbundle").exists()
    return found.value


def opens(folder: Path, owner: DeviceIdentity) -> bool:
    device = phone(folder / f"phone of {owner.id}", owner)
    try:
        assert import_file(device, folder / "class.cbundle", NOW, Silent()).taken
    except ContentError as error:
        assert error.code == "container-device"
        return False
    assert film(device) == FILM
    return True


def test_one_file_opens_on_each_device(school: School, tmp_path: Path, first: Made) -> None:
    found = export(school, tmp_path)
    assert (found.devices, found.parts, found.version, found.bundle_id) == (3, 1, 1, None)
    assert found.bytes == (tmp_path / "class.cbundle").stat().st_size
    assert all(opens(tmp_path, owner) for owner in OWNERS)
    assert sorted(count for _, _, count in school.served) == sorted(len(data) for data in first.blobs.values())


def test_a_broken_download_goes_on(school: School, tmp_path: Path, first: Made) -> None:
    school.cut_after = [1000, 500_000]
    school.expired_urls = 4
    export(school, tmp_path)
    assert sum(count for path, _, count in school.served if path == first.part) == len(first.blobs[first.part])
    assert opens(tmp_path, w.TABLET)


@pytest.mark.parametrize(("member", "value"), [("device_id", w.TABLET.id), ("learner_id", "learner-1")])
def test_a_filter_leaves_the_others_out(school: School, tmp_path: Path, member: str, value: str) -> None:
    assert export(school, tmp_path, **{member: value}).devices == 1
    assert [opens(tmp_path, owner) for owner in OWNERS] == [False, True, False]


@pytest.mark.parametrize("gone", ["enr-2", w.CLASSMATE.id])
def test_who_has_left_gets_nothing(school: School, tmp_path: Path, gone: str) -> None:
    school.left.add(gone)
    assert export(school, tmp_path).devices == 2
    assert [opens(tmp_path, owner) for owner in OWNERS] == [True, True, False]


def test_what_is_revoked_is_left_out(school: School, tmp_path: Path) -> None:
    school.revoked = w.revocations(version=(1, 9), devices=(w.PHONE.id,))
    assert export(school, tmp_path).devices == 2
    assert [opens(tmp_path, owner) for owner in OWNERS] == [False, True, True]
    (tmp_path / "class.cbundle").unlink()
    school.revoked = w.revocations(version=(1, 9), packages=(w.PACKAGE,))
    refused("bundle-revoked", school, tmp_path)


def test_two_enrolments_of_a_device_are_one_licence(school: School, tmp_path: Path) -> None:
    later = bundle(1, bundle_id="bnd_" + "0" * 26, sequence=w.Order(1, 1, 9))
    school.bundles.insert(0, later)
    assert export(school, tmp_path).devices == 3
    assert opens(tmp_path, w.PHONE)
    device = phone(tmp_path / "again")
    taken = import_file(device, tmp_path / "class.cbundle", NOW, Silent()).taken
    assert taken is not None
    assert taken.bundle_id == later.licence.bundle_id


def test_one_index_a_file(school: School, tmp_path: Path, first: Made) -> None:
    alone = bundle(1, owner=w.TABLET)
    school.bundles = [first, alone]
    school.rows = {made.licence.bundle_id: {"policy": "device"} for made in school.bundles}
    assert "policy device" in refused("bundle-ambiguous", school, tmp_path).message
    assert export(school, tmp_path, device_id=w.TABLET.id).bundle_id == alone.licence.bundle_id
    assert opens(tmp_path, w.TABLET)
    (tmp_path / "class.cbundle").unlink()
    school.rows = {alone.licence.bundle_id: {"profile": "desktop"}}
    assert "desktop, phone" in refused("bundle-ambiguous", school, tmp_path).message
    (tmp_path / "parts" / "0.part").unlink(), (tmp_path / "parts" / "index.json").unlink()
    assert export(school, tmp_path, profile="phone").devices == 1


def test_a_class_has_an_end(school: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_choice, "MAX_LICENCES", 2)
    refused("class-too-large", school, tmp_path)
    assert export(school, tmp_path, device_id=w.PHONE.id).devices == 1


def test_what_is_not_there_is_said(school: School, tmp_path: Path) -> None:
    refused("bundle-missing", school, tmp_path, version=7)
    refused("bundle-missing", school, tmp_path, profile="desktop")
    refused("bundle-missing", school, tmp_path, learner_id="nobody")
    school.left.add("1")
    refused("version-withdrawn", school, tmp_path)
    school.bundles.append(bundle(2, after=school.bundles[0]))
    assert export(school, tmp_path).version == 2


@pytest.mark.parametrize("what", ["part", "index", "licence"])
def test_what_was_damaged_on_the_way_is_not_carried_away(
    school: School, tmp_path: Path, first: Made, what: str
) -> None:
    code = {"part": "segment-digest", "index": "index-digest", "licence": "signature-proof"}[what]
    blobs = dict(first.blobs)
    path = first.part if what == "part" else first.licence.index.path
    if what == "licence":
        school.bundles[1] = replace(school.bundles[1], licence=replace(school.bundles[1].licence, issue=2))
    else:
        blobs[path] = blobs[path][:-9] + bytes([blobs[path][-9] ^ 1]) + blobs[path][-8:]
        school.bundles = [replace(made, blobs=blobs) for made in school.bundles]
    refused(code, school, tmp_path)


def test_the_command(
    school: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line to a file, with the API and the edge in memory."""
    import serve_app.client
    from tests.support.answers import token

    told: list[str | None] = []

    def client(url: str, *, token: str | None = None, **_: Any) -> Client:
        told.append(token)
        return school.teacher()

    monkeypatch.setattr(serve_app.client, "Client", client)
    monkeypatch.setattr(download, "edge_client", school.edge)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["bundles", "export", "--api", API, "--token", token(w.TENANT), "--package", w.PACKAGE, *arguments])
        return int(ended.value.code or 0), capsys.readouterr().out

    code, text = run()
    assert code == 0
    assert text.startswith("class.cbundle  version 1 for 3 devices, ")
    assert max(map(len, text.splitlines())) <= 80
    code, text = run("--learner", "learner-1", "-o", "one.cbundle", "--json")
    assert (code, json.loads(text)["devices"], json.loads(text)["file"]) == (0, 1, "one.cbundle")
    code, text = run("--version", "9", "--json")
    assert (code, json.loads(text)["error"]["code"]) == (1, "bundle-missing")
    assert told == [token(w.TENANT)] * 3
    assert {path.name for path in tmp_path.iterdir()} == {"class.cbundle", "one.cbundle"}
    assert opens(tmp_path, w.CLASSMATE)
