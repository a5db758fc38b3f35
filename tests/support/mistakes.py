"""A draft with thirty mistakes of many kinds, and the pointer at which each is to be named."""

from __future__ import annotations

from typing import Any

IMAGE = {"type": "image", "asset": "m1", "alt": {"en": "a cat"}}
CHOICES = [{"id": "a", "text": {"en": "A"}, "correct": True}, {"id": "b", "text": {"en": "B"}, "correct": True}]


def _question(kind: str, number: int, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "id": f"q{number}", "prompt": {"en": "?"}, **fields}


BLOCKS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"type": "text", "id": "t", "text": {"fr": "bonjour"}}, ("/text",)),
    ({"type": "text", "id": "t", "text": {"en": "the same id"}}, ("/id",)),
    ({"type": "text", "id": "no text"}, ("/text", "/id")),
    ({"type": "text", "id": "t3", "text": {"en": "x", "english": "x"}}, ("/text/english",)),
    ({"type": "text", "id": "t4", "text": {"en": 5}}, ("/text/en",)),
    ({"type": "image", "id": "i1", "asset": "m1"}, ("",)),
    ({**IMAGE, "id": "i2", "asset": "../../etc/passwd"}, ("/asset",)),
    ({**IMAGE, "id": "i3", "asset": 7}, ("/asset",)),
    ({"type": "file", "id": "f1", "asset": "m1", "title": {"en": "a picture as a file"}}, ("/asset",)),
    ({"type": "file", "id": "f2", "asset": "m5"}, ("/title",)),
    ({"type": "hologram", "id": "h"}, ("/type",)),
    ({"id": "typeless"}, ("/type",)),
    ({"type": "assistant", "id": "s", "purpose": {"en": "help"}, "grounding": ["nobody"]}, ("/grounding/0",)),
    ({"type": "embed", "id": "e", "package": "not-a-package"}, ("/package",)),
    ({"type": "video", "id": "v", "asset": "m2", "captions": [{"asset": "m3", "language": "klingonese"}]}, ("/captions/0/language",)),
    ({"type": "audio", "id": "a"}, ("/asset",)),
    ({"type": "video", "id": "v2"}, ("/asset",)),
    ({"type": "quiz", "id": "empty", "questions": []}, ("/questions",)),
    (
        {
            "type": "quiz",
            "id": "shapes",
            "questions": [
                _question("essay", 1),
                _question("numeric", 2, answer="three"),
                _question("multiple", 3, choices=[]),
                {"kind": "true_false", "id": "q4", "answer": False},
            ],
        },
        ("/questions/0", "/questions/1/answer", "/questions/2/choices", "/questions/3/prompt"),
    ),
    (
        {
            "type": "quiz",
            "id": "senses",
            "questions": [
                _question("single", 5, choices=CHOICES),
                _question("true_false", 5, answer=True),
                _question("ordering", 6, items=[{"id": "x", "text": {"en": "x"}}] * 2),
            ],
        },
        ("/questions/0/choices", "/questions/1/id", "/questions/2/items"),
    ),
]  # fmt: skip
HEAD: dict[str, Any] = {
    "language": "en",
    "title": {"en": "T"},
    "description": {"en": "D"},
    "license": "CC0-1.0",
    "completion": {"rule": "blocks", "blocks": ["t", "nobody"]},
}
MISTAKES: tuple[str, ...] = (
    "/completion/blocks/1", "/units/1", "/units/2/id", "/units/3/title",
    *(f"/units/0/blocks/{n}{at}" for n, (_, pointers) in enumerate(BLOCKS) for at in pointers),
)  # fmt: skip


def draft_of_mistakes() -> dict[str, Any]:
    """The draft; every call makes a new one."""
    text = {"type": "text", "text": {"en": "fine"}}
    units: list[Any] = [
        {"id": "u1", "title": {"en": "U"}, "blocks": [dict(block) for block, _ in BLOCKS]},
        "no unit",
        {"id": "u1", "title": {"en": "the same id"}, "blocks": [{**text, "id": "fine-1"}]},
        {"id": "u3", "blocks": [{**text, "id": "fine-2"}]},
    ]
    return {**HEAD, "units": units}
