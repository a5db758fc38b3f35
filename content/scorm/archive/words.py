"""Numbers in the sentences of findings, as a reader would say them. Before and after: whoever writes such a sentence here."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """`1 file`, `2,000 files`; `many` where more than an s is another."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def too_large(size: int, most: int) -> str:
    """`22.4 MB; at most 8.4 MB are taken`; in bytes where these would look the same."""
    shown, allowed = _megabytes(size), _megabytes(most)
    if shown == allowed or most < 1_000_000:
        shown, allowed = counted(size, "byte"), counted(most, "byte")
    return f"{shown}; at most {allowed} are taken"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
