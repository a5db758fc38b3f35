"""The report on an imported package as a page for its author: verdict, contents, and every finding with its place.

All texts come from the package and are escaped; each stands in its own direction, so an Arabic title reads right inside of a page
in English. Neither script nor style of its own: it works under a policy that forbids both, in 320 pixels, and printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from content.scorm.shown import shown
from serve_app.import_words import OFFLINE, counted, sandbox, sizes, verdict

MOST_ITEMS = 2000
_QUOTED = re.compile("“([^“”]*)”")


def import_report_page(report: Mapping[str, Any]) -> str:
    """The HTML of an answer of `GET /v1/imports/{id}/report`: a report's document, with `file_name`."""
    name = shown(report["file_name"])
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>Import report · {escape(name)}</title>",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="stylesheet" href="/static/page.css"></head><body><main>',
            f"<h1>Import report</h1><p><bdi>{escape(name)}</bdi></p><p><strong>{escape(verdict(report))}</strong></p>",
            *_findings("Why it was refused", "error", report["errors"]),
            "<section><h2>The package</h2><dl>",
            *(f"<dt>{escape(term)}</dt><dd>{told}</dd>" for term, told in _facts(report)),
            "</dl></section>",
            *_contents(report),
            *_findings(counted(len(report["warnings"]), "warning"), "warning", report["warnings"]),
            *_findings(OFFLINE, "advice", report["offline"]),
            "</main></body></html>",
        )
    )


def _facts(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    language = report["language"]
    if report["title"]:
        yield "Title", _theirs(report["title"], language)
    if report["identifier"]:
        yield "Identifier", f"<code>{escape(report['identifier'])}</code>"
    if language:
        yield "Language", escape(language)
    if report["launch"]:
        first = _path(report["launch"][0])
        more = f" and {counted(len(report['launch']) - 1, 'more page')}" if len(report["launch"]) > 1 else ""
        yield "Begins with", f"{first}{more}"
    if report["sizes"] is not None:
        yield "Size", escape(sizes(report["sizes"]))
    if report["sandbox"]:
        yield "How it was read", escape(sandbox(report["sandbox"]))


def _contents(report: Mapping[str, Any]) -> Iterator[str]:
    if not report["tree"]:
        return
    left = iter(range(MOST_ITEMS))
    yield f"<section><h2>Contents: {counted(report['items'], 'item')}</h2>"
    for tree in report["tree"]:
        played = " (this one is played)" if tree["default"] and len(report["tree"]) > 1 else ""
        yield f"<h3>{_theirs(tree['title'] or tree['identifier'], report['language'])}{played}</h3>"
        yield from _items(tree["items"], report["language"], left)
    if next(left, None) is None:
        yield f"<p>Only the first {MOST_ITEMS:,} are shown.</p>"
    yield "</section>"


def _items(items: Sequence[Mapping[str, Any]], language: str, left: Iterator[int]) -> Iterator[str]:
    if not items:
        return
    yield "<ul>"
    for item in items:
        if next(left, None) is None:
            break
        opens = f" {_path(item['href'])}" if item["href"] else ""
        yield f"<li>{_theirs(item['title'] or item['identifier'], language)}{opens}"
        yield from _items(item["items"], language, left)
        yield "</li>"
    yield "</ul>"


def _findings(heading: str, severity: str, findings: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if not findings:
        return
    yield f'<section><h2>{escape(heading)}</h2><ul class="findings">'
    for each in findings:
        place = f" · {_path(each['place'])}" if each["place"] else ""
        yield (
            f'<li class="{severity}"><p>{_quoted(each["message"])}</p>'
            f'<p class="why"><code>{escape(each["code"])}</code>{place}</p></li>'
        )
    yield "</ul></section>"


def _path(path: str) -> str:
    """A path or address: text, and no link, since whoever follows it would leave for where a stranger sends them."""
    return f"<code><bdi>{escape(shown(path, 2000))}</bdi></code>"


def _theirs(text: str, language: str) -> str:
    named = f' lang="{escape(language)}"' if language else ""
    return f'<bdi dir="auto"{named}>{escape(text)}</bdi>'


def _quoted(text: str) -> str:
    """A sentence of ours in which the author's words stand in quotation marks, each in its own direction."""
    return _QUOTED.sub(r"“<bdi>\1</bdi>”", escape(text))
