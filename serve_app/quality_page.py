"""The quality report as a page for its author: what was found, unit by unit, and the figures of the course.

Everything of the author's is escaped and stands in its own direction, so a course in Arabic reads right inside of a page in
English. Neither script nor style of its own: it works under a policy that forbids both, in 320 pixels, and printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

SEVERITIES = {"error": "Error", "warning": "Warning", "advice": "Advice"}
_SIZE = 1e6
_QUOTED = re.compile("“([^“”]*)”")


def quality_page(report: Mapping[str, Any]) -> str:
    """The HTML of an answer of `GET …/quality`."""
    title = _theirs(report["title"], report["language"])
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>Quality report · {escape(report['title'])} · version {report['version']}</title>",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="stylesheet" href="/static/page.css"></head><body><main>',
            f"<h1>Quality report</h1><p>{title}, version {report['version']}. {_counted(report['counts'])}</p>",
            *_units(report),
            "<section><h2>Figures</h2><dl>",
            *(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in _figures(report["totals"])),
            "</dl></section></main></body></html>",
        )
    )


def _counted(counts: Mapping[str, int]) -> str:
    if not any(counts.values()):
        return "Nothing was found that should be changed."
    words = {
        "error": ("error", "errors"),
        "warning": ("warning", "warnings"),
        "advice": ("piece of advice", "pieces of advice"),
    }
    told = [f"{counts[name]} {words[name][counts[name] != 1]}" for name in SEVERITIES if counts.get(name)]
    return f"There are {', '.join(told)}."


def _units(report: Mapping[str, Any]) -> Iterator[str]:
    parts: list[tuple[str | None, str]] = [(None, "The course as a whole")]
    parts += [
        (unit["id"], f"Unit {number}: {_theirs(unit['title'], report['language'])}")
        for number, unit in enumerate(report["units"], 1)
    ]
    for unit, heading in parts:
        found = [each for each in report["findings"] if each["unit"] == unit]
        if found:
            yield f'<section><h2>{heading}</h2><ul class="findings">{"".join(_finding(each) for each in found)}</ul></section>'
    listed, every = len(report["findings"]), sum(report["counts"].values())
    if every > listed:
        yield f"<p>{every - listed} more are not listed; mend these first.</p>"


def _finding(each: Mapping[str, Any]) -> str:
    return (
        f'<li class="{escape(each["severity"])}"><p><strong>{SEVERITIES[each["severity"]]}</strong> '
        f'<span class="place">{_quoted(each["place"])}</span></p>'
        f"<p>{_quoted(each['message'])}</p><p>{_quoted(each['advice'])}</p>"
        f'<p class="why">{escape(each["reason"])} · <code>{escape(each["code"])}</code> · '
        f"<code>{escape(each['pointer'] or '/')}</code></p></li>"
    )


def _figures(totals: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    pictures, films, sounds = totals["pictures"], totals["films"], totals["sounds"]
    if pictures["all"]:
        meaning = pictures["all"] - pictures["decorative"]
        yield (
            "Pictures",
            (f"{pictures['with_text']} of {meaning} have an alternative text; {pictures['decorative']} are decorative"),
        )
    if films["all"]:
        heard = films["all"] - films["silent"]
        yield (
            "Films",
            (
                f"{films['with_captions']} of {heard} with sound have captions, {films['with_transcript']} of {films['all']} "
                "a transcript"
            ),
        )
    if sounds["all"]:
        yield "Sounds", f"{sounds['with_transcript']} of {sounds['all']} have a transcript"
    yield "Contrast of text", _ratio(totals["contrast"]["text"], totals["contrast"]["text_wanted"])
    yield "Contrast of the accent", _ratio(totals["contrast"]["accent"], totals["contrast"]["accent_wanted"])
    reading = totals["reading"]
    yield (
        "Texts",
        (
            f"{reading['texts']} with {reading['headings']} headings, {reading['links']} links, {reading['tables']} tables, "
            f"{reading['formulas']} formulas"
        ),
    )
    for each in totals["languages"]:
        yield f"Language {each['tag']}", f"{each['texts']} of {each['all']} texts"
    for each in totals["sizes"]:
        limit = f" (told from {each['limit_bytes'] / _SIZE:.0f} MB on)" if each["limit_bytes"] else ""
        yield f"Size on a {each['profile']}", f"{each['bytes'] / _SIZE:.1f} MB{limit}"
    state = totals["saved_state"]
    yield (
        "Saved state",
        (
            f"at most {state['characters']} characters; SCORM 1.2 keeps {state['scorm12']}, SCORM 2004 {state['scorm2004']}"
        ),
    )
    named = totals["licences"]
    yield (
        "Licences",
        f"{named['with_licence']} of {named['files']} files name theirs, {named['with_credit']} their maker",
    )


def _ratio(ratio: float | None, wanted: float) -> str:
    return "no colours are set" if ratio is None else f"{ratio:.2f} to 1, wanted {wanted:g} to 1"


def _theirs(text: str, language: str) -> str:
    return f'<bdi lang="{escape(language)}">{escape(text)}</bdi>'


def _quoted(text: str) -> str:
    """A sentence of ours in which the author's words stand in quotation marks, each in its own direction."""
    return _QUOTED.sub(r"“<bdi>\1</bdi>”", escape(text))
