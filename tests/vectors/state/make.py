"""Writes the vectors beside it, the same bytes each time: `python tests/vectors/state/make.py`.

docs/player-state.md says what the members mean. The texts are written by hand here and not by the encoder, so that they
are evidence: a state and its text are two statements of what the document says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
Vector = dict[str, Any]


def course(*units: list[dict[str, Any]], version: int = 1) -> dict[str, Any]:
    return {
        "version": version,
        "structure": {"units": [{"id": f"u{at}", "blocks": blocks} for at, blocks in enumerate(units)]},
    }


def texts(count: int) -> list[dict[str, Any]]:
    return [{"type": "text", "id": f"t{at}"} for at in range(count)]


def film(name: str, kind: str = "video") -> dict[str, Any]:
    return {"type": kind, "id": name, "asset": name}


def quiz(*questions: dict[str, Any], name: str = "q", **more: Any) -> dict[str, Any]:
    numbered = [{"id": f"x{at}", **question} for at, question in enumerate(questions)]
    return {"type": "quiz", "id": name, "questions": numbered, **more}


def choices(kind: str, count: int) -> dict[str, Any]:
    return {"kind": kind, "choices": [{"id": f"c{at}"} for at in range(count)]}


def pairs(count: int) -> dict[str, Any]:
    return {"kind": "matching", "pairs": [{"id": f"p{at}"} for at in range(count)]}


def items(count: int) -> dict[str, Any]:
    return {"kind": "ordering", "items": [{"id": f"i{at}"} for at in range(count)]}


TRUE_FALSE = {"kind": "true_false", "answer": True}
NUMERIC = {"kind": "numeric", "answer": 1}
SHORT = {"kind": "short_text", "answers": {"en": ["x"]}}


def state(version: int = 1, place: int = 0, seen: Any = (), quizzes: Any = (), positions: Any = ()) -> dict[str, Any]:
    return {
        "version": version,
        "place": place,
        "seen": list(seen),
        "quizzes": list(quizzes),
        "positions": list(positions),
    }


def taken(*answers: Any, attempts: int = 1, submitted: bool = False) -> dict[str, Any]:
    return {"attempts": attempts, "submitted": submitted, "answers": list(answers)}


def answered(question: dict[str, Any], answer: Any, text: str, given: Any = None) -> Vector:
    """A course of one question; `given` is what was to be written where it is not what is read again."""
    vector = {"course": course([quiz(question)]), "state": state(quizzes=[taken(answer)]), "text": f"1;1;0;;1.{text};"}
    return vector if given is None else {**vector, "given": state(quizzes=[taken(given)])}


def good() -> Iterator[tuple[str, Vector]]:
    yield "begin", {"course": course(texts(2)), "state": state(), "text": "1;1;0;;;"}
    yield (
        "version-and-place",
        {
            "course": course(texts(40), version=1296),
            "state": state(version=1296, place=39),
            "text": "1;100;13;;;",
        },
    )
    yield "seen-first", {"course": course(texts(7)), "state": state(seen=[0]), "text": "1;1;0;g;;"}
    yield "seen-all-of-six", {"course": course(texts(6)), "state": state(seen=range(6)), "text": "1;1;0;_;;"}
    yield (
        "seen-over-units",
        {
            "course": course(texts(4), texts(9)),
            "state": state(place=12, seen=[0, 5, 11, 12]),
            "text": "1;1;c;hBg;;",
        },
    )
    yield (
        "positions",
        {
            "course": course([film("a"), film("b", "audio"), film("c"), film("d")]),
            "state": state(place=2, seen=[0, 2], positions=[75, 0, 3600, 0]),
            "text": "1;1;2;o;;23..2s0",
        },
    )
    yield (
        "position-cut",
        {
            "course": course([film("a")]),
            "given": state(positions=[99999999]),
            "state": state(positions=[1679615]),
            "text": "1;1;0;;;zzzz",
        },
    )
    yield from quizzes()
    yield from answers()


def quizzes() -> Iterator[tuple[str, Vector]]:
    three = [quiz(TRUE_FALSE, name=name) for name in ("a", "b", "c")]
    yield "quiz-untouched", {"course": course(three), "state": state(quizzes=[None] * 3), "text": "1;1;0;;;"}
    yield (
        "quiz-in-the-middle",
        {
            "course": course(three),
            "state": state(quizzes=[None, taken(False), None]),
            "text": "1;1;0;;~1.0;",
        },
    )
    yield (
        "quiz-submitted",
        {
            "course": course([quiz(TRUE_FALSE, TRUE_FALSE)]),
            "state": state(quizzes=[taken(True, None, attempts=36, submitted=True)]),
            "text": "1;1;0;;10.1.!;",
        },
    )
    yield (
        "quiz-begun-anew",
        {
            "course": course([quiz(TRUE_FALSE, TRUE_FALSE)]),
            "state": state(quizzes=[taken(None, None, attempts=2)]),
            "text": "1;1;0;;2..;",
        },
    )
    yield (
        "attempts-cut-to-the-limit",
        {
            "course": course([quiz(TRUE_FALSE, attempts=3)]),
            "given": state(quizzes=[taken(None, attempts=9)]),
            "state": state(quizzes=[taken(None, attempts=3)]),
            "text": "1;1;0;;3.;",
        },
    )
    yield (
        "everything",
        {
            "course": course(
                [*texts(1), quiz(choices("single", 3), choices("multiple", 8), TRUE_FALSE), film("v")],
                [quiz(NUMERIC, SHORT, name="r"), quiz(pairs(3), items(3), name="s"), film("w", "audio")],
                version=12,
            ),
            "state": state(
                version=12,
                place=4,
                seen=[0, 1, 2, 3],
                quizzes=[
                    taken(2, [0, 7], True, submitted=True),
                    taken(-2.5, "naïve", attempts=2),
                    taken([2, None, 0], [1, 2, 0]),
                ],
                positions=[59, 1],
            ),
            "text": "1;c;4;8;1.2.gQ.1!~2.-2d5.na%C3%AFve~1.2-0.120;1n.1",
        },
    )


def answers() -> Iterator[tuple[str, Vector]]:
    yield "single-last-of-sixty", answered(choices("single", 60), 59, "1n")
    yield "multiple-none-ticked", answered(choices("multiple", 3), None, "", given=[])
    yield "multiple-all-of-thirteen", answered(choices("multiple", 13), list(range(13)), "__g")
    yield "number-whole", answered(NUMERIC, 1000000, "1000000")
    yield "number-large", answered(NUMERIC, 1e21, "1e+21")
    yield "number-small", answered(NUMERIC, 1.5e-7, "1d5e-7")
    yield "number-longest", answered(NUMERIC, -2.2250738585072014e-308, "-2d2250738585072014e-308")
    yield "number-minus-zero", answered(NUMERIC, 0, "0", given=-0.0)
    yield "text-separators", answered(SHORT, "a.b~c;d!e%f g", "a%2Eb%7Ec%3Bd%21e%25f%20g")
    yield "text-arabic", answered(SHORT, "قطة", "%D9%82%D8%B7%D8%A9")
    yield "text-emoji", answered(SHORT, "🐦", "%F0%9F%90%A6")
    yield "text-half-a-pair", answered(SHORT, "a�b", "a%EF%BF%BDb", given="a\ud83db")
    yield "text-empty", answered(SHORT, None, "", given="")
    yield "text-of-120", answered(SHORT, "x" * 120, "x" * 120)
    yield "text-cut", answered(SHORT, "x" * 120, "x" * 120, given="x" * 121)
    yield "text-cut-at-a-character", answered(SHORT, "x" * 110, "x" * 110, given="x" * 110 + "🐦" + "y")
    yield "matching-36", answered(pairs(36), [35, *[None] * 34, 0], "z" + "-" * 34 + "0")
    yield "matching-37", answered(pairs(37), [36, *[None] * 35, 0], "10" + "--" * 35 + "00")
    yield "matching-twice-the-same", answered(pairs(2), [1, 1], "11")
    yield "matching-gaps-alone", answered(pairs(3), None, "", given=[None, None, None])
    yield (
        "ordering-37",
        answered(
            items(37), list(range(36, -1, -1)), "10" + "".join("0" + d for d in "zyxwvutsrqponmlkjihgfedcba9876543210")
        ),
    )


def bad() -> Iterator[tuple[str, Vector]]:
    one = course([*texts(2), quiz(choices("single", 3), pairs(2), items(2), SHORT, NUMERIC), film("v")])
    begun = "1;1;0;;1.2.1-.10.a.1;5"
    yield "bad-other-version", _refused(one, begun.replace("1;1;", "1;2;", 1), "state-other-version")
    for name, text in {
        "empty": "",
        "shape": begun.replace("1;1;", "2;1;", 1),
        "field-missing": "1;1;0;;1.....",
        "field-more": begun + ";",
        "place-outside": begun.replace(";0;", ";4;"),
        "place-zero-padded": begun.replace(";0;", ";00;"),
        "capital-digit": begun.replace(";5", ";A"),
        "seen-outside": begun.replace(";0;;", ";0;_;"),
        "seen-padded": begun.replace(";0;;", ";0;gA;"),
        "answer-missing": begun.replace(".1;", ";"),
        "choice-outside": begun.replace("1.2", "1.3", 1),
        "matching-outside": begun.replace("1-", "2-"),
        "ordering-twice": begun.replace(".10.", ".11."),
        "text-not-escaped": begun.replace(".a.", ".a b."),
        "text-lower-case-escape": begun.replace(".a.", ".%2e."),
        "text-not-utf-8": begun.replace(".a.", ".%FF."),
        "number-not-canonical": begun.replace(".1;5", ".1d0;5"),
        "number-with-point": begun.replace(".1;5", ".1.5;5"),
        "attempts-zero": begun.replace("1.2", "0.2", 1),
        "quizzes-more": begun.replace(";5", "~1;5"),
        "positions-trailing": begun + ".",
        "space": begun + " ",
    }.items():
        yield f"bad-{name}", _refused(one, text, "state-invalid")


def _refused(course_: dict[str, Any], text: str, code: str) -> Vector:
    return {"course": course_, "text": text, "error": code}


def main() -> None:
    made = {f"{name}.json": vector for name, vector in (*good(), *bad())}
    for stale in HERE.glob("*.json"):
        if stale.name not in made:
            stale.unlink()
    for name, vector in made.items():
        (HERE / name).write_text(json.dumps(vector, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
