"""Language tags (BCP 47) and the direction in which a language is written.

Tags stay as their author wrote them: they are keys, and a key that changed on the way would lose its text.
"""

from __future__ import annotations

import functools
from typing import Literal

import langcodes

Direction = Literal["ltr", "rtl"]

# ISO 15924 codes of the scripts in use that run from right to left.
RTL_SCRIPTS = frozenset({"Adlm", "Arab", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi"})


@functools.lru_cache(maxsize=1024)
def is_language_tag(tag: str) -> bool:
    """Whether the tag is well formed and its language, script and region are registered (`ar`, `zh-Hant`, `pt-BR`)."""
    # langcodes also takes the underscore of POSIX locales, which BCP 47 does not know.
    if "_" in tag or not tag.isascii() or len(tag) > 35:
        return False
    try:
        return langcodes.tag_is_valid(tag)
    except ValueError:
        return False


@functools.lru_cache(maxsize=1024)
def direction(tag: str) -> Direction:
    """Writing direction of a valid tag, from its script or the one its language is usually written in."""
    return "rtl" if script(tag) in RTL_SCRIPTS else "ltr"


@functools.lru_cache(maxsize=1024)
def script(tag: str) -> str:
    """The ISO 15924 code of a valid tag's script, or of the one its language is usually written in."""
    return langcodes.Language.get(tag).maximize().script or ""
