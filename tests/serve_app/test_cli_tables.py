"""Lists on a terminal: no line wider than it is, and no id broken, whatever the ids are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from serve_app.cli.tables import lay_out

IDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=0, max_size=60)
WORDS = st.lists(st.text("abcdefghij", min_size=1, max_size=12), max_size=20).map(" ".join)


def lines(headings: list[str], texts: list[bool], cells: list[list[str]], width: int = 80) -> list[str]:
    return [line.plain for line in lay_out(headings, texts, cells, width)]


@given(
    st.integers(1, 6).flatmap(
        lambda columns: st.lists(st.lists(IDS, min_size=columns, max_size=columns), min_size=1, max_size=4)
    ),
    WORDS,
)
def test_every_id_stands_whole_on_one_line_and_every_line_fits(ids: list[list[str]], words: str) -> None:
    headings = [f"h{at}" for at in range(len(ids[0]))]
    shown = lines([*headings, "message"], [*(False for _ in headings), True], [[*row, words] for row in ids])
    whole = [word for line in shown for word in line.split()]
    for row in ids:
        assert all(cell in whole for cell in row if cell)
    assert all(word in whole for word in words.split())
    longest = max((len(cell) for row in ids for cell in row), default=0)
    assert all(cell_len(line) <= max(80, longest + len("message ") + 2) for line in shown)


def test_a_table_that_fits_has_one_heading() -> None:
    assert lines(["id", "state"], [False, False], [["pkg_1", "ready"], ["pkg_22", ""]]) == [
        "id      state",
        "pkg_1   ready",
        "pkg_22",
    ]


def test_text_wraps_at_words_beside_its_row() -> None:
    shown = lines(["id", "message"], [False, True], [["job_1", "one two three four five"]], 26)
    assert shown == ["id     message", "job_1  one two three four", "       five"]


def test_what_is_too_wide_is_told_row_by_row() -> None:
    shown = lines(["device", "of", "state"], [False] * 3, [["d" * 43, "l" * 36, "active"]])
    assert shown == ["d" * 43, f"  of {'l' * 36}  state active"]
