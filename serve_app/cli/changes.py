"""What changed between two versions, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

WORDS = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Of an answer of `GET /v1/packages/{id}/versions/{a}...{b}`; sizes in bytes."""
    yield f"{found['package_id']}  from version {found['older']} to {found['newer']}"
    if found["same"]:
        yield "Nothing changed but what a version says of itself."
    if found["metadata"]:
        yield f"~ course: {', '.join(found['metadata'])}"
    for each in found["units"]:
        yield f"{WORDS[each['change']]} unit {each['id']}{_members(each)}"
    for each in found["blocks"]:
        yield f"{WORDS[each['change']]} {each['type']} {each['id']} in {each['unit']}{_members(each)}"
    for each in found["assets"]:
        same = "" if each["source"] else ", the same original"
        yield f"{WORDS[each['change']]} asset {each['id']}"
        yield f"  {each['before']:,} → {each['after']:,} bytes{same}"
    for each in found["fetches"]:
        yield f"{each['profile']}: {each['update']:,} bytes to fetch, {each['whole']:,} for a device without any"


def _members(each: Mapping[str, Any]) -> str:
    return f": {', '.join(each['members'])}" if each["members"] else ""
