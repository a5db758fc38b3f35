"""Licences of files: which are missing, and what they demand that can be seen from here.

Only what is certain is told; nothing here is advice of a lawyer. That a file is passed on in another size or format needs no
permission to adapt (Creative Commons 4.0, section 2(a)(4)); that its maker is named, they all demand but CC0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from content.drafts import Draft
from content.drafts.parts import escape
from content.errors import Problem

_CC_URI = re.compile(r"https?://creativecommons\.org/(licenses/([a-z-]+)|publicdomain/(zero|mark))/\d\.\d(/.*)?", re.I)
_CC_ID = re.compile(r"CC-([A-Z-]+)-\d\.\d(-[A-Z]+)?", re.I)
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*(\s+(WITH|AND|OR)\s+[A-Za-z0-9.+-]+)*")


@dataclass(frozen=True)
class _Terms:
    """What is known of a licence: of Creative Commons its elements (`by`, `nc`, `nd`, `sa`), of others nothing."""

    elements: frozenset[str] | None
    free: bool = False  # CC0 or the public domain mark


def licences(draft: Draft) -> Iterator[Problem]:
    """What the entries of the course's files lack or forbid."""
    course = _terms(draft.license)
    for original in draft.originals():
        if original.kind == "captions":
            continue
        entry = (draft.assets or {}).get(original.asset)
        pointer = f"/assets/{escape(original.asset)}" if entry else original.pointers[0]
        if entry is None or entry.license is None:
            message = f"Nothing says under which licence “{original.asset}” may be used."
            yield Problem(pointer, "licence-missing", message)
            continue
        terms = _terms(entry.license)
        if terms is None:
            message = f"“{entry.license}” is neither an SPDX id nor the address of a Creative Commons licence."
            yield Problem(f"{pointer}/license", "licence-unknown", message)
            continue
        elements = terms.elements or frozenset()
        if "by" in elements and not entry.credit:
            message = f"The licence of “{original.asset}” ({entry.license}) demands that its maker is named."
            yield Problem(f"{pointer}/credit", "credit-missing", message)
        if "nc" in elements and course and (course.free or (course.elements and "nc" not in course.elements)):
            message = (
                f"“{original.asset}” may not be used commercially ({entry.license}), but the course's licence, "
                f"{draft.license}, allows that."
            )
            yield Problem(f"{pointer}/license", "licence-non-commercial", message)
        if "nd" in elements:
            message = f"“{original.asset}” may not be passed on changed ({entry.license})."
            yield Problem(f"{pointer}/license", "licence-no-derivatives", message)


def licence_totals(draft: Draft) -> dict[str, Any]:
    """How many files say their licence and their maker. Captions are the author's own words more often than not."""
    named = [original.asset for original in draft.originals() if original.kind != "captions"]
    entries = [(draft.assets or {}).get(asset) for asset in named]
    return {
        "files": len(named),
        "with_licence": sum(bool(entry and entry.license) for entry in entries),
        "with_credit": sum(bool(entry and entry.credit) for entry in entries),
    }


def _terms(licence: str) -> _Terms | None:
    """None if it is in no form that can be told."""
    licence = licence.strip()
    if found := _CC_URI.fullmatch(licence):
        return _Terms(None, free=True) if found[3] else _Terms(frozenset(found[2].lower().split("-")))
    if licence.upper().startswith("CC0-"):
        return _Terms(None, free=True)
    if found := _CC_ID.fullmatch(licence):
        return _Terms(frozenset(found[1].lower().split("-")))
    return _Terms(None) if _SPDX.fullmatch(licence) else None
