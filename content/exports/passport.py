"""The passport of an export: what it is, what it was made with, what was checked, and how that came out.

It lies in the zip as `passport.json` and is what the API tells. It names no time and no machine: the same export, the same
passport. What only a browser can find out is measured in this project's browser tests, for a version of exporter and player;
until such a result is handed in, its check is `not-run`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from content.errors import Problem
from content.exports.check import FAILED, NOT_RUN, PASSED, WARNING, Check
from content.exports.options import EXPORTER_VERSION, Options
from content.packages.manifest import Manifest

PASSPORT = "passport.json"
SHAPE = 1
_RESULTS = (PASSED, FAILED, WARNING, NOT_RUN)
_EVERYWHERE = ("network-blocked-play", "resume")
_LAUNCHED = ("popup-launch", "iframe-launch")


def browser_checks(options: Options) -> tuple[str, ...]:
    """Names of the checks that need a browser; who launches a course in a window or frame asks for two more."""
    return _EVERYWHERE if options.format == "html" else (*_EVERYWHERE, *_LAUNCHED)


def measured_checks(options: Options, measured: Mapping[str, Mapping[str, str]]) -> tuple[Check, ...]:
    """The browser's checks with the results that were handed in."""
    checks: list[Check] = []
    for name in browser_checks(options):
        given = measured.get(name, {})
        result = given.get("result", NOT_RUN)
        default = "Measured in a browser for a version of exporter and player; not done for these."
        checks.append(Check(name, result if result in _RESULTS else NOT_RUN, given.get("detail", default)))
    return tuple(checks)


def make_passport(
    *,
    manifest: Manifest,
    languages: Sequence[str],
    mastery: float | None,
    options: Options,
    player: str,
    checks: Sequence[Check],
    findings: Sequence[Problem],
    files: int,
    content_bytes: int,
) -> dict[str, Any]:
    """The document; `mastery` is what was asked for in the end, None for an imported package, whose marks are its own. `files` and `content_bytes` are those of the zip's entries without the passport itself."""
    return {
        "type": "export-passport",
        "shape": SHAPE,
        "exporter": EXPORTER_VERSION,
        "player": player,
        "package_id": manifest.package_id,
        "version": manifest.version,
        "manifest": manifest.digest,
        "format": options.format,
        "options": options.document(),
        "mastery": mastery,
        "languages": list(languages),
        "files": files,
        "content_bytes": content_bytes,
        "checks": [check.as_dict() for check in checks],
        "findings": [finding.as_dict() for finding in findings],
    }


def to_bytes(passport: Mapping[str, Any]) -> bytes:
    """JSON for people to read, members in order."""
    return (json.dumps(passport, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def check_findings(checks: Sequence[Check]) -> list[Problem]:
    """A finding for each check that did not pass; what was not run is no finding."""
    severities = {FAILED: "error", WARNING: "warning"}
    return [
        Problem("", f"export-{check.name}", check.detail, severities[check.result])
        for check in checks
        if check.result in severities
    ]
