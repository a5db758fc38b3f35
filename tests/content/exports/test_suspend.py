from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.errors import ContentError
from content.exports.suspend import decode, encode, worst_case

VECTORS = Path(__file__).parents[2] / "vectors" / "state"
NAMES = sorted(path.stem for path in VECTORS.glob("*.json"))


def load(name: str) -> dict[str, Any]:
    return json.loads((VECTORS / f"{name}.json").read_text())


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("bad-")])
def test_state_and_text_are_the_same_thing(name: str):
    vector = load(name)
    assert encode(vector["course"], vector.get("given", vector["state"])) == vector["text"]
    assert encode(vector["course"], vector["state"]) == vector["text"]
    assert decode(vector["course"], vector["text"]) == vector["state"]
    assert len(vector["text"]) <= worst_case(vector["course"])


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("bad-")])
def test_what_nobody_writes_is_not_read(name: str):
    vector = load(name)
    with pytest.raises(ContentError) as caught:
        decode(vector["course"], vector["text"])
    assert caught.value.code == vector["error"]


def test_vectors_are_those_of_the_script(tmp_path: Path):
    made = runpy.run_path(str(VECTORS / "make.py"))
    named = {name: vector for part in ("good", "bad") for name, vector in made[part]()}
    # By way of JSON, since tuples and half surrogate pairs come back another way.
    assert {name: json.loads(json.dumps(vector)) for name, vector in named.items()} == {n: load(n) for n in NAMES}


KINDS = ("single", "multiple", "true_false", "numeric", "short_text", "matching", "ordering")


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    kind, count = draw(st.sampled_from(KINDS)), draw(st.integers(2, 60))
    entries = [{"id": str(at)} for at in range(count)]
    return {"kind": kind, "choices": entries, "pairs": entries, "items": entries}


@st.composite
def courses(draw: st.DrawFn) -> dict[str, Any]:
    quizzes = st.builds(
        lambda asked, limit: {"type": "quiz", "questions": asked} | ({"attempts": limit} if limit else {}),
        st.lists(questions(), min_size=1, max_size=4),
        st.none() | st.integers(1, 1000),
    )
    films = st.builds(lambda kind: {"type": kind, "asset": "a"}, st.sampled_from(["video", "audio"]))
    units = draw(st.lists(st.lists(quizzes | films | st.just({"type": "text"}), max_size=8), min_size=1, max_size=4))
    numbered = [
        {"id": f"u{at}", "blocks": [{**block, "id": f"{at}.{index}"} for index, block in enumerate(unit)]}
        for at, unit in enumerate(units)
    ]
    return {"version": draw(st.integers(1, 1 << 31)), "structure": {"units": numbered}}


def answers(question: dict[str, Any]) -> st.SearchStrategy[Any]:
    indexes = st.integers(0, len(question["choices"]) - 1)
    count = len(question["choices"])
    match question["kind"]:
        case "single":
            given = indexes
        case "multiple":
            given = st.sets(indexes, min_size=1).map(sorted)
        case "true_false":
            given = st.booleans()
        case "numeric":
            given = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)
        case "short_text":
            given = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
        case "matching":
            gaps = st.lists(st.none() | indexes, min_size=count, max_size=count)
            given = gaps.filter(lambda places: any(place is not None for place in places))
        case _:
            given = st.permutations(range(count)).map(list)
    return st.none() | given


@st.composite
def played(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    course = draw(courses())
    blocks = [block for unit in course["structure"]["units"] for block in unit["blocks"]]
    entries: list[Any] = []
    for quiz in [block for block in blocks if block["type"] == "quiz"]:
        entry = {
            "attempts": draw(st.integers(1, quiz.get("attempts", 46655))),
            "submitted": draw(st.booleans()),
            "answers": [draw(answers(question)) for question in quiz["questions"]],
        }
        entries.append(draw(st.none() | st.just(entry)))
    timed = sum(block["type"] in ("video", "audio") for block in blocks)
    last = max(0, len(blocks) - 1)
    state = {
        "version": course["version"],
        "place": draw(st.integers(0, last)),
        "seen": sorted(draw(st.sets(st.integers(0, last)))) if blocks else [],
        "quizzes": entries,
        "positions": draw(st.lists(st.integers(0, 1679615), min_size=timed, max_size=timed)),
    }
    return course, state


@given(played())
def test_every_state_comes_back_and_is_no_longer_than_foretold(case: tuple[dict[str, Any], dict[str, Any]]):
    course, state = case
    text = encode(course, state)
    assert decode(course, text) == state
    assert len(text) <= worst_case(course)
    assert text.isascii()
    assert not set(text) & set(" \"'<>&\\")


@given(st.text(st.sampled_from("01;.~!-_Aag%2Ed"), max_size=40))
def test_any_text_is_read_or_refused(text: str):
    course = load("everything")["course"]
    try:
        assert encode(course, decode(course, text)) == text
    except ContentError as error:
        assert error.code in ("state-invalid", "state-other-version")


def test_worst_case_is_reached():
    vector = load("text-of-120")
    state = {
        **vector["state"],
        "seen": [0],
        "quizzes": [{"attempts": 46655, "submitted": True, "answers": ["x" * 120]}],
    }
    assert len(encode(vector["course"], state)) == worst_case(vector["course"])


def test_worst_case_of_one_unit_leaves_out_the_others_answers():
    course = load("everything")["course"]
    assert worst_case(course, "u0") < worst_case(course, "u1") < worst_case(course)


def test_films_that_are_left_out_take_no_place():
    block = {"type": "video", "id": "v", "asset": "a"}
    course: dict[str, Any] = {"version": 1, "structure": {"units": [{"id": "u", "blocks": [block]}]}}
    film = {"role": "video", "duration_s": 59.2}
    lengths = [worst_case({**course, "assets": {"a": {"renditions": made}}}) for made in ([film], [{"role": "poster"}])]
    assert lengths == [len("1;1;0;g;;1o"), len("1;1;0;g;;")]


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"seen": [9]}, {"seen": [-1]}, {"quizzes": []}, {"positions": [1]}, {"place": "x"}, {"place": -1}],
)
def test_a_state_of_another_course_is_not_written(change: dict[str, Any]):
    vector = load("text-arabic")
    with pytest.raises(ContentError, match="saved state"):
        encode(vector["course"], {**vector["state"], **change})
