"""Whose licences go into a class file: one bundle for each device that may still have the course, all of one index.

Who has left gets none: neither an enrolment that has ended nor a device that was taken out. After: `class_file.py` fetches what
they have in common and writes the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from content.bundles.container_layout import MAX_LICENCES
from content.bundles.licence import Licence
from content.errors import ContentError
from serve_app.client import BundleOffer, BundleRow, Client


@dataclass(frozen=True)
class Wanted:
    """Which bundles of a package: of a version (the newest published one, if None), and of whom."""

    package_id: str
    version: int | None = None
    profile: str | None = None
    enrollment_id: str | None = None
    learner_id: str | None = None
    device_id: str | None = None


def choose(api: Client, wanted: Wanted) -> list[BundleOffer]:
    """One bundle for each device that may have it, all of one index.

    Raises ContentError `version-withdrawn`, `bundle-missing`, `bundle-ambiguous`, `class-too-large`, or what the API answers.
    """
    version = wanted.version or api.package(wanted.package_id)["version"]
    if version is None:
        message = f"No version of {wanted.package_id} is published."
        raise ContentError("bundle-missing", message, "`content-service packages versions` shows how far it is.")
    if api.version(wanted.package_id, version)["state"] == "withdrawn":
        message = f"Version {version} of {wanted.package_id} was withdrawn."
        raise ContentError("version-withdrawn", message, "Choose another one with --version.")
    rows = [
        row
        for row in api.bundles(
            state="ready",
            package_id=wanted.package_id,
            enrollment_id=wanted.enrollment_id,
            learner_id=wanted.learner_id,
            device_id=wanted.device_id,
        )
        if row["version"] == version
    ]
    rows = _still_there(api, _without_revoked(api, rows))
    if not rows:
        message = f"There is no ready bundle of version {version} of {wanted.package_id} for such devices."
        raise ContentError("bundle-missing", message, "`content-service bundles list` shows which there are.")
    if len(rows) > MAX_LICENCES:
        message = f"There are {len(rows):,} such bundles; a file holds {MAX_LICENCES:,} licences."
        raise ContentError("class-too-large", message, "Write several files, one for each --enrolment or --learner.")
    # A device may have left one profile for another: what it would take now is what counts.
    newest = _newest_of_each_device([api.bundle(row["bundle_id"]) for row in rows])
    chosen = [offer for offer in newest if wanted.profile in (None, offer["profile"])]
    if not chosen:
        message = f"No such device has its newest bundle of version {version} for the profile {wanted.profile}."
        raise ContentError("bundle-missing", message, "Leave --profile out to see which there are.")
    _require_one_index(chosen)
    return chosen


def _without_revoked(api: Client, rows: list[BundleRow]) -> list[BundleRow]:
    revoked = {row["subject"] for row in api.revocations(kind="bundle")}
    return [row for row in rows if row["bundle_id"] not in revoked]


def _still_there(api: Client, rows: list[BundleRow]) -> list[BundleRow]:
    """Those whose enrolment has not ended and whose device was not taken out."""
    enrolled = _each({row.get("enrollment_id", "") for row in rows}, lambda each: api.enrolment(each)["state"])
    active = _each({row["device_id"] for row in rows}, lambda each: api.device(each)["state"])
    return [row for row in rows if row.get("enrollment_id", "") in enrolled and row["device_id"] in active]


def _each(ids: set[str], state: Callable[[str], str]) -> set[str]:
    return {each for each in sorted(ids) if state(each) == "active"}


def _require_one_index(rows: Sequence[BundleRow]) -> None:
    if len({row.get("index_digest") for row in rows}) == 1:
        return
    if any(row.get("policy") == "device" for row in rows):
        raise ContentError(
            "bundle-ambiguous",
            f"These {len(rows)} bundles are encrypted for one device each (policy device), so they cannot share a file.",
            "Choose one with --device, or have the next version shared: content-service packages set … --policy shared.",
        )
    profiles = ", ".join(sorted({row["profile"] for row in rows}))
    if len({row["profile"] for row in rows}) == 1:
        raise ContentError(
            "bundle-ambiguous",
            f"These {len(rows)} bundles are being made anew, and some have gone over already.",
            "Wait for the end of the rebundle: content-service jobs list --kind rebundle.",
            True,
        )
    raise ContentError(
        "bundle-ambiguous", f"There are bundles of several profiles ({profiles}).", "Choose one with --profile."
    )


def _newest_of_each_device(offers: Sequence[BundleOffer]) -> list[BundleOffer]:
    """A device that has the version through two enrolments gets the licence that it would take."""
    found: dict[str, tuple[tuple[tuple[int, ...], int], BundleOffer]] = {}
    for offer in offers:
        licence = Licence.parse(offer["licence"].encode())
        order = licence.sequence, licence.issue
        if licence.device.id not in found or order > found[licence.device.id][0]:
            found[licence.device.id] = order, offer
    return [offer for _, offer in found.values()]
