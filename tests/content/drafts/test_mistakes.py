"""A draft with thirty mistakes: all of them are named at once, each with its pointer."""

from __future__ import annotations

from typing import Any

import pytest

from content.drafts import parse, validate
from content.errors import InvalidInput
from tests.support.mistakes import MISTAKES, draft_of_mistakes


def test_all_thirty_are_named_with_their_pointers() -> None:
    found = {problem.pointer for problem in validate(draft_of_mistakes()).problems if problem.severity == "error"}
    missing = [pointer for pointer in MISTAKES if pointer not in found]
    assert len(MISTAKES) == 30
    assert missing == [], sorted(found)


def test_each_is_a_sentence() -> None:
    problems: Any = validate(draft_of_mistakes()).problems
    assert all(problem.message.strip() and problem.code for problem in problems)


def test_parsing_raises_all_of_them() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(draft_of_mistakes())
    assert set(MISTAKES) <= {problem.pointer for problem in caught.value.problems}
