"""Languages of a course: texts that stand under the wrong one, and translations that are none.

Only what is certain is told: not one letter of the language's own script, or word for word the text of another language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from content.drafts import Draft
from content.drafts.language_maps import language_maps
from content.drafts.languages import direction, script
from content.drafts.parts import escape
from content.errors import Problem

MIN_LETTERS = 20  # fewer may be a name, a formula, a unit
_LAST_LATIN = "ɏ"  # U+024F, the end of Latin Extended-B


def languages(draft: Draft) -> Iterator[Problem]:
    """Texts of which the language is doubtful."""
    for pointer, texts in language_maps(draft):
        original = texts.get(draft.language)
        for tag, text in texts.items():
            if not isinstance(text, str):
                continue  # the accepted answers of a question
            here = f"{pointer}/{escape(tag)}"
            letters = [letter for letter in text if letter.isalpha()]
            if len(letters) < MIN_LETTERS:
                continue
            latin = sum(letter <= _LAST_LATIN for letter in letters)
            if (script(tag) != "Latn" and latin == len(letters)) or (script(tag) == "Latn" and not latin):
                message = f"This text is given in “{tag}”, but holds no letter of the script it is written in."
                yield Problem(here, "language-script", message)
            elif text == original and not _same_language(tag, draft.language):
                message = f"This text in “{tag}” is word for word the one in “{draft.language}”."
                yield Problem(here, "translation-same", message)


def language_totals(draft: Draft) -> list[dict[str, Any]]:
    """Of each language of the course: how many texts there are, and how many of them in it."""
    every: list[Mapping[str, Any]] = [texts for _, texts in language_maps(draft)]
    return [
        {"tag": tag, "direction": direction(tag), "texts": sum(tag in texts for texts in every), "all": len(every)}
        for tag in draft.languages()
    ]


def _same_language(first: str, second: str) -> bool:
    return first.lower().split("-")[0] == second.lower().split("-")[0]
