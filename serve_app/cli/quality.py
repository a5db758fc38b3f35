"""The quality report of a version as a person reads it in a terminal: figures first, then findings with their places."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

WIDTH = 80


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Of an answer of `GET /v1/packages/{id}/versions/{n}/quality`; no line but that of a long pointer is wider than WIDTH."""
    totals, counts = report["totals"], report["counts"]
    yield f"{report['package_id']}  version {report['version']}"
    advice = _counted(counts["advice"], "piece")
    yield f"  {_counted(counts['error'], 'error')}, {_counted(counts['warning'], 'warning')}, {advice} of advice"
    yield from (f"  {line}" for line in _figures(totals))
    for each in report["findings"]:
        yield ""
        yield from textwrap.wrap(f"{each['severity']}: {each['place']}", WIDTH, subsequent_indent="  ")
        yield from _indented(f"{each['message']} {each['advice']}")
        yield from _indented(f"{each['code']}, {each['reason']}")
        yield f"  {each['pointer'] or '/'}"
    if (rest := sum(counts.values()) - len(report["findings"])) > 0:
        yield f"{rest} more are not listed."


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _figures(totals: Mapping[str, Any]) -> Iterator[str]:
    pictures, films, sounds = totals["pictures"], totals["films"], totals["sounds"]
    if pictures["all"]:
        yield f"alternative texts: {pictures['with_text']} of {pictures['all'] - pictures['decorative']} pictures"
    if films["all"]:
        yield f"captions: {films['with_captions']} of {films['all'] - films['silent']} films with sound"
        yield f"transcripts: {films['with_transcript']} of {films['all']} films"
    if sounds["all"]:
        yield f"transcripts: {sounds['with_transcript']} of {sounds['all']} sounds"
    for name in ("text", "accent"):
        if (ratio := totals["contrast"][name]) is not None:
            yield f"contrast of {name}: {ratio:.2f}, wanted {totals['contrast'][f'{name}_wanted']:g}"
    for each in totals["languages"]:
        yield f"language {each['tag']}: {each['texts']} of {each['all']} texts"
    for each in totals["sizes"]:
        yield f"{each['profile']}: {each['bytes']:,} bytes"
    state = totals["saved_state"]
    yield f"saved state: {state['characters']} of {state['scorm12']} (SCORM 1.2), {state['scorm2004']} (2004)"
    yield f"licences: {totals['licences']['with_licence']} of {totals['licences']['files']} files"


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False)
