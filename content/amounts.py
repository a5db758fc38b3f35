"""Sizes and rates as people write them: `200MB`, `1.5GiB`, `1.5Mbit/s`. Decimal and binary prefixes mean what they say."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

MOST: Final = (1 << 53) - 1
"""What every reader of JSON counts exactly; more than this is as much as anybody has."""
NUMBER: Final = r"[1-9][0-9]{0,15}(?:\.[0-9]{1,3})?|0\.[0-9]{0,2}[1-9]"
BYTES: Final = rf"^(?:(?:{NUMBER}) ?[kMGT]i?B|[1-9][0-9]{{0,15}} ?B?)$"
RATE: Final = rf"^(?:(?:{NUMBER}) ?[kMG]bit(?:/s)?|[1-9][0-9]{{0,15}}(?: ?bit(?:/s)?)?)$"
_PARTS: Final = re.compile(r"([0-9.]+) ?([kMGT]?)(i?)")
_POWERS: Final = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}


def parse_bytes(text: str) -> int:
    """Bytes, at most `MOST`. Raises ValueError."""
    if re.fullmatch(BYTES, text) is None:
        raise ValueError("write a size in bytes, or as 200MB, 200MiB or 1.5GB")
    return _amount(text)


def parse_rate(text: str) -> int:
    """Bit/s. Raises ValueError."""
    if re.fullmatch(RATE, text) is None:
        raise ValueError("write a rate in bit/s, or as 800kbit/s or 1.5Mbit/s")
    return _amount(text)


def _amount(text: str) -> int:
    found = _PARTS.match(text)
    assert found is not None
    number, prefix, binary = found.groups()
    return min(MOST, int(Fraction(number) * (1024 if binary else 1000) ** _POWERS[prefix]))
