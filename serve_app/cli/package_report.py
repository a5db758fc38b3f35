"""The report on a package of others as its author reads it in a terminal: verdict, contents, then findings with their places."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from content.scorm.shown import shown

WIDTH = 80
TREE_LINES = 40
OF_ONE_CODE = 3
DEEPEST = 8
EDITIONS = {
    "1.2": "SCORM 1.2",
    "2004-2nd": "SCORM 2004 2nd Edition",
    "2004-3rd": "SCORM 2004 3rd Edition",
    "2004-4th": "SCORM 2004 4th Edition",
    "aicc": "AICC",
    "cmi5": "cmi5",
    "tincan": "xAPI (Tin Can)",
}


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Of a report's document, with `file`; no line but that of a long path is wider than WIDTH."""
    yield shown(report["file"])
    yield from _filled(_verdict(report))
    if report["title"]:
        yield from _filled(f"“{report['title']}”" + (f", language {report['language']}" if report["language"] else ""))
    if (sizes := report["sizes"]) is not None:
        yield from _filled(
            f"{size(sizes['zip_bytes'])} packed, {size(sizes['unpacked_bytes'])} unpacked, {counted(sizes['files'], 'file')}"
        )
    yield f"  read in {report['sandbox']}" if report["sandbox"] != "none" else "  read without a sandbox"
    yield from _contents(report)
    yield from _findings("Why it was refused", report["errors"])
    yield from _findings(counted(len(report["warnings"]), "warning"), report["warnings"])
    yield from _findings("Without a network, and in today's browsers", report["offline"])


def counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def size(count: int) -> str:
    """Bytes as an author reads them."""
    if count < 1000:
        return counted(count, "byte")
    return f"{count / 1000:,.0f} kB" if count < 1e6 else f"{count / 1e6:,.1f} MB"


def _verdict(report: Mapping[str, Any]) -> str:
    parts = [EDITIONS[report["edition"]]] if report["edition"] else []
    if (tool := report["tool"]) is not None:
        parts.append(f"made with {tool['name']} {tool['version']}".strip())
    told = ", ".join(parts)
    verdict = "Accepted" if report["accepted"] else "Refused"
    return f"{verdict}: {told}." if told else f"{verdict}."


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
