"""Sizes against limits: what a device of each profile fetches, single films and pictures on a phone, the saved state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from content.drafts import Draft
from content.errors import Problem
from content.exports.suspend import LIMITS, worst_case
from content.media import PROFILES, choose
from content.packages import Manifest

SMALLEST = "phone"  # the profile that single files are judged by
MIB = 1 << 20
_CODES = {"scorm12": "suspend-scorm12", "scorm2004-4th": "suspend-scorm2004"}
_NAMES = {"scorm12": "SCORM 1.2", "scorm2004-4th": "SCORM 2004"}


@dataclass(frozen=True)
class QualityLimits:
    """Bytes beyond which authors are told: all that a device of a profile fetches, one picture, one film or sound."""

    course_bytes: Mapping[str, int] = field(
        default_factory=lambda: {"phone": 200 * MIB, "tablet": 500 * MIB, "desktop": 2048 * MIB}
    )
    picture_bytes: int = MIB // 2
    film_bytes: int = 100 * MIB


def sizes(draft: Draft, manifest: Manifest, limits: QualityLimits) -> Iterator[Problem]:
    """What is larger than the limits, and what a learning platform may not be able to save."""
    for entry in size_totals(manifest, limits):
        if entry["limit_bytes"] and entry["bytes"] > entry["limit_bytes"]:
            message = (
                f"On a {entry['profile']} the course takes {_mb(entry['bytes'])}; more than {_mb(entry['limit_bytes'])} "
                "is much to fetch and to keep."
            )
            yield Problem("", "course-large", message)
    yield from _files(draft, manifest, limits)
    worst = state_totals(manifest)
    for name, code in _CODES.items():
        if worst["characters"] > LIMITS[name]:
            message = (
                f"Where a learner is can take {worst['characters']} characters; a platform for {_NAMES[name]} need not "
                f"keep more than {LIMITS[name]}."
            )
            yield Problem("", code, message)


def size_totals(manifest: Manifest, limits: QualityLimits) -> list[dict[str, Any]]:
    """Bytes that a device of each profile fetches, each file once, beside the manifest."""
    return [
        {
            "profile": profile,
            "bytes": sum({file.digest: file.size_bytes for file in manifest.files_for(profile)}.values()),
            "limit_bytes": limits.course_bytes.get(profile),
        }
        for profile in PROFILES
    ]


def state_totals(manifest: Manifest) -> dict[str, int]:
    """The longest saved state (docs/player-state.md) in characters, and the limits of the two families of SCORM."""
    units = manifest.document["structure"]["units"]
    played = [{**unit, "blocks": [block for block in unit["blocks"] if block["type"] != "assistant"]} for unit in units]
    course = {
        "version": manifest.version,
        "structure": {"units": played},
        "assets": manifest.document["assets"],
    }
    return {
        "characters": worst_case(course),
        "scorm12": LIMITS["scorm12"],
        "scorm2004": LIMITS["scorm2004-4th"],
    }


def _files(draft: Draft, manifest: Manifest, limits: QualityLimits) -> Iterator[Problem]:
    for original in draft.originals():
        most = {"image": limits.picture_bytes, "video": limits.film_bytes, "audio": limits.film_bytes}.get(
            original.kind
        )
        if most is None:
            continue
        what = {"image": "picture", "video": "film", "audio": "sound"}[original.kind]
        for rendition in choose(manifest.renditions(original.asset), SMALLEST):
            if rendition.role == original.kind and rendition.size_bytes > most:
                message = f"The {what} “{original.asset}” takes {_mb(rendition.size_bytes)} on a phone, more than {_mb(most)}."
                code = "picture-large" if original.kind == "image" else "film-large"
                yield Problem(original.pointers[0], code, message)


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
