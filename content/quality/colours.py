"""Contrast of the theme: what WCAG asks of text, and of what is not text but has to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from content.drafts import Draft
from content.drafts.checks import MIN_CONTRAST, contrast
from content.errors import Problem

MIN_ACCENT_CONTRAST = 3.0  # WCAG 2.2, 1.4.11: parts of an interface


def colours(draft: Draft) -> Iterator[Problem]:
    """The accent; text on background is checked with the draft."""
    accent = contrast_totals(draft)["accent"]
    if accent is not None and accent < MIN_ACCENT_CONTRAST:
        message = f"The accent stands out too little from the background ({accent}, wanted {MIN_ACCENT_CONTRAST})."
        yield Problem("/theme/colours", "contrast-accent-low", message)


def contrast_totals(draft: Draft) -> dict[str, Any]:
    """Ratios from 1 to 21, rounded down, so that no ratio is told that is not reached; None where no colour is set."""
    found = draft.theme.colours if draft.theme else None
    if found is None:
        return {"text": None, "text_wanted": MIN_CONTRAST, "accent": None, "accent_wanted": MIN_ACCENT_CONTRAST}
    return {
        "text": _down(contrast(found.text, found.background)),
        "text_wanted": MIN_CONTRAST,
        "accent": _down(contrast(found.accent, found.background)) if found.accent else None,
        "accent_wanted": MIN_ACCENT_CONTRAST,
    }


def _down(ratio: float) -> float:
    return int(ratio * 100) / 100
