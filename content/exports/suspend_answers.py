"""One answer of the saved state: docs/player-state.md, section “Answers”.

Each kind of question has a codec: text from an answer, an answer from text, and the longest text there can be. The texts
hold none of `;` `~` `.` `!`, which separate them. Unanswered is None and the empty text; answers that say nothing (no
choice ticked, an empty text, a matching of gaps alone) are unanswered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from content.canonical import canonical

BITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MAX_NUMBER_CHARS = 24  # the longest that ECMAScript prints: -2.2250738585072014e-308
MAX_TEXT_CHARS = 120
_NUMBER = re.compile(r"-?[0-9]+(d[0-9]+)?(e[+-][0-9]+)?")
_ESCAPED = re.compile(r"(?:[A-Za-z0-9_-]|%[0-9A-F]{2})+")


def to_base36(number: int) -> str:
    """A whole number ≥ 0 with the digits 0–9a–z. Raises ValueError."""
    if number < 0:
        raise ValueError(number)
    text = DIGITS[number % 36]
    while number := number // 36:
        text = DIGITS[number % 36] + text
    return text


def from_base36(text: str) -> int:
    """Raises ValueError for anything but the digits 0–9a–z."""
    if not text or not set(text) <= set(DIGITS):
        raise ValueError(text)
    return int(text, 36)


def to_bitmap(indexes: list[int]) -> str:
    """Six bits a character, the first the most significant; no trailing A."""
    sextets = [0] * (max(indexes, default=-1) // 6 + 1)
    for index in indexes:
        sextets[index // 6] |= 32 >> index % 6
    return "".join(BITS[sextet] for sextet in sextets)


def from_bitmap(text: str, length: int) -> list[int]:
    """The indexes below `length`, ascending. Raises ValueError."""
    found = [at * 6 + bit for at, char in enumerate(text) for bit in range(6) if BITS.index(char) & 32 >> bit]
    if found and found[-1] >= length:
        raise ValueError(text)
    return found


def encode_answer(question: Mapping[str, Any], answer: Any) -> str:
    """The text of an answer that fits the question; ValueError or TypeError if it does not."""
    if answer is None:
        return ""
    match question["kind"]:
        case "single":
            return to_base36(below(answer, len(question["choices"])))
        case "multiple":
            return to_bitmap([below(each, len(question["choices"])) for each in answer])
        case "true_false":
            return "1" if answer else "0"
        case "numeric":
            return _encode_number(answer)
        case "short_text":
            return _encode_text(answer)
        case _:
            return _encode_places(question, answer)


def decode_answer(question: Mapping[str, Any], text: str) -> Any:
    """The reverse; raises ValueError."""
    if not text:
        return None
    match question["kind"]:
        case "single":
            return below(from_base36(text), len(question["choices"]))
        case "multiple":
            return from_bitmap(text, len(question["choices"])) or None
        case "true_false":
            return {"1": True, "0": False}[text]
        case "numeric":
            return _decode_number(text)
        case "short_text":
            return _decode_text(text)
        case _:
            return _decode_places(question, text)


def longest_answer(question: Mapping[str, Any]) -> int:
    """Characters of the longest text of an answer to this question."""
    match question["kind"]:
        case "single":
            return len(to_base36(len(question["choices"]) - 1))
        case "multiple":
            return math.ceil(len(question["choices"]) / 6)
        case "true_false":
            return 1
        case "numeric":
            return MAX_NUMBER_CHARS
        case "short_text":
            return MAX_TEXT_CHARS
        case _:
            count = _entries(question)
            return count * _width(count)


def below(index: Any, count: int) -> int:
    if type(index) is not int or not 0 <= index < count:
        raise ValueError(index)
    return index


def _encode_number(answer: Any) -> str:
    # RFC 8785 prints numbers as ECMAScript does; -0 is printed 0.
    return canonical(float(answer)).decode().replace(".", "d") if math.isfinite(answer) else ""


def _decode_number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return float(text.replace("d", "."))


def _encode_text(answer: str) -> str:
    # Half a surrogate pair, which JSON and ECMAScript allow, is no character: U+FFFD stands for it.
    whole = answer.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = ""
    for char in whole:
        bare = char.isascii() and (char.isalnum() or char in "_-")
        piece = char if bare else "".join(f"%{byte:02X}" for byte in char.encode())
        if len(text) + len(piece) > MAX_TEXT_CHARS:
            break
        text += piece
    return text


def _decode_text(text: str) -> str:
    if not _ESCAPED.fullmatch(text):
        raise ValueError(text)
    return unquote_to_bytes(text).decode()


def _entries(question: Mapping[str, Any]) -> int:
    return len(question["pairs" if question["kind"] == "matching" else "items"])


def _width(count: int) -> int:
    return 1 if count <= 36 else 2


def _encode_places(question: Mapping[str, Any], answer: Any) -> str:
    count, matching = _entries(question), question["kind"] == "matching"
    width = _width(count)
    places = cast("list[int | None]", answer)
    if len(places) != count or (not matching and sorted(cast("list[int]", places)) != list(range(count))):
        raise ValueError(answer)
    if all(place is None for place in places):
        return ""
    return "".join("-" * width if each is None else to_base36(below(each, count)).zfill(width) for each in places)


def _decode_places(question: Mapping[str, Any], text: str) -> list[int | None]:
    count, gap = _entries(question), "-" * _width(_entries(question))
    pieces = [text[at : at + len(gap)] for at in range(0, len(text), len(gap))]
    places = [None if piece == gap else below(from_base36(piece), count) for piece in pieces]
    if _encode_places(question, places) != text:
        raise ValueError(text)
    return places
