"""docs/attacks.md names vectors and tests that are there, and every attack has one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/attacks.md").read_text().splitlines()
    if line.startswith("| ") and "shown by" not in line
]
VECTOR, TEST = re.compile(r"vector: ([a-z0-9, -]+)"), re.compile(r"test: ([\w/.:, ]+)")


def named(pattern: re.Pattern[str]) -> set[str]:
    found = [text for row in ROWS for text in pattern.findall(row[2])]
    return {name.strip() for text in found for name in text.split(",") if name.strip()}


def test_every_attack_is_shown_somewhere() -> None:
    assert len(ROWS) >= 20
    for row in ROWS:
        assert len(row) == 3 and (VECTOR.search(row[2]) or TEST.search(row[2])), row


def test_every_vector_that_is_named_is_there() -> None:
    there = {path.stem for path in (ROOT / "tests/vectors/bad").glob("*.json")}
    assert len(named(VECTOR)) > 60
    assert named(VECTOR) <= there


def test_every_test_that_is_named_is_there() -> None:
    for name in named(TEST):
        path, _, function = name.partition("::")
        body = ast.parse((ROOT / path).read_text())
        functions = {node.name for node in ast.walk(body) if isinstance(node, ast.FunctionDef)}
        assert not function or function in functions, name
