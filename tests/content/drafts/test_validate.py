from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content.drafts import parse, validate
from content.drafts.limits import MAX_BLOCKS, MAX_DEPTH, MAX_PROBLEMS, MAX_TEXT_CHARS
from content.errors import InvalidInput


def course(*blocks: dict[str, Any], **head: Any) -> dict[str, Any]:
    return {
        "language": "en",
        "title": {"en": "T"},
        "description": {"en": "D"},
        "license": "CC-BY-4.0",
        "units": [{"id": "u1", "title": {"en": "U"}, "blocks": list(blocks)}],
        **head,
    }


def question(kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "id": kind, "prompt": {"en": "?"}, **fields}


TEXT = {"type": "text", "id": "t", "text": {"en": "hello"}}
IMAGE = {"type": "image", "id": "i", "asset": "m1", "alt": {"en": "a cat"}}
VIDEO = {"type": "video", "id": "v", "asset": "m2", "captions": [{"asset": "m3", "language": "en"}], "poster": "m1"}
AUDIO = {"type": "audio", "id": "a", "asset": "m4", "transcript": {"en": "la"}}
FILE = {"type": "file", "id": "f", "asset": "m5", "title": {"en": "sheet"}}
CHOICES = [{"id": "a", "text": {"en": "A"}, "correct": True}, {"id": "b", "text": {"en": "B"}}]
QUESTIONS = [
    question("single", choices=CHOICES),
    question("multiple", choices=CHOICES),
    question("true_false", answer=True),
    question("numeric", answer=3.5, tolerance=0.1, unit={"en": "m"}),
    question("short_text", answers={"en": ["Paris"]}),
    question("matching", pairs=[{"id": n, "left": {"en": n}, "right": {"en": n}} for n in "xy"]),
    question("ordering", items=[{"id": n, "text": {"en": n}} for n in "xy"]),
]
QUIZ = {"type": "quiz", "id": "q", "questions": QUESTIONS}
ASSISTANT = {"type": "assistant", "id": "s", "purpose": {"en": "help"}, "grounding": ["t"]}
EMBED = {"type": "embed", "id": "e", "package": "pkg_" + "0" * 26}
ALL = (TEXT, IMAGE, VIDEO, AUDIO, FILE, QUIZ, ASSISTANT, EMBED)


def found(document: Any) -> set[tuple[str, str]]:
    return {(problem.pointer, problem.code) for problem in validate(document).problems}


def test_every_block_type_parses_without_a_word():
    report = validate(course(*ALL))
    assert report.ok
    assert report.problems == ()
    assert [block.type for block in parse(course(*ALL)).units[0].blocks] == [block["type"] for block in ALL]


def test_originals_once_each_with_all_pointers():
    originals = parse(course(*ALL, theme={"logo": "m1"})).originals()
    assert [(each.asset, each.kind) for each in originals] == [
        ("m1", "image"),
        ("m2", "video"),
        ("m3", "captions"),
        ("m4", "audio"),
        ("m5", "file"),
    ]
    assert originals[0].pointers == ("/theme/logo", "/units/0/blocks/1/asset", "/units/0/blocks/2/poster")


B = "/units/0/blocks/0"
WRONG = {
    "alt": ([{"type": "image", "id": "i", "asset": "m"}], {}, B, "alt-missing"),
    "duplicate block": ([TEXT, TEXT], {}, "/units/0/blocks/1/id", "duplicate-block-id"),
    "block type": ([{"type": "hologram", "id": "h"}], {}, f"{B}/type", "unknown-block-type"),
    "block is no object": (["text"], {}, B, "wrong-type"),
    "asset id": ([{**IMAGE, "asset": "../etc/passwd"}], {}, f"{B}/asset", "bad-value"),
    "asset unlisted": ([IMAGE], {"assets": {}}, f"{B}/asset", "asset-unknown"),
    "asset of two kinds": ([IMAGE, {**FILE, "asset": "m1"}], {}, "/units/0/blocks/1/asset", "asset-kind"),
    "language tag": ([{**TEXT, "text": {"en": "x", "english": "x"}}], {}, f"{B}/text/english", "language-unknown"),
    "own language": ([{**TEXT, "text": {"fr": "x"}}], {}, f"{B}/text", "language-missing"),
    "long text": ([{**TEXT, "text": {"en": "x" * (MAX_TEXT_CHARS + 1)}}], {}, f"{B}/text/en", "too-long"),
    "number for text": ([TEXT], {"license": 4}, "/license", "wrong-type"),
    "no title": ([TEXT], {"title": {}}, "/title", "too-short"),
    "completion rule": ([TEXT], {"completion": {"rule": "never"}}, "/completion", "unknown-kind"),
    "completion block": (
        [TEXT],
        {"completion": {"rule": "blocks", "blocks": ["t", "nope"]}},
        "/completion/blocks/1",
        "block-unknown",
    ),
    "completion field named as its tag": ([TEXT], {"completion": {"rule": "blocks"}}, "/completion/blocks", "missing"),
    "score without quiz": (
        [TEXT],
        {"completion": {"rule": "score", "mastery": 0.5}},
        "/completion",
        "completion-without-quiz",
    ),
    "grounding": ([{**ASSISTANT, "grounding": ["x"]}], {}, f"{B}/grounding/0", "block-unknown"),
    "units": ([], {"units": []}, "/units", "units-missing"),
    "two right": (
        [{**QUIZ, "questions": [question("single", choices=[{**each, "correct": True} for each in CHOICES])]}],
        {},
        f"{B}/questions/0/choices",
        "correct-choices",
    ),
    "none right": (
        [{**QUIZ, "questions": [question("multiple", choices=[{**each, "correct": False} for each in CHOICES])]}],
        {},
        f"{B}/questions/0/choices",
        "correct-choices",
    ),
    "same question": ([{**QUIZ, "questions": [QUESTIONS[2]] * 2}], {}, f"{B}/questions/1/id", "duplicate-question-id"),
    "same choice": (
        [{**QUIZ, "questions": [question("ordering", items=[{"id": "x", "text": {"en": "x"}}] * 2)]}],
        {},
        f"{B}/questions/0/items",
        "duplicate-choice-id",
    ),
    "question kind": ([{**QUIZ, "questions": [question("essay")]}], {}, f"{B}/questions/0", "unknown-kind"),
    "inside a question": (
        [{**QUIZ, "questions": [question("numeric", answer="three")]}],
        {},
        f"{B}/questions/0/answer",
        "wrong-type",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_error(name: str):
    blocks, head, pointer, code = WRONG[name]
    document = course(*blocks, **head)
    assert (pointer, code) in found(document)
    assert not validate(document).ok


WARNED = {
    "captions": ([{**VIDEO, "captions": []}], {}, B, "captions-missing"),
    "transcript": ([{"type": "audio", "id": "a", "asset": "m"}], {}, B, "transcript-missing"),
    "markup": ([{**TEXT, "text": {"en": "<script>x</script>"}}], {}, f"{B}/text/en", "markup-removed"),
    "unknown field": ([{**TEXT, "colour": "red"}], {}, f"{B}/colour", "unknown-field"),
    "unknown field deep": (
        [{**QUIZ, "questions": [{**QUESTIONS[2], "hint": 1}]}],
        {},
        f"{B}/questions/0/hint",
        "unknown-field",
    ),
    "translation": ([TEXT], {"translations": ["ar"]}, f"{B}/text", "translation-missing"),
    "contrast": (
        [TEXT],
        {"theme": {"colours": {"text": "#777777", "background": "#888888"}}},
        "/theme/colours",
        "contrast-low",
    ),
    "unused asset": ([TEXT], {"assets": {"m9": {"kind": "image"}}}, "/assets/m9", "asset-unused"),
}


@pytest.mark.parametrize("name", WARNED)
def test_warning_does_not_stop(name: str):
    blocks, head, pointer, code = WARNED[name]
    report = validate(course(*blocks, **head))
    assert (pointer, code) in {(each.pointer, each.code) for each in report.warnings}
    assert report.ok


def test_everything_at_once():
    document = course(
        {"type": "image", "id": "x", "asset": "m"},
        {"type": "text", "id": "x", "text": {"en": 5}},
        {"type": "?"},
        license=1,
    )
    document["units"].append({"id": "u1", "title": {}, "blocks": "none"})
    with pytest.raises(InvalidInput) as refused:
        parse(document)
    assert refused.value.code == "draft-invalid"
    assert {problem.pointer for problem in refused.value.problems} >= {
        "/license",
        "/units/0/blocks/0",
        "/units/0/blocks/1/text/en",
        "/units/0/blocks/2/type",
        "/units/1/title",
        "/units/1/blocks",
    }


def test_a_broken_choice_is_not_also_told_as_too_few():
    choices = [CHOICES[0], {"id": "b"}]
    codes = {code for _, code in found(course({**QUIZ, "questions": [question("single", choices=choices)]}))}
    assert codes == {"missing"}


def test_limits():
    nested: Any = "x"
    for _ in range(MAX_DEPTH + 1):
        nested = [nested]
    assert found(course(TEXT, more=nested)) == {("", "too-deep")}
    many = course(*[{**TEXT, "id": f"t{n}"} for n in range(500)])
    many["units"] = [{**many["units"][0], "id": f"u{n}"} for n in range(MAX_BLOCKS // 500 + 1)]
    assert any(code == "too-long" for _, code in found(many))
    report = validate(course(*[{"type": "?"}] * (MAX_PROBLEMS - 1), license=1, language=2))
    assert len(report.problems) == MAX_PROBLEMS + 1
    assert report.problems[-1].code == "more-problems"


@pytest.mark.parametrize("value", [None, 3, "x", [], float("nan")])
def test_not_even_an_object(value: Any):
    assert found(value) == {("", "wrong-type")}


@pytest.mark.parametrize("value", [float("nan"), 1 << 70, "\ud800", {1: 2}])
def test_what_json_cannot_carry(value: Any):
    assert found(course(TEXT, more=value)) == {("", "not-json")}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PATHS = [
    ("title",),
    ("completion",),
    ("theme",),
    ("assets",),
    ("units",),
    ("units", 0),
    *(("units", 0, "blocks", n) for n in range(len(ALL))),
    *(("units", 0, "blocks", n, key) for n, block in enumerate(ALL) for key in block),
    *(("units", 0, "blocks", 5, "questions", n, key) for n, each in enumerate(QUESTIONS) for key in each),
]


@settings(max_examples=150)
@given(path=st.sampled_from(PATHS), value=JSON)
def test_any_value_anywhere_gives_a_report_whose_pointers_resolve(path: tuple[Any, ...], value: Any):
    document = copy.deepcopy(course(*ALL))
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    for problem in validate(document).problems:
        here: Any = document
        for step in problem.pointer.split("/")[1:-1]:
            key = step.replace("~1", "/").replace("~0", "~")
            here = here[int(key)] if isinstance(here, list) else here[key]
