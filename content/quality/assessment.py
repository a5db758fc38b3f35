"""The whole report: findings in the order of the draft, the heaviest of a place first, and totals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from content.drafts import Draft
from content.drafts.blocks import VideoBlock
from content.errors import Problem
from content.media import Probe
from content.packages import Manifest
from content.quality.alternatives import alternative_totals, alternatives, blocks, silent
from content.quality.colours import colours, contrast_totals
from content.quality.finding import Finding, finding
from content.quality.languages import language_totals, languages
from content.quality.licences import licence_totals, licences
from content.quality.reading import Readings, read_texts
from content.quality.rules import SEVERITIES
from content.quality.sizes import QualityLimits, size_totals, sizes, state_totals
from content.quality.texts import text_totals, texts

SHAPE = 1
MAX_FINDINGS: Final = 1000  # listed; the counts are of all
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Report:
    """`title` and `units` (id → title) are in the course's `language`, for whoever shows the report. `counts`: findings by
    severity, also those beyond MAX_FINDINGS. `totals`: figures as JSON."""

    language: str
    title: str
    units: Mapping[str, str]
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    totals: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """JSON, as it is kept with the version."""
        return {
            "shape": SHAPE,
            "language": self.language,
            "title": self.title,
            "units": [{"id": unit, "title": title} for unit, title in self.units.items()],
            "counts": dict(self.counts),
            "totals": dict(self.totals),
            "findings": [each.as_dict() for each in self.findings[:MAX_FINDINGS]],
        }


def assess(
    draft: Draft,
    manifest: Manifest,
    problems: Iterable[Problem],
    probes: Mapping[str, Probe],
    limits: QualityLimits | None = None,
) -> Report:
    """Everything that is found. `problems`: the warnings of the build, which know the draft and its media; `probes`: what was
    seen of each original, by its asset id."""
    limits = limits or QualityLimits()
    readings = read_texts(manifest)
    found = [finding(draft, problem) for problem in _all(draft, manifest, readings, problems, probes, limits)]
    found.sort(key=lambda each: (_order(each.pointer), SEVERITIES.index(each.severity), each.code))
    counts = {severity: sum(each.severity == severity for each in found) for severity in SEVERITIES}
    totals = {
        **alternative_totals(draft, probes),
        "contrast": contrast_totals(draft),
        "reading": text_totals(readings),
        "languages": language_totals(draft),
        "sizes": size_totals(manifest, limits),
        "saved_state": state_totals(manifest),
        "licences": licence_totals(draft),
    }
    named = {unit.id: unit.title.get(draft.language, unit.id) for unit in draft.units}
    return Report(draft.language, draft.title[draft.language], named, tuple(found), counts, totals)


def _all(
    draft: Draft,
    manifest: Manifest,
    readings: Readings,
    problems: Iterable[Problem],
    probes: Mapping[str, Probe],
    limits: QualityLimits,
) -> Iterator[Problem]:
    # A draft is judged without its files: only here is it known that a film has nothing to be captioned.
    soundless = {pointer for pointer, block in blocks(draft) if isinstance(block, VideoBlock) and silent(block, probes)}
    for problem in problems:
        if not (problem.code == "captions-missing" and problem.pointer in soundless):
            yield problem
    yield from alternatives(draft, probes)
    yield from colours(draft)
    yield from texts(readings)
    yield from languages(draft)
    yield from sizes(draft, manifest, limits)
    yield from licences(draft)


def _order(pointer: str) -> tuple[bool, list[tuple[int, str]]]:
    """The course itself first, then as the draft runs: a unit's title before its blocks, block 10 after block 9."""
    steps = [
        (int(step), "") if _NUMBER.fullmatch(step) else (0 if step == "blocks" else -1, step)
        for step in pointer.split("/")
    ]
    return pointer.startswith("/units"), steps
