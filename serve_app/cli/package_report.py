"""The report on a package of others as its author reads it in a terminal: verdict, contents, then findings with their places."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from content.scorm.shown import shown
from serve_app.import_words import OFFLINE, counted, sandbox, sizes, verdict

WIDTH = 80
TREE_LINES = 40
OF_ONE_CODE = 3
DEEPEST = 8


def lines(name: str, report: Mapping[str, Any]) -> Iterator[str]:
    """Of a report's document; no line but that of a long path is wider than WIDTH."""
    yield shown(name, 2000)
    yield from _filled(verdict(report))
    if report["title"]:
        yield from _filled(f"“{report['title']}”" + (f", language {report['language']}" if report["language"] else ""))
    if report["sizes"] is not None:
        yield from _filled(f"{sizes(report['sizes'])}.")
    if read_in := sandbox(report["sandbox"]):
        yield f"  {read_in}."
    yield from _contents(report)
    yield from _findings("Why it was refused", report["errors"])
    yield from _findings(counted(len(report["warnings"]), "warning"), report["warnings"])
    yield from _findings(OFFLINE, report["offline"])


def _contents(report: Mapping[str, Any]) -> Iterator[str]:
    trees = report["tree"]
    if not trees:
        return
    yield ""
    yield f"  Contents: {counted(report['items'], 'item')}, {counted(len(report['launch']), 'page')} to open"
    if report["launch"]:
        yield f"  Begins with {shown(report['launch'][0], 2000)}"
    rows = [row for tree in trees for row in _tree(tree, alone=len(trees) == 1)]
    yield from rows[:TREE_LINES]
    if len(rows) > TREE_LINES:
        yield f"    … and {counted(len(rows) - TREE_LINES, 'more line')}; --json has them all"


def _tree(tree: Mapping[str, Any], *, alone: bool) -> Iterator[str]:
    if not alone:
        played = " (this one is played)" if tree["default"] else ""
        yield from _filled(f"{tree['title'] or tree['identifier']}{played}", 4)
    yield from _items(tree["items"], 0 if alone else 1)


def _items(items: Sequence[Mapping[str, Any]], depth: int) -> Iterator[str]:
    for item in items:
        indent = 4 + 2 * min(depth, DEEPEST)
        sign = "- " if item["href"] else "  "
        wrapped = textwrap.wrap(item["title"] or item["identifier"], WIDTH - indent - 2, max_lines=2, placeholder=" …")
        for number, line in enumerate(wrapped):
            yield f"{' ' * indent}{'  ' if number else sign}{line}"
        yield from _items(item["items"], depth + 1)


def _findings(heading: str, findings: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if not findings:
        return
    yield ""
    yield f"  {heading}"
    seen: dict[str, int] = {}
    for each in findings:
        seen[each["code"]] = seen.get(each["code"], 0) + 1
        if seen[each["code"]] > OF_ONE_CODE:
            continue
        yield from _filled(each["message"], 4)
        yield f"      {each['code']}" + (f" at {each['place']}" if each["place"] else "")
    for code, count in seen.items():
        if count > OF_ONE_CODE:
            yield f"    … and {count - OF_ONE_CODE} more of {code}"


def _filled(text: str, indent: int = 2) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
