"""What the author should know about a build. Kept with the build and shown by the API; never part of the manifest,
which must not depend on what was away for a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from content.drafts.blocks import AssistantBlock, EmbedBlock
from content.drafts.course import Draft
from content.drafts.report import DraftReport
from content.errors import InvalidInput, Problem


def embedded_packages(draft: Draft) -> tuple[str, ...]:
    """The ids of the packages that the draft embeds, each once."""
    return tuple(dict.fromkeys(block.package for _, block in _embeds(draft)))


def refuse_unbuildable(draft: Draft, why: Mapping[str, tuple[str, str]]) -> None:
    """Raises InvalidInput `draft-not-buildable` with each block that embeds a package which cannot be had; `why`: (code, sentence)
    by the package's id. To be called before any work is done."""
    problems = tuple(
        Problem(f"{pointer}/package", *why[block.package]) for pointer, block in _embeds(draft) if block.package in why
    )
    if problems:
        remedy = "Take out what is named, or import the package, and publish again."
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


def _embeds(draft: Draft) -> list[tuple[str, EmbedBlock]]:
    return [(pointer, block) for pointer, block in _blocks(draft) if isinstance(block, EmbedBlock)]


def _blocks(draft: Draft) -> list[tuple[str, Any]]:
    return [
        (f"/units/{at}/blocks/{index}", block)
        for at, unit in enumerate(draft.units)
        for index, block in enumerate(unit.blocks)
    ]
