"""What a course's files are found to be, told where the draft names them: findings of each, of captions beside their
film, and all broken files at once.

Before: the probes of the originals and the errors that stopped some of them. After: the build's report, or the problem
that ends the build.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from content.drafts.blocks import AudioBlock, VideoBlock
from content.drafts.course import Draft
from content.errors import ContentError, InvalidInput, Problem
from content.media.findings import clock, findings
from content.media.probe import Probe

CAPTIONS_SLACK_S = 1.0  # a last cue may stay a moment longer than the film's last frame


def media_findings(draft: Draft, probes: Mapping[str, Probe]) -> tuple[Problem, ...]:
    """Warnings about the originals that could be looked at, in the order in which the draft names them."""
    found = [
        problem
        for original in draft.originals()
        if original.asset in probes
        for problem in findings(original.asset, probes[original.asset], original.pointers)
    ]
    return (*found, *_late_captions(draft, probes))


def invalid_media(draft: Draft, faults: Mapping[str, ContentError], found: tuple[Problem, ...] = ()) -> InvalidInput:
    """One error for all files that cannot be used: a problem at every place that names one of them, then warnings."""
    problems = tuple(
        Problem(pointer, fault.code, _sentence(original.asset, fault))
        for original in draft.originals()
        if (fault := faults.get(original.asset))
        for pointer in original.pointers
    )
    what = "One file of the course" if len(faults) == 1 else f"{len(faults)} files of the course"
    remedy = "Mend or replace what is named and publish again."
    return InvalidInput("media-invalid", f"{what} cannot be used.", remedy, False, (*problems, *found))


def _sentence(asset: str, fault: ContentError) -> str:
    named = fault.message if asset in fault.message else f"“{asset}”: {fault.message}"
    return f"{named} {fault.remedy}".strip()


def _late_captions(draft: Draft, probes: Mapping[str, Probe]) -> Iterator[Problem]:
    for at, unit in enumerate(draft.units):
        for index, block in enumerate(unit.blocks):
            if not isinstance(block, (VideoBlock, AudioBlock)) or block.asset not in probes:
                continue
            length = probes[block.asset].duration_s
            for number, track in enumerate(block.captions):
                end = probes[track.asset].duration_s if track.asset in probes else 0.0
                if length and end > length + CAPTIONS_SLACK_S:
                    pointer = f"/units/{at}/blocks/{index}/captions/{number}/asset"
                    message = (
                        f"The captions “{track.asset}” go on until {clock(end)}, but “{block.asset}” ends at "
                        f"{clock(length)}. They may belong to another film."
                    )
                    yield Problem(pointer, "captions-late", message, "warning")
