"""Courses and lists as single files: what comes off a stick is what went onto it, or the device stays as it was."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import serve_app.cli.sticks as cli
from content.bundles.container_layout import END_BYTES
from content.bundles.container_write import Course, Lists
from content.canonical import digest
from content.devices.identity import DeviceIdentity
from content.errors import ContentError
from content.signatures import sign_documents
from serve_app.cli import main
from serve_app.device import importing
from serve_app.device.download import Silent
from serve_app.device.exporting import export_bundle, export_lists, export_work
from serve_app.device.folder import DeviceFolder
from serve_app.device.importing import Imported, import_file
from serve_app.device.reading import open_offline, verify
from serve_app.device.stick import BLOCK_BYTES, write_file
from serve_app.device.sync import sync
from tests.serve_app.device_world import FILM, NOW, Made, Shop, bundle, phone
from tests.vectors import single_file
from tests.vectors import world as w


def refusal(code: str) -> Any:
    return pytest.raises(ContentError, check=lambda error: error.code == code)


@pytest.fixture(scope="module")
def delta(first: Made) -> Made:
    """Shares a part with the first version."""
    return bundle(2, after=first)


def go(device: DeviceFolder, shop: Shop) -> None:
    with shop.api() as api, shop.edge() as edge:
        assert not sync(device, api, edge, clock=lambda: NOW, watch=Silent()).refused


def lists(**changes: Any) -> Lists:
    revoked = w.revocations(**changes)
    (signature,) = sign_documents([revoked.to_bytes()], w.SIGNING, iss=w.TENANT, iat=revoked.issued_at)
    return Lists([w.make_trust_list(w.trust_list(), w.ROOTS[:2])], revoked.to_bytes(), signature)


def file_of(folder: Path, *bundles: Made, name: str = "course.cbundle", **changes: Any) -> Path:
    """A file as the service would make it: of bundles under one index, or of lists alone."""
    folder.mkdir(exist_ok=True)
    course, parts = None, list[Path]()
    if bundles:
        blobs = bundles[0].blobs
        index = blobs[bundles[0].licence.index.path]
        for number, part in enumerate(json.loads(index)["parts"]):
            parts.append(folder / f"{number}.part")
            parts[-1].write_bytes(blobs[part["path"]])
        course = Course([(made.licence.to_bytes(), made.signature) for made in bundles], index)
    write_file(folder / name, lists(**changes), course, parts)
    return folder / name


def take(device: DeviceFolder, file: Path) -> Imported:
    return import_file(device, file, NOW, Silent())


def film(device: DeviceFolder, version: int = 1) -> bytes:
    with open_offline(device, device.shelf.find(None), NOW) as opened:
        assert opened.licence.version == version
        verify(opened)
        return b"".join(opened.read(digest(FILM)))


def blobs(device: DeviceFolder) -> set[str]:
    return {path.relative_to(device.shelf.blobs).as_posix() for path in device.shelf.blobs.rglob("*") if path.is_file()}


def another(owner: DeviceIdentity, first: Made) -> Made:
    """A bundle of another device under the same index, as under the policy `shared`."""
    made = bundle(
        1,
        bundle_id=w.derive_id("bnd", owner.id),
        device=w.Device(owner.id, owner.encryption_thumbprint),
        keys={w.KEY.kid: w.wrap_for_device(w.KEY, owner.encryption_jwk, w.seeded("jwe"))},
    )
    assert made.blobs == first.blobs
    return made


# --- there and back -------------------------------------------------------------------------------------------------


def test_a_device_that_was_never_online_takes_a_course_from_a_stick(tmp_path: Path, first: Made) -> None:
    online, offline = phone(tmp_path / "online"), phone(tmp_path / "offline")
    go(online, Shop([first]))
    told: list[int] = []
    out = tmp_path / "stick.cbundle"
    installed = online.shelf.find(None)
    exported = export_bundle(online, installed, out, NOW, told.append)
    assert (exported.bundle_id, exported.devices, exported.parts) == (first.licence.bundle_id, 1, 1)
    assert exported.bytes == out.stat().st_size
    assert sum(told) == export_work(online, installed)
    found = take(offline, out)
    size = sum(map(len, first.blobs.values()))
    assert found.taken == importing.Taken(
        first.licence.bundle_id, w.PACKAGE, 1, True, len(first.blobs[first.part]), size
    )
    assert (found.newer_lists, found.trust_version, found.revocations) == (True, 1, (1, 4))
    assert film(offline) == FILM
    assert blobs(offline) == set(first.blobs)
    assert offline.state == online.state
    assert {path.name for path in tmp_path.iterdir()} == {"online", "offline", "stick.cbundle"}
    again = take(offline, out)
    assert again.taken is not None
    assert (again.taken.new, again.taken.copied, again.newer_lists, again.removed) == (False, 0, False, ())


def test_export_is_the_same_bytes_each_time(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    made = file_of(tmp_path / "service", first)
    take(device, made)
    export_bundle(device, device.shelf.find(None), tmp_path / "again.cbundle", NOW)
    assert (tmp_path / "again.cbundle").read_bytes() == made.read_bytes()


def test_one_file_for_a_class(tmp_path: Path, first: Made) -> None:
    owners = (w.TABLET, w.CLASSMATE)
    file = file_of(tmp_path / "files", first, *(another(owner, first) for owner in owners))
    for owner in (w.PHONE, *owners):
        device = phone(tmp_path / owner.id, owner)
        assert take(device, file).taken
        assert film(device) == FILM
    stranger = phone(tmp_path / "stranger", w.device("stranger"))
    with pytest.raises(ContentError, match="for 3 other devices") as refused:
        take(stranger, file)
    assert refused.value.code == "container-device"
    assert stranger.state.revocations == (1, 4)
    assert not stranger.shelf.all()


def test_only_what_is_missing_is_copied(tmp_path: Path, first: Made, delta: Made) -> None:
    device = phone(tmp_path / "phone")
    go(device, Shop([first]))
    found = take(device, file_of(tmp_path / "files", delta))
    assert found.taken is not None
    fresh = [path for path in delta.blobs if path.endswith(".part") and path not in first.blobs]
    assert found.taken.copied == sum(len(delta.blobs[path]) for path in fresh) > 0
    assert found.removed == (first.licence.bundle_id,)
    assert blobs(device) == set(delta.blobs)
    assert film(device, 2) == FILM


def test_a_part_that_is_damaged_on_the_device_is_copied(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    go(device, Shop([first]))
    honest = device.shelf.blob(first.part).read_bytes()
    device.shelf.blob(first.part).write_bytes(honest[:-7] + b"\0" + honest[-6:])
    file = file_of(tmp_path / "files", first)
    found = take(device, file).taken
    assert found is not None
    assert (found.new, found.copied) == (False, len(honest))
    assert film(device) == FILM


def test_what_a_sync_had_begun_makes_room_for_what_is_whole(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    partial = device.shelf.blob(first.part + ".partial")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(first.blobs[first.part][:1000])
    file = file_of(tmp_path / "files", first)
    damaged = bytearray(file.read_bytes())
    damaged[-2_000_000] ^= 1
    bad = tmp_path / "bad.cbundle"
    bad.write_bytes(damaged)
    with refusal("segment-digest"):
        take(device, bad)
    assert blobs(device) == {first.part + ".partial"}
    take(device, file)
    assert blobs(device) == set(first.blobs)


# --- lists ----------------------------------------------------------------------------------------------------------


def test_lists_alone(tmp_path: Path, first: Made) -> None:
    device, other = phone(tmp_path / "phone"), phone(tmp_path / "other", w.TABLET)
    newer = file_of(tmp_path / "files", version=(1, 9), name="newer.cbundle")
    older = file_of(tmp_path / "files", name="older.cbundle")
    found = take(device, newer)
    assert (found.taken, found.newer_lists, found.revocations) == (None, True, (1, 9))
    found = take(device, older)
    assert (found.newer_lists, found.revocations) == (False, (1, 9))
    exported = export_lists(device, tmp_path / "out.cbundle", NOW)
    assert (exported.bundle_id, exported.devices, exported.revocations) == (None, 0, (1, 9))
    assert (tmp_path / "out.cbundle").read_bytes() == newer.read_bytes()
    assert take(other, tmp_path / "out.cbundle").revocations == (1, 9)
    with refusal("device-no-lists"):
        export_lists(phone(tmp_path / "new"), tmp_path / "none.cbundle", NOW)
    assert not (tmp_path / "none.cbundle").exists()


def test_a_stick_with_older_lists_still_brings_its_course(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    take(device, file_of(tmp_path / "files", version=(1, 9), name="lists.cbundle"))
    found = take(device, file_of(tmp_path / "files", first))
    assert found.taken is not None
    assert (found.newer_lists, found.revocations) == (False, (1, 9))
    assert film(device) == FILM


def test_of_chain_and_revocation_list_the_newer_one_counts(tmp_path: Path, first: Made) -> None:
    """A stick whose chain is newer and whose revocation list is older, and the other way round."""
    longer = [w.make_trust_list(w.trust_list(version), w.ROOTS[:2]) for version in (1, 2)]
    shop = Shop([first], revoked=w.revocations(version=(1, 9)))
    device = phone(tmp_path / "phone")
    go(device, shop)
    files = tmp_path / "files"
    files.mkdir()
    write_file(files / "chain.cbundle", replace(lists(), chain=longer))
    found = take(device, files / "chain.cbundle")
    assert (found.newer_lists, found.trust_version, found.revocations) == (True, 2, (1, 9))
    write_file(files / "revocations.cbundle", lists(version=(1, 11)))
    found = take(device, files / "revocations.cbundle")
    assert (found.newer_lists, found.trust_version, found.revocations) == (True, 2, (1, 11))
    assert film(device) == FILM


def test_older_lists_do_not_stand_in_for_lost_ones(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    take(device, file_of(tmp_path / "files", version=(1, 9), name="lists.cbundle"))
    older = file_of(tmp_path / "files", first)
    (device.path / "lists.json").write_bytes(b"{}")
    with refusal("device-damaged"):
        take(device, older)
    kept = tmp_path / "older"
    take(phone(kept), older)
    (device.path / "lists.json").write_bytes((kept / "lists.json").read_bytes())
    with refusal("revocations-rollback"):
        take(device, older)
    assert device.state.revocations == (1, 9)


def test_an_older_stick_cannot_bring_back_what_is_revoked(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    revoked = {"version": (1, 9), "bundles": (first.licence.bundle_id,)}
    take(device, file_of(tmp_path / "files", name="lists.cbundle", **revoked))
    with refusal("bundle-revoked"):
        take(device, file_of(tmp_path / "files", first))
    assert not device.shelf.all()


def test_lists_are_kept_though_the_course_is_refused(tmp_path: Path, first: Made, second: Made) -> None:
    device = phone(tmp_path / "phone")
    take(device, file_of(tmp_path / "files", first))
    with refusal("version-revoked"):
        take(device, file_of(tmp_path / "files", second, version=(1, 9), versions=(f"{w.PACKAGE}/2",)))
    assert device.state.revocations == (1, 9)
    assert film(device) == FILM


def test_lists_that_are_forged_change_nothing(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    go(device, Shop([first]))
    before = device.state
    honest = single_file.taken_apart(file_of(tmp_path / "files", version=(1, 9)).read_bytes())
    bad = tmp_path / "bad.cbundle"
    for data in (honest[1][1].replace(b"[1,9]", b"[1,8]"), b"\xff\xfe", b""):
        bad.write_bytes(single_file.put_together([honest[0], (honest[1][0], data), honest[2]]))
        with refusal("signature-proof"):
            take(device, bad)
    assert device.state == before
    assert film(device) == FILM


# --- refusals: the old version stays playable -----------------------------------------------------------------------


@pytest.mark.parametrize("at", [-1, -END_BYTES, -1_000_000, -2_500_000, 5, 4000])
def test_a_damaged_file_leaves_the_old_version(tmp_path: Path, first: Made, second: Made, at: int) -> None:
    device = phone(tmp_path / "phone")
    take(device, file_of(tmp_path / "files", first))
    before, held = device.state, blobs(device)
    data = bytearray(file_of(tmp_path / "files", second).read_bytes())
    data[at] ^= 1
    bad = tmp_path / "bad.cbundle"
    bad.write_bytes(data)
    with pytest.raises(ContentError):
        take(device, bad)
    assert (device.state, blobs(device)) == (before, held)
    assert film(device) == FILM


def test_an_older_version_is_not_taken_back(tmp_path: Path, first: Made, second: Made) -> None:
    device = phone(tmp_path / "phone")
    take(device, file_of(tmp_path / "files", second))
    with refusal("licence-rollback"):
        take(device, file_of(tmp_path / "files", first))
    assert film(device, 2) == FILM


def test_what_cannot_be_read_is_named(tmp_path: Path, first: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    device = phone(tmp_path / "phone")
    for path in (tmp_path / "none.cbundle", tmp_path):
        with refusal("file-unreadable"):
            take(device, path)
    (tmp_path / "empty.cbundle").touch()
    with refusal("container-malformed"):
        take(device, tmp_path / "empty.cbundle")
    file = file_of(tmp_path / "files", first)
    honest, size = os.pread, file.stat().st_size

    def pulled(handle: int, length: int, offset: int) -> bytes:
        if os.fstat(handle).st_size == size and length == BLOCK_BYTES and offset > 2 << 20:
            raise OSError(errno.EIO, "gone")
        return honest(handle, length, offset)

    monkeypatch.setattr(os, "pread", pulled)
    with refusal("file-unreadable"):
        take(device, file)
    assert (device.shelf.all(), blobs(device)) == ([], set())
    unregistered = DeviceFolder.create(tmp_path / "unregistered", w.TENANT)
    with refusal("device-not-registered"):
        take(unregistered, file)


def usage(free: int) -> Callable[[Any], Any]:
    return lambda _: shutil._ntuple_diskusage(10**12, 10**12 - free, free)  # type: ignore[attr-defined]


def test_a_full_disk_is_told_before_anything_is_copied(
    tmp_path: Path, first: Made, second: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = phone(tmp_path / "phone")
    take(device, file_of(tmp_path / "files", first))
    file = file_of(tmp_path / "files", second)
    need = len(second.blobs[second.part]) + second.licence.index.size
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", usage(need - 1))
        with pytest.raises(ContentError, match=f"needs {need:,} bytes more, and {need - 1:,} are free") as refused:
            take(device, file)
        assert (refused.value.code, refused.value.retryable) == ("disk-full", True)
        assert film(device) == FILM
        patched.setattr(shutil, "disk_usage", usage(need))
        take(device, file)
        patched.setattr(shutil, "disk_usage", usage(0))
        assert take(device, file).taken, "nothing is missing, so nothing is needed"
        with refusal("disk-full"):
            export_bundle(device, device.shelf.find(None), tmp_path / "out.cbundle", NOW)
    assert not (tmp_path / "out.cbundle").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "disk-full"), (errno.EFBIG, "file-too-large"), (errno.EROFS, "file-unwritable")]
)
def test_a_disk_that_fails_while_it_is_written(
    tmp_path: Path, first: Made, second: Made, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    device = phone(tmp_path / "phone")
    take(device, file_of(tmp_path / "files", first))
    file = file_of(tmp_path / "files", second)

    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with refusal(code):
            export_bundle(device, device.shelf.find(None), tmp_path / "out.cbundle", NOW)
        with refusal(code):
            take(device, file)
    assert not list(tmp_path.glob("*out*"))
    assert blobs(device) == set(first.blobs)
    assert film(device) == FILM


class Killed(BaseException):
    """The power is gone: nothing that changes the disk happens any more."""


def test_a_power_cut_anywhere_leaves_the_old_version_or_the_new_one(
    tmp_path: Path, first: Made, delta: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each change of the disk in turn; the next import, or the next look, finds a whole course."""
    file = file_of(tmp_path / "files", delta, version=(1, 9))
    template = phone(tmp_path / "template")
    go(template, Shop([first]))
    versions: list[int] = []
    for count in range(1000):
        folder = tmp_path / f"phone-{count}"
        shutil.copytree(template.path, folder)
        left = count

        def counted(honest: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **named: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Killed
                return honest(*arguments, **named)

            return call

        device, killed = DeviceFolder(folder), False
        with monkeypatch.context() as patched:
            for owner, name in [
                (Path, "replace"), (Path, "rename"), (Path, "unlink"), (Path, "mkdir"), (Path, "rmdir"),
                (os, "fsync"), (shutil, "rmtree"),
            ]:  # fmt: skip
                patched.setattr(owner, name, counted(getattr(owner, name)))
            try:
                take(device, file)
            except Killed:
                killed = True
        after = DeviceFolder(folder)
        version = after.shelf.find(None).licence.version
        assert film(after, version) == FILM
        versions.append(version)
        assert take(after, file).revocations == (1, 9)
        assert film(after, 2) == FILM
        assert blobs(after) == set(delta.blobs)
        shutil.rmtree(folder)
        if not killed:
            break
    assert versions == sorted(versions), "once new, it stays new"
    assert versions.count(1) > 10
    assert versions.count(2) > 5


# --- writing --------------------------------------------------------------------------------------------------------


def test_a_damaged_course_is_not_exported(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    go(device, Shop([first]))
    out = tmp_path / "out.cbundle"
    out.write_bytes(b"what was there")
    blob = device.shelf.blob(first.part)
    honest = blob.read_bytes()
    blob.write_bytes(honest[:-1] + bytes([honest[-1] ^ 1]))
    with refusal("segment-digest"):
        export_bundle(device, device.shelf.find(None), out, NOW)
    assert out.read_bytes() == b"what was there"
    blob.write_bytes(honest)
    export_bundle(device, device.shelf.find(None), out, NOW)
    assert stat.S_ISREG(out.stat().st_mode)
    assert len(out.read_bytes()) > len(honest)
    with refusal("file-unwritable"):
        export_bundle(device, device.shelf.find(None), tmp_path / "no" / "out.cbundle", NOW)


def test_commands(
    tmp_path: Path, first: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    online, offline = phone(tmp_path / "online"), phone(tmp_path / "offline")
    tablet = phone(tmp_path / "tablet", w.TABLET)
    go(online, Shop([first]))
    monkeypatch.setattr(cli, "now", lambda: NOW)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["device", *arguments])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    code, text, _ = run("export", "online", "-o", "course.cbundle")
    assert (code, len(text.splitlines())) == (0, 3)
    assert "Written to course.cbundle" in text
    assert max(map(len, text.splitlines())) <= 80
    code, text, _ = run("export", "online", "--lists", "--json")
    assert (code, json.loads(text)["file"], json.loads(text)["bundle_id"]) == (0, "lists.cbundle", None)
    code, text, _ = run("export", "online", first.licence.bundle_id, "--lists", "--json")
    assert (code, json.loads(text)["error"]["code"]) == (1, "lists-alone")
    code, text, _ = run("import", "offline", "lists.cbundle")
    assert (code, text) == (0, "Trust list 1, revocation list 1.4: newer than before.\n")
    code, text, _ = run("import", "offline", "course.cbundle")
    assert code == 0
    assert "version 1  new\n" in text
    assert max(map(len, text.splitlines())) <= 80
    assert film(offline) == FILM
    code, text, _ = run("import", "offline", "course.cbundle", "--json")
    assert (code, json.loads(text)["taken"]["new"], json.loads(text)["newer_lists"]) == (0, False, False)
    code, text, told = run("import", "tablet", "course.cbundle")
    assert (code, text) == (1, "")
    assert "container-device: The file is for one other device, not for this one." in told
    assert not tablet.shelf.all()
    code, text, _ = run("export", "tablet", "--json")
    assert (code, json.loads(text)["error"]["code"]) == (1, "bundle-missing")
    renewed = replace(first, licence=replace(first.licence, issue=2))
    code, text, _ = run("import", "offline", str(file_of(tmp_path / "files", renewed)), "--json")
    assert (code, json.loads(text)["error"]["code"]) == (1, "signature-proof")
