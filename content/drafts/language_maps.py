"""Every language map of a draft with its JSON pointer: what has to be there in every language of the course.

A map leads from tag to text, or to the accepted answers of a question.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from content.drafts.base import Model
from content.drafts.course import CourseHead, Draft

LanguageMap = dict[str, Any]


def language_maps(draft: Draft) -> Iterator[tuple[str, LanguageMap]]:
    """All of a whole draft, in its order."""
    yield from head_maps(draft)
    for at, unit in enumerate(draft.units):
        yield f"/units/{at}/title", dict(unit.title)
        for index, block in enumerate(unit.blocks):
            yield from maps_in(f"/units/{at}/blocks/{index}", block)


def head_maps(head: CourseHead) -> Iterator[tuple[str, LanguageMap]]:
    """Those of the course itself."""
    yield "/title", dict(head.title)
    yield "/description", dict(head.description)
    if head.theme and head.theme.logo_alt:
        yield "/theme/logo_alt", dict(head.theme.logo_alt)


def maps_in(pointer: str, value: Any) -> Iterator[tuple[str, LanguageMap]]:
    """Those in a unit's head or a block: there, and only there, models hold a dict."""
    if isinstance(value, Model):
        for name in type(value).model_fields:
            yield from maps_in(f"{pointer}/{name}", getattr(value, name))
    elif isinstance(value, tuple):
        for index, item in enumerate(cast("tuple[Any, ...]", value)):
            yield from maps_in(f"{pointer}/{index}", item)
    elif isinstance(value, dict):
        yield pointer, cast("LanguageMap", value)
