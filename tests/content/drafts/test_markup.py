from __future__ import annotations

import pytest

from content.drafts.languages import direction, is_language_tag
from content.drafts.markup import removed_tags, to_html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# T\n\n*x* **y**", "<h1>T</h1>\n<p><em>x</em> <strong>y</strong></p>"),
        ("<script>alert(1)</script>ok", "ok"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ('<a href="javascript:x">k</a>', '<p><a rel="noopener noreferrer">k</a></p>'),
        ('<p onclick="x" style="color:red" dir="rtl">k</p>', '<p dir="rtl">k</p>'),
        ("![alt](https://e.example/x.png)", "<p></p>"),
        ("<iframe src=x></iframe><object></object>k", "k"),
        ("<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>", "<p><math><mfrac><mn>1</mn><mn>2</mn></mfrac></math></p>"),
        ("<svg><script>x</script></svg>k", "<p>k</p>"),
        (
            "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>",
            "<p><math><mtext></mtext></math></p>",
        ),
    ],
)
def test_markdown(text: str, html: str):
    assert to_html(text) == html


def test_html_is_cleaned_too():
    assert to_html("<div>a<form><input></form></div>", "html") == "<div>a</div>"
    assert removed_tags("<form><input></form><p>", "html") == ("form", "input")


def test_tables():
    assert "<td>1</td>" in to_html("|a|\n|-|\n|1|")


@pytest.mark.parametrize(
    ("tag", "written"),
    [("ar", "rtl"), ("he", "rtl"), ("fa-IR", "rtl"), ("az-Arab", "rtl"), ("az", "ltr"), ("en", "ltr")],
)
def test_direction(tag: str, written: str):
    assert is_language_tag(tag)
    assert direction(tag) == written


@pytest.mark.parametrize("tag", ["", "english", "en_US", "a", "x" * 40, "é"])
def test_no_tags(tag: str):
    assert not is_language_tag(tag)
