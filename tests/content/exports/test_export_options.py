from __future__ import annotations

from typing import Any

import pytest

from content.canonical import canonical
from content.errors import ContentError
from content.exports import Options


@pytest.mark.parametrize(
    ("member", "options"),
    [
        ("format", {"format": "scorm13"}),
        ("report", {"format": "html", "report": "done"}),
        ("packaging", {"format": "cmi5", "packaging": "block"}),
        ("packaging", {"format": "html", "packaging": "unit"}),
        ("packaging", {"format": "xapi", "packaging": "unit"}),
        ("profile", {"format": "html", "profile": "watch"}),
        ("mastery", {"format": "html", "mastery": 1.01}),
        ("mastery", {"format": "html", "mastery": -0.1}),
        ("mastery", {"format": "html", "mastery": float("nan")}),
        ("mastery", {"format": "html", "mastery": True}),
        ("languages", {"format": "html", "languages": ("en", "en")}),
        ("languages", {"format": "html", "languages": ("not a tag",)}),
        ("languages", {"format": "html", "languages": ("en_US",)}),
    ],
)
def test_what_cannot_be_asked_for(member: str, options: dict[str, Any]):
    with pytest.raises(ContentError) as caught:
        Options(**options)
    assert caught.value.code == "export-option"
    assert f"“{member}”" in caught.value.message
    assert caught.value.remedy


def test_the_values_there_are_are_named():
    with pytest.raises(ContentError, match="“scorm2004-4th”, “cmi5”, “xapi”, “html”"):
        Options("scorm13")


def test_a_mastery_has_two_digits():
    assert Options("html", mastery=0.666666).mastery == Options("html", mastery=0.67).mastery == 0.67
    values = {canonical(Options("html", mastery=number / 7000).document()) for number in range(7001)}
    assert len(values | {canonical(Options("html", mastery=-0.0).document())}) == 101


def test_equal_options_have_equal_documents():
    assert Options("html", mastery=1).document() == Options("html", mastery=1.0).document()
    assert canonical(Options("html", mastery=1).document()) == canonical(Options("html", mastery=1.0).document())
    assert set(Options("html").document()) == set(Options.__dataclass_fields__)
