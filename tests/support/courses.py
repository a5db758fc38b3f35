"""A course to publish: blocks are added one by one, originals are generated files."""

from __future__ import annotations

import copy
import itertools
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import media


@dataclass
class Course:
    """A draft under a course id of its own. `revision` is what will be published next."""

    folder: Path
    course_id: str = field(default_factory=lambda: f"course-{secrets.token_hex(4)}")
    revision: int = 1
    blocks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    originals: dict[str, tuple[Path, str]] = field(default_factory=dict[str, tuple[Path, str]])
    begins: list[int] = field(default_factory=list[int])
    """Where units after the first one begin."""

    @property
    def draft_id(self) -> str:
        return f"draft-of-{self.course_id}"

    def text(self, words: str = "Read **this**.") -> Course:
        return self._add({"type": "text", "id": f"text-{len(self.blocks)}", "text": {"en": words}})

    def picture(self, asset: str, seed: int, size: tuple[int, int] = (700, 400)) -> Course:
        self.originals[asset] = media.picture(self.folder, seed, size), "image/png"
        return self._add({"type": "image", "id": f"block-{asset}", "asset": asset, "alt": {"en": "Squares"}})

    def film(self, asset: str, seconds: int = 1, size: str = "128x96", *, captions: bool = False) -> Course:
        self.originals[asset] = media.film(self.folder, seconds, size), "video/mp4"
        block: dict[str, Any] = {"type": "video", "id": f"block-{asset}", "asset": asset}
        if captions:
            self.originals[f"{asset}-words"] = media.captions(self.folder), "application/x-subrip"
            block["captions"] = [{"asset": f"{asset}-words", "language": "en"}]
        return self._add(block)

    def sound(self, asset: str) -> Course:
        self.originals[asset] = media.sound(self.folder), "audio/wav"
        return self._add(
            {"type": "audio", "id": f"block-{asset}", "asset": asset, "transcript": {"en": "A single note."}}
        )

    def quiz(self) -> Course:
        choices = [{"id": "a", "text": {"en": "A"}, "correct": True}, {"id": "b", "text": {"en": "B"}}]
        question = {"kind": "single", "id": "q1", "prompt": {"en": "Which?"}, "choices": choices}
        return self._add({"type": "quiz", "id": "quiz", "questions": [question]})

    def assistant(self) -> Course:
        grounding = [block["id"] for block in self.blocks if block["type"] == "text"]
        return self._add({"type": "assistant", "id": "helper", "purpose": {"en": "Help."}, "grounding": grounding})

    def unit(self) -> Course:
        """What is added from here on belongs to a further unit: `unit-2`, `unit-3` …"""
        self.begins.append(len(self.blocks))
        return self

    def changed(self, asset: str, seed: int) -> Course:
        """The next revision, in which another picture stands in the place of `asset`, under the same name."""
        after = copy.deepcopy(self)
        after.revision += 1
        after.originals[asset] = media.picture(self.folder, seed), "image/png"
        return after

    def changed_text(self, words: str = "Read **that**.") -> Course:
        """The next revision, with one text more."""
        after = copy.deepcopy(self)
        after.revision += 1
        return after.text(words)

    def draft(self) -> dict[str, Any]:
        return {
            "shape": 1,
            "course_id": self.course_id,
            "draft_id": self.draft_id,
            "revision": self.revision,
            "language": "en",
            "title": {"en": f"Course {self.course_id}"},
            "description": {"en": "Made for a test."},
            "license": "CC0-1.0",
            "units": [
                {
                    "id": f"unit-{number}" if number > 1 else "unit",
                    "title": {"en": "Unit"},
                    "blocks": self.blocks[at:end],
                }
                for number, (at, end) in enumerate(itertools.pairwise([0, *self.begins, len(self.blocks)]), 1)
            ],
        }

    def _add(self, block: dict[str, Any]) -> Course:
        self.blocks.append(block)
        return self
