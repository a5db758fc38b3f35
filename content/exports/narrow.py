"""A manifest's texts in the languages that were chosen.

Every language map keeps the chosen languages that it has. One that has none of them keeps the course's own language,
which every text has, and is counted: a learner reads it in that language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

# Members that hold a language map wherever they stand. Told by name: {"id": …, "text": …} has language tags for keys, too.
_MAPS = frozenset(
    [
        "alt",
        "answers",
        "caption",
        "correct",
        "description",
        "html",
        "incorrect",
        "left",
        "logo_alt",
        "prompt",
        "purpose",
        "right",
        "text",
        "title",
        "transcript",
        "unit",
    ]
)


@dataclass
class Narrowing:
    """Narrows documents to `languages`; `untranslated` counts the texts that have none of them."""

    languages: Sequence[str]
    own: str
    untranslated: int = field(default=0)

    def document(self, value: Any) -> Any:
        """A copy with every language map in it narrowed."""
        if isinstance(value, list):
            return [self.document(each) for each in cast("list[Any]", value)]
        if not isinstance(value, dict):
            return value
        members = cast("dict[str, Any]", value)
        return {name: self._member(name, member, members) for name, member in members.items()}

    def texts(self, texts: Mapping[str, Any]) -> dict[str, Any]:
        """One language map, in the order in which the languages were chosen."""
        kept = {tag: texts[tag] for tag in self.languages if tag in texts}
        if kept or not texts:
            return kept
        self.untranslated += 1
        fallback = self.own if self.own in texts else min(texts)
        return {fallback: texts[fallback]}

    def _member(self, name: str, value: Any, parent: Mapping[str, Any]) -> Any:
        # A question's feedback holds two maps, a choice's is one.
        is_map = name in _MAPS or (name == "feedback" and "kind" not in parent)
        if is_map and isinstance(value, dict):
            return self.texts(cast("dict[str, Any]", value))
        return self.document(value)
