"""docs/topology.md maps every line of the topology, and names only what is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT.parent / "shared/seed/deployment-topology.txt"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/topology.md").read_text().splitlines()
    if re.match(r"\| \d", line)
]


@cache
def functions(path: str) -> set[str]:
    nodes = ast.walk(ast.parse((ROOT / path).read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def covered() -> set[int]:
    found: set[int] = set()
    for row in ROWS:
        first, _, last = row[0].partition("–")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def test_no_line_is_left_out() -> None:
    if not DOCUMENT.exists():
        pytest.skip("the topology document is beside the repository only in CI and at its authors'")
    lines = {number for number, line in enumerate(DOCUMENT.read_text().splitlines(), 1) if line.strip()}
    assert lines <= covered()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_holds_and_shows_it_is_there(row: list[str]) -> None:
    assert len(row) == 5 and all(row)
    for path in re.findall(r"`((?:[\w-]+/)[\w./-]+)`", row[2]):
        assert (ROOT / path).exists(), path
    for name in row[3].split(", "):
        path, _, function = name.partition("::")
        assert (ROOT / path).is_file(), name
        assert not function or function in functions(path), name
