from __future__ import annotations

import json
from typing import Any

import pytest

from content.drafts import parse, validate
from content.drafts.course import Sequencing
from content.packages.build import _sequencing  # pyright: ignore[reportPrivateUsage]


def quiz(name: str) -> dict[str, Any]:
    asked = {"kind": "true_false", "id": "x", "prompt": {"en": "?"}, "answer": True}
    return {"type": "quiz", "id": name, "questions": [asked]}


def course(**sequencing: Any) -> dict[str, Any]:
    blocks = {
        "pre": quiz("q1"),
        "a": {"type": "text", "id": "t1", "text": {"en": "."}},
        "b": {"type": "text", "id": "t2", "text": {"en": "."}},
        "post": quiz("q2"),
    }
    return {
        "language": "en",
        "title": {"en": "T"},
        "description": {"en": "D"},
        "license": "CC0-1.0",
        "units": [{"id": unit, "title": {"en": unit}, "blocks": [block]} for unit, block in blocks.items()],
        "sequencing": sequencing,
    }


def test_a_whole_order_is_taken():
    document = course(
        order="forced", pretest={"unit": "pre", "skips": ["a"], "mastery": 0.5}, posttest={"unit": "post"}
    )
    assert validate(document).problems == ()
    assert _sequencing(parse(document).sequencing) == {
        "sequencing": {
            "order": "forced",
            "pretest": {"unit": "pre", "skips": ["a"], "mastery": 0.5},
            "posttest": {"unit": "post", "mastery": 0.8},
        }
    }


def test_nothing_is_written_where_nothing_is_asked_for():
    assert _sequencing(None) == {}
    assert json.loads(Sequencing().model_dump_json()) == {"order": "free", "pretest": None, "posttest": None}


@pytest.mark.parametrize(
    ("sequencing", "pointer", "code"),
    [
        ({"order": "random"}, "/sequencing/order", None),
        ({"pretest": {"unit": "pre", "skips": []}}, "/sequencing/pretest/skips", "too-short"),
        ({"pretest": {"unit": "none", "skips": ["a"]}}, "/sequencing/pretest/unit", "unit-unknown"),
        ({"pretest": {"unit": "pre", "skips": ["a", "x"]}}, "/sequencing/pretest/skips/1", "unit-unknown"),
        ({"pretest": {"unit": "a", "skips": ["b"]}}, "/sequencing/pretest/unit", "test-without-quiz"),
        ({"pretest": {"unit": "pre", "skips": ["pre"]}}, "/sequencing/pretest/skips/0", "sequencing-order"),
        ({"pretest": {"unit": "post", "skips": ["a"]}}, "/sequencing/pretest/skips/0", "sequencing-order"),
        ({"posttest": {"unit": "none"}}, "/sequencing/posttest/unit", "unit-unknown"),
        ({"posttest": {"unit": "pre"}}, "/sequencing/posttest/unit", "sequencing-order"),
        (
            {"pretest": {"unit": "post", "skips": ["a"]}, "posttest": {"unit": "post"}},
            "/sequencing/posttest/unit",
            "sequencing-order",
        ),
        ({"posttest": {"unit": "post", "mastery": 0}}, "/sequencing/posttest/mastery", None),
        ({"posttest": {"unit": "post", "extra": 1}}, "/sequencing/posttest/extra", "unknown-field"),
    ],
)
def test_what_leads_nowhere_is_told(sequencing: dict[str, Any], pointer: str, code: str | None):
    found = {problem.pointer: problem.code for problem in validate(course(**sequencing)).problems}
    assert pointer in found
    assert code in (None, found[pointer])
