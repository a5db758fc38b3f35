"""Words for a report on a package of others, the same in a terminal and on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EDITIONS = {
    "1.2": "SCORM 1.2",
    "2004-2nd": "SCORM 2004 2nd Edition",
    "2004-3rd": "SCORM 2004 3rd Edition",
    "2004-4th": "SCORM 2004 4th Edition",
    "aicc": "AICC",
    "cmi5": "cmi5",
    "tincan": "xAPI (Tin Can)",
}
OFFLINE = "Without a network, and in today's browsers"


def verdict(report: Mapping[str, Any]) -> str:
    """`Accepted: SCORM 1.2, made with Articulate Storyline 3.73.`"""
    parts = [EDITIONS[report["edition"]]] if report["edition"] else []
    if (tool := report["tool"]) is not None:
        parts.append(f"made with {tool['name']} {tool['version']}".strip())
    told = ", ".join(parts)
    said = "Accepted" if report["accepted"] else "Refused"
    return f"{said}: {told}." if told else f"{said}."


def sizes(found: Mapping[str, int]) -> str:
    """`358 kB packed, 464 kB unpacked, 44 files`."""
    packed, unpacked = size(found["zip_bytes"]), size(found["unpacked_bytes"])
    return f"{packed} packed, {unpacked} unpacked, {counted(found['files'], 'file')}"


def sandbox(name: str) -> str:
    return "Read without a sandbox" if name == "none" else f"Read in {name}" if name else ""


def counted(number: int, word: str) -> str:
    """`1 file`, `1,234 files`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def size(count: int) -> str:
    """Bytes as an author reads them."""
    if count < 1000:
        return counted(count, "byte")
    return f"{count / 1000:,.0f} kB" if count < 1e6 else f"{count / 1e6:,.1f} MB"
