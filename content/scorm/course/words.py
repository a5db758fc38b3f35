"""Texts of packages as text: titles and descriptions are never markup, and hold no character that acts on a screen."""

from __future__ import annotations

import re
import unicodedata

import langcodes

MAX_TITLE = 1000
MAX_DESCRIPTION = 10_000
# Direction overrides and isolates turn a line around, a mark in the middle is none, the rest are surrogates and unassigned.
_ACTING = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")


def plain(text: str, most: int = MAX_TITLE) -> str:
    """One line: control characters out, runs of white space to one space, at most so many characters."""
    spaced = " ".join(_ACTING.sub("", text[: 8 * most]).split())
    if not spaced.isprintable():
        spaced = "".join(each for each in spaced if unicodedata.category(each) not in ("Cc", "Cs"))
    return spaced if len(spaced) <= most else spaced[: most - 1].rstrip() + "…"


def language_tag(text: str | None) -> str:
    """BCP 47 as it is written today, or empty where it is none (as LOM's `x-none`)."""
    tag = (text or "").strip().replace("_", "-")
    if not tag or len(tag) > 40 or tag.lower() in ("none", "x-none", "und"):
        return ""
    try:
        return langcodes.standardize_tag(tag) if langcodes.tag_is_valid(tag) else ""
    except ValueError:  # LanguageTagError is one
        return ""
