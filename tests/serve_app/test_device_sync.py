"""A device going online: no byte twice, and nothing replaced before what replaces it was verified."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from content.bundles.foresight import Foresight
from content.canonical import digest
from content.errors import ContentError
from serve_app.device import download
from serve_app.device.download import Silent
from serve_app.device.folder import DeviceFolder
from serve_app.device.foresight import look_ahead
from serve_app.device.reading import open_offline, verify
from serve_app.device.sync import SyncReport, sync
from tests.serve_app.device_world import FILM, NOW, Made, Shop, bundle, phone
from tests.vectors import world as w

pytestmark = pytest.mark.usefixtures("no_pauses")


def go(device: DeviceFolder, shop: Shop) -> SyncReport:
    with shop.api() as api, shop.edge() as edge:
        return sync(device, api, edge, clock=lambda: NOW, watch=Silent())


def film(device: DeviceFolder) -> bytes:
    with open_offline(device, device.shelf.find(None), NOW) as opened:
        return b"".join(opened.read(digest(FILM)))


def test_first_sync_then_nothing_to_do(tmp_path: Path, first: Made) -> None:
    device, shop = phone(tmp_path / "phone"), Shop([first])
    report = go(device, shop)
    (taken,) = report.taken
    size = sum(len(data) for data in first.blobs.values())
    assert (taken.new, taken.fetched, taken.size) == (True, size, size)
    assert film(device) == FILM
    shop.served.clear()
    (again,) = go(device, shop).taken
    assert (again.new, again.fetched, shop.served) == (False, 0, [])
    assert device.state.packages[w.PACKAGE].bundle_id == first.licence.bundle_id


def test_only_the_owner_may_look(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    fresh = DeviceFolder.create(tmp_path / "fresh", "demo")
    go(device, Shop([first]))
    assert stat.S_IMODE(fresh.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((fresh.path / "keys.json").stat().st_mode) == 0o600
    for name in ("state.json", "lists.json", "device.json"):
        assert stat.S_IMODE((device.path / name).stat().st_mode) == 0o600
    with pytest.raises(ContentError, match="There is a device") as refused:
        DeviceFolder.create(fresh.path, "demo")
    assert refused.value.code == "device-exists"


def test_a_broken_download_goes_on_where_it_broke(tmp_path: Path, first: Made) -> None:
    size = len(first.blobs[first.part])
    device, shop = phone(tmp_path / "phone"), Shop([first], cut_after=[1_000_003, 500_000, 0, 0])
    go(device, shop)
    parts = [(start, count) for path, start, count in shop.served if path == first.part]
    assert parts == [
        (0, 1_000_003),
        (1_000_003, 500_000),
        (1_500_003, 0),
        (1_500_003, 0),
        (1_500_003, size - 1_500_003),
    ]
    assert film(device) == FILM


def test_a_download_that_stays_broken_is_kept_for_the_next_sync(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    shop = Shop([first], cut_after=[70_000, *[0] * download.ATTEMPTS])
    (refused,) = go(device, shop).refused
    assert (refused.error.code, refused.error.retryable) == ("download-broken", True)
    shop.cut_after.clear()
    shop.served.clear()
    (taken,) = go(device, shop).taken
    part = len(first.blobs[first.part])
    assert shop.served == [(first.part, 70_000, part - 70_000)]
    assert taken.fetched == part - 70_000


def test_an_expired_url_is_asked_for_again(tmp_path: Path, first: Made) -> None:
    device, shop = phone(tmp_path / "phone"), Shop([first], expired_urls=1)
    assert go(device, shop).taken[0].new
    assert shop.asked.count(f"/v1/bundles/{first.licence.bundle_id}") == 2


def test_urls_that_stay_expired_end_the_sync(tmp_path: Path, first: Made) -> None:
    device, shop = phone(tmp_path / "phone"), Shop([first], expired_urls=1000)
    (refused,) = go(device, shop).refused
    assert refused.error.code == "url-expired"


def test_an_edge_without_ranges_never_repeats_bytes_into_the_file(tmp_path: Path, first: Made) -> None:
    device, shop = phone(tmp_path / "phone"), Shop([first], cut_after=[70_000], ignore_range=True)
    (refused,) = go(device, shop).refused
    assert refused.error.code == "download-size"


def test_a_new_version_takes_the_place_of_the_old_one(tmp_path: Path, first: Made, second: Made) -> None:
    device = phone(tmp_path / "phone")
    go(device, Shop([first]))
    report = go(device, Shop([first, second]))
    assert report.removed == (first.licence.bundle_id,)
    assert [each.bundle_id for each in device.shelf.all()] == [second.licence.bundle_id]
    left = {path.relative_to(device.shelf.blobs).as_posix() for path in device.shelf.blobs.rglob("*") if path.is_file()}
    assert left == set(second.blobs)


def disk(device: DeviceFolder) -> int:
    return sum(path.stat().st_size for path in device.shelf.blobs.rglob("*") if path.is_file())


def told_before(device: DeviceFolder, shop: Shop) -> Foresight:
    with shop.api() as api:
        return look_ahead(device, api)


def test_a_later_version_fetches_what_changed_and_keeps_the_parts_it_shares(tmp_path: Path, first: Made) -> None:
    device, shop = phone(tmp_path / "phone"), Shop([first])
    go(device, shop)
    delta = bundle(2, after=first)
    shared = set(first.blobs) & set(delta.blobs)
    assert len(shared) == 1
    shop.bundles.append(delta)
    shop.served.clear()
    (taken,) = go(device, shop).taken
    assert taken.fetched == sum(len(data) for path, data in delta.blobs.items() if path not in shared)
    assert {path for path, *_ in shop.served} == set(delta.blobs) - shared
    assert film(device) == FILM


def test_what_a_sync_will_do_is_told_before_and_nothing_is_fetched_for_it(tmp_path: Path, first: Made) -> None:
    device, shop = phone(tmp_path / "phone"), Shop([first])
    for offered in ([first], [first, bundle(2, after=first)], [first, bundle(3)]):
        shop.bundles[:] = offered
        shop.served.clear()
        told = told_before(device, shop)
        assert (shop.served, told.now) == ([], disk(device))
        report = go(device, shop)
        (bundle_told,), (taken,) = told.bundles, report.taken
        assert (bundle_told.bundle_id, bundle_told.new) == (taken.bundle_id, taken.new)
        assert (told.fetch, bundle_told.fetch, bundle_told.size) == (taken.fetched, taken.fetched, taken.size)
        assert told.after == disk(device)
        assert told.peak == told.now + told.fetch
        assert not any((device.shelf.blobs / path).exists() for path in told.deletes)
    again = told_before(device, shop)
    assert (again.fetch, again.deletes, again.now) == (0, (), again.after)


def test_an_older_version_that_is_offered_is_not_foreseen(tmp_path: Path, first: Made, second: Made) -> None:
    """The newer one was withdrawn; what is here stays, and so the sync does nothing to the disk."""
    device, shop = phone(tmp_path / "phone"), Shop([first, second])
    go(device, shop)
    shop.bundles[:] = [first]
    told = told_before(device, shop)
    assert (told.bundles, told.fetch, told.deletes, told.now) == ((), 0, (), told.after)


def test_what_was_begun_counts_as_there(tmp_path: Path, first: Made) -> None:
    device, shop = phone(tmp_path / "phone"), Shop([first], cut_after=[1000, *[0] * 6])
    assert go(device, shop).refused
    held = disk(device)
    told = told_before(device, shop)
    assert told.fetch == sum(len(data) for data in first.blobs.values()) - held
    assert (told.now, told.peak, told.deletes) == (held, held + told.fetch, ())


@pytest.mark.parametrize("at", [0, 5, 1 << 20, -1])
def test_a_damaged_new_version_leaves_the_old_one_and_is_fetched_again(
    tmp_path: Path, first: Made, second: Made, at: int
) -> None:
    device = phone(tmp_path / "phone")
    go(device, Shop([first]))
    bad = bytearray(second.blobs[second.part])
    bad[at] ^= 1
    broken = replace(second, blobs={**second.blobs, second.part: bytes(bad)})
    (refused,) = go(device, Shop([first, broken])).refused
    assert refused.error.code == "segment-digest"
    with open_offline(device, device.shelf.find(None), NOW) as opened:
        assert opened.licence.version == 1
        verify(opened)
    shop = Shop([first, second])
    assert go(device, shop).taken[0].version == 2
    assert [path for path, _, _ in shop.served] == [second.part]


def test_a_damaged_index_is_refused_before_any_part_is_asked_for(tmp_path: Path, first: Made) -> None:
    path = first.licence.index.path
    bad = replace(first, blobs={**first.blobs, path: first.blobs[path][:-1] + b" "})
    device, shop = phone(tmp_path / "phone"), Shop([bad])
    (refused,) = go(device, shop).refused
    assert refused.error.code == "index-digest"
    assert [served for served, _, _ in shop.served] == [path]
    assert go(device, Shop([first])).taken[0].new


def test_another_devices_bundle_is_refused_before_any_part_is_asked_for(tmp_path: Path) -> None:
    device, shop = phone(tmp_path / "phone"), Shop([bundle(1, owner=w.TABLET)])
    (refused,) = go(device, shop).refused
    assert refused.error.code == "licence-device"
    assert all(not path.endswith(".part") for path, _, _ in shop.served)
    assert device.shelf.all() == []


def test_an_older_version_is_not_taken_back(tmp_path: Path, first: Made, second: Made) -> None:
    device = phone(tmp_path / "phone")
    go(device, Shop([first, second]))
    (refused,) = go(device, Shop([first])).refused
    assert refused.error.code == "licence-rollback"
    assert device.shelf.find(None).licence.version == 2


def test_lists_are_remembered_though_the_bundle_is_refused(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    go(device, Shop([first]))
    old = (device.path / "lists.json").read_bytes()
    revoked = w.revocations(version=(1, 9), bundles=(first.licence.bundle_id,))
    (refused,) = go(device, Shop([first], revoked=revoked)).refused
    assert refused.error.code == "bundle-revoked"
    assert device.state.revocations == (1, 9)
    (device.path / "lists.json").write_bytes(old)  # shown the old lists again
    with pytest.raises(ContentError) as again, open_offline(device, device.shelf.find(None), NOW):
        pass
    assert again.value.code == "revocations-rollback"


def test_a_renewal_replaces_the_licence_and_fetches_nothing(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    go(device, Shop([first]))
    renewed = bundle(1, issue=2, not_after=NOW + 500 * w.DAY)
    shop = Shop([renewed])
    (taken,) = go(device, shop).taken
    assert (taken.new, taken.fetched, shop.served) == (True, 0, [])
    assert device.shelf.find(None).licence.issue == 2
    assert not list(device.shelf.bundles.glob(".*"))


def test_a_swap_that_was_cut_short_is_undone(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    go(device, Shop([first]))
    place = device.shelf.bundles / first.licence.bundle_id
    place.rename(place.with_name(f".old-{place.name}"))
    assert device.shelf.find(None).bundle_id == first.licence.bundle_id


def test_a_lost_part_is_fetched_again(tmp_path: Path, first: Made) -> None:
    device = phone(tmp_path / "phone")
    go(device, Shop([first]))
    device.shelf.blob(first.part).unlink()
    with pytest.raises(ContentError) as refused, open_offline(device, device.shelf.find(None), NOW) as opened:
        verify(opened)
    assert refused.value.code == "part-missing"
    (taken,) = go(device, Shop([first])).taken
    assert (taken.new, taken.fetched) == (False, len(first.blobs[first.part]))


def test_the_newest_sequence_of_two_enrolments_is_taken(tmp_path: Path, first: Made) -> None:
    other = bundle(1, bundle_id="bnd_" + "0" * 26, sequence=w.Order(1, 1, 9))
    device = phone(tmp_path / "phone")
    assert go(device, Shop([other, first])).taken[0].bundle_id == other.licence.bundle_id
    assert go(device, Shop([first, other])).taken[0].fetched == 0


def test_one_command_at_a_time(tmp_path: Path) -> None:
    device = phone(tmp_path / "phone")
    with device.locked(), pytest.raises(ContentError) as refused, DeviceFolder(device.path).locked():
        pass
    assert refused.value.code == "device-busy"


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    for folder, code in ((tmp_path / "none", "device-missing"), (tmp_path / "new", "device-not-registered")):
        if code == "device-not-registered":
            DeviceFolder.create(folder, "demo")
        with pytest.raises(ContentError) as refused, DeviceFolder(folder).locked():
            _ = DeviceFolder(folder).registered
        assert refused.value.code == code
    device = phone(tmp_path / "phone")
    with pytest.raises(ContentError) as refused:
        _ = device.lists
    assert refused.value.code == "device-no-lists"
    (device.path / "keys.json").write_text("{")
    with pytest.raises(ContentError) as refused:
        _ = device.identity
    assert refused.value.code == "device-damaged"
