"""Exports without a stack: ids that stand for the bytes, names that every disk takes, the files of a site."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from content.errors import ContentError
from content.exports import Entry, Options, Stored
from tasks import exports, site
from tasks.export import file_name, stays_damaged
from tasks.exports import Wanted

WANTED = Wanted("pkg_1", 3, Options("html", languages=("en", "ar"), mastery=1), "861996fb22ba3a1c")


def test_an_id_stands_for_all_that_the_bytes_follow_from(monkeypatch: pytest.MonkeyPatch) -> None:
    options = WANTED.options
    assert WANTED.id("acme") == replace(WANTED, options=replace(options, mastery=1.0)).id("acme")
    others = [
        replace(WANTED, package_id="pkg_2"), replace(WANTED, version=4), replace(WANTED, player_version="0" * 16),
        replace(WANTED, published=True), replace(WANTED, options=replace(options, format="xapi")),
        replace(WANTED, options=replace(options, report="passed-failed")), replace(WANTED, options=replace(options, mastery=None)),
        replace(WANTED, options=replace(options, languages=("ar", "en"))), replace(WANTED, options=replace(options, languages=())),
        replace(WANTED, options=replace(options, profile="phone")), replace(WANTED, options=replace(options, video=False)),
        replace(WANTED, options=replace(options, format="cmi5")),
        replace(WANTED, options=replace(options, format="cmi5", packaging="unit")),
    ]  # fmt: skip
    ids = [WANTED.id("acme"), WANTED.id("other"), *(each.id("acme") for each in others)]
    monkeypatch.setattr(exports, "EXPORTER_VERSION", exports.EXPORTER_VERSION + 1)
    ids.append(WANTED.id("acme"))
    assert len(set(ids)) == len(ids) == 16
    assert all(each.startswith("exp_") and len(each) == 30 for each in ids)


@pytest.mark.parametrize(
    ("course_id", "name"),
    [
        ("first-aid", "first-aid-v3-scorm12.zip"),
        ("Erste Hilfe/2: „Atmung“", "Erste-Hilfe-2-Atmung-v3-scorm12.zip"),
        ("الإسعافات", "course-v3-scorm12.zip"),
        ("../..", "course-v3-scorm12.zip"),
        ("x" * 200, "x" * 60 + "-v3-scorm12.zip"),
    ],
)
def test_a_download_has_a_name_that_every_disk_takes(course_id: str, name: str) -> None:
    assert file_name(course_id, 3, "scorm12") == name


def test_what_may_not_be_handed_out_is_refused() -> None:
    exports.refuse_unpublished(1, {"state": "published", "revoked_at": None})
    for state, revoked, code in (
        ("withdrawn", None, "version-withdrawn"), ("published", "2026", "version-withdrawn"),
        ("planned", None, "version-not-published"), ("failed", None, "version-not-published"),
    ):  # fmt: skip
        with pytest.raises(ContentError) as refused:
            exports.refuse_unpublished(1, {"state": state, "revoked_at": revoked})
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("code", "attempt", "stays"),
    [
        ("asset-damaged", 3, True), ("asset-damaged", 2, False), ("object-truncated", 4, True),
        ("object-truncated", 2, False), ("storage-unavailable", 9, False), ("object-missing", 9, False),
    ],
)  # fmt: skip
def test_what_comes_wrong_each_time_is_not_asked_for_for_ever(code: str, attempt: int, stays: bool) -> None:
    assert stays_damaged(code, attempt, 3) is stays


class Store:
    """The calls of `cluster.objects.Objects` that publishing makes."""

    def __init__(self) -> None:
        self.there: dict[str, tuple[Any, str]] = {}

    def put(self, key: str, body: bytes, media_type: str) -> None:
        self.there[key] = body, media_type

    def copy(self, source: str, key: str, media_type: str) -> None:
        self.there[key] = source, media_type

    def keys(self, prefix: str) -> list[tuple[str, float]]:
        return [(key, 0.0) for key in self.there if key.startswith(prefix)]

    def delete(self, keys: list[str]) -> None:
        for key in keys:
            del self.there[key]


ENTRIES = [
    Entry("index.html", b"<!doctype html>"),
    Entry("media/ab.webp", Stored("sha256:ab", 2)),
    Entry("media/cd.unheard-of", Stored("sha256:cd", 2)),
]


def test_a_site_has_every_file_of_the_zip_under_its_type() -> None:
    store, shares = Store(), list[float]()
    site.publish(store, "acme", "exports/acme/pkg_1/3/exp_1/0f", ENTRIES, shares.append)  # type: ignore[arg-type]
    folder = "exports/acme/pkg_1/3/exp_1/0f/site"
    assert store.there == {
        f"{folder}/index.html": (b"<!doctype html>", "text/html; charset=utf-8"),
        f"{folder}/media/ab.webp": ("assets/acme/ab", "image/webp"),
        f"{folder}/media/cd.unheard-of": ("assets/acme/cd", "application/octet-stream"),
    }
    assert sorted(shares) == [0, 1 / 3, 2 / 3]


def test_publishing_ends_as_soon_as_it_is_to() -> None:
    def stop(_: float) -> None:
        raise ContentError("job-cancelled", "The job was cancelled.")

    store = Store()
    with pytest.raises(ContentError):
        site.publish(store, "acme", "exports/acme/pkg_1/3/exp_1/0f", ENTRIES, stop)  # type: ignore[arg-type]
    assert store.there == {}


class Full(Store):
    """Takes no copies; and if it is `away`, removes nothing any more."""

    def __init__(self, away: bool) -> None:
        super().__init__()
        self.away = away

    def copy(self, source: str, key: str, media_type: str) -> None:
        raise ContentError("storage-full", "There is no room.")

    def delete(self, keys: list[str]) -> None:
        if self.away:
            raise ContentError("storage-unavailable", "The store does not answer.")
        super().delete(keys)


@pytest.mark.parametrize("away", [False, True])
def test_of_a_site_that_cannot_be_published_nothing_is_left_where_that_is_possible(away: bool) -> None:
    store, attempt = Full(away), "exports/acme/pkg_1/3/exp_1/0f"
    store.there = {f"{attempt}/course.zip": (b"", ""), f"{attempt}0/course.zip": (b"", "")}
    with pytest.raises(ContentError) as failed:
        site.publish(store, "acme", attempt, [ENTRIES[1]], lambda _: None)  # type: ignore[arg-type]
    assert failed.value.code == "storage-full"
    assert (f"{attempt}/course.zip" in store.there) is away
    assert f"{attempt}0/course.zip" in store.there
