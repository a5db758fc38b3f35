"""What the author should know about a build. Kept with the build and shown by the API; never part of the manifest,
which must not depend on what was away for a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from content.drafts.blocks import AssistantBlock, EmbedBlock
from content.drafts.course import Draft
from content.drafts.report import DraftReport
from content.errors import InvalidInput, Problem


def refuse_unbuildable(draft: Draft) -> None:
    """Raises InvalidInput `draft-not-buildable` with each block that a draft may hold but no package can yet; to be
    called before any work is done."""
    problems = tuple(
        Problem(pointer, "embed-unsupported", "A SCORM package cannot be embedded yet: take this block out.")
        for pointer, block in _blocks(draft)
        if isinstance(block, EmbedBlock)
    )
    if problems:
        remedy = "Take out what is named and publish again."
        raise InvalidInput("draft-not-buildable", "The draft holds what cannot be built.", remedy, False, problems)


def build_problems(
    report: DraftReport, assistant: Mapping[str, Any] | None, media: Iterable[Problem] = ()
) -> tuple[Problem, ...]:
    """The warnings of a build: the draft's, the originals' (`content.media.findings`), and what had to be left out."""
    problems = [*report.warnings, *media]
    if report.draft is not None and assistant is None:
        message = "The assistant's settings could not be had: publish the course again to add them."
        problems += [
            Problem(pointer, "assistant-missing", message, "warning")
            for pointer, block in _blocks(report.draft)
            if isinstance(block, AssistantBlock)
        ]
    return tuple(problems)


def _blocks(draft: Draft) -> list[tuple[str, Any]]:
    return [
        (f"/units/{at}/blocks/{index}", block)
        for at, unit in enumerate(draft.units)
        for index, block in enumerate(unit.blocks)
    ]
