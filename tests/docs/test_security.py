"""docs/security.md answers all six letters of STRIDE at every arrow, each by a test that is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security.md").read_text()
ARROWS = {
    title.strip(): [
        [cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines() if line[:1] == "|"
    ]
    for title, body in re.findall(r"^## (.+?)$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    if "| shown by |" in body
}


@cache
def functions(path: str) -> set[str]:
    nodes = ast.walk(ast.parse((ROOT / path).read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_arrow_is_there() -> None:
    assert len(ARROWS) >= 12


@pytest.mark.parametrize("arrow", ARROWS)
def test_every_letter_has_an_answer_that_is_shown(arrow: str) -> None:
    rows = ARROWS[arrow][2:]
    assert [row[0] for row in rows] == list("STRIDE")
    for _, threat, stopped, shown in rows:
        assert threat and stopped
        for name in shown.split(", "):
            path, _, function = name.partition("::")
            assert (ROOT / path).is_file(), name
            assert not function or function in functions(path), name
