"""Texts of packages as text: titles and descriptions are never markup, and hold no character that acts on a screen."""

from __future__ import annotations

import re
import unicodedata

MAX_TITLE = 1000
MAX_DESCRIPTION = 10_000
# Direction overrides and isolates turn a line around; byte order marks, annotations and tags are seen by machines alone.
_ACTING = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")


def plain(text: str, most: int = MAX_TITLE) -> str:
    """One line: control characters out, runs of white space to one space, at most so many characters."""
    kept = _ACTING.sub("", text[: 8 * most])
    if not kept.isprintable():
        kept = "".join(each for each in kept if each.isspace() or unicodedata.category(each) not in ("Cc", "Cs"))
    spaced = " ".join(kept.split())
    return spaced if len(spaced) <= most else spaced[: most - 1].rstrip() + "…"


# What nearly every package says. The registry of all the others is a tenth of a second to load.
_USUAL = frozenset((
    "en", "en-US", "en-GB", "ar", "de", "de-DE", "es", "es-ES", "es-MX", "fr", "fr-FR", "fr-CA", "it", "it-IT", "ja", "ja-JP",
    "ko", "ko-KR", "nl", "nl-NL", "pl", "pl-PL", "pt", "pt-BR", "pt-PT", "ru", "ru-RU", "sv", "sv-SE", "tr", "tr-TR", "zh",
    "zh-CN", "zh-TW",
))  # fmt: skip


def language_tag(text: str | None) -> str:
    """BCP 47 as it is written today, or empty where it is none (as LOM's `x-none`)."""
    tag = (text or "").strip().replace("_", "-")
    if not tag or len(tag) > 40 or tag.lower() in ("none", "x-none", "und"):
        return ""
    if tag in _USUAL:
        return tag
    import langcodes

    try:
        return langcodes.standardize_tag(tag) if langcodes.tag_is_valid(tag) else ""
    except ValueError:  # LanguageTagError is one
        return ""
