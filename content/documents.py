"""Strict reading of the JSON documents of docs/bundle-format.md, section "Documents".

A document is bytes first: they must be exactly the canonical form (RFC 8785) of what they say, hold no unknown member
and stay under their size limit. So there is one byte string per meaning, and a digest of the bytes names the meaning.
Before this module: bytes from anywhere. After it: values that the frozen dataclasses take without asking again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn, cast

from content.canonical import canonical, parse_rfc3339
from content.errors import ContentError

MAX_INTEGER: Final = (1 << 53) - 1
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
TENANT: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,38}")
IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(eq=False)
class DocumentRefused(ContentError):
    """Bytes that are not the document they should be; the code says which rule they break."""


def parse_document(data: bytes, what: str, limit: int) -> dict[str, Any]:
    """The members of a canonical JSON object of at most `limit` bytes.

    Raises DocumentRefused `<what>-too-large`, `<what>-malformed` or `document-not-canonical`.
    """
    document = parse_json(data, what, limit)
    _require_canonical(document, data, what)
    return document


def parse_json(data: bytes, what: str, limit: int) -> dict[str, Any]:
    """A JSON object without repeated members, in any order of members; see `parse_document` for the errors."""
    parsed = _parse(data, what, limit)
    if not isinstance(parsed, dict):
        raise DocumentRefused(f"{what}-malformed", f"The {what} is not a JSON object.")
    return cast("dict[str, Any]", parsed)


def parse_canonical(data: bytes, what: str, limit: int) -> Any:
    """Any JSON value in its canonical form; see `parse_document` for the errors."""
    value = _parse(data, what, limit)
    _require_canonical(value, data, what)
    return value


def _require_canonical(value: Any, data: bytes, what: str) -> None:
    try:
        same = canonical(value) == data
    except (ContentError, RecursionError):
        same = False
    if not same:
        raise DocumentRefused("document-not-canonical", f"The {what} is not in its canonical form (RFC 8785).")


def _parse(data: bytes, what: str, limit: int) -> Any:
    if len(data) > limit:
        raise DocumentRefused(f"{what}-too-large", f"The {what} has {len(data)} bytes; {limit} are allowed.")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DocumentRefused(f"{what}-malformed", f"The {what} is not JSON: {type(error).__name__}.") from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("repeated member")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


class Fields:
    """Takes the members of one object out by name and type; `done` refuses whatever was not asked for."""

    def __init__(self, members: object, what: str) -> None:
        if not isinstance(members, Mapping):
            raise DocumentRefused(f"{what}-malformed", f"A part of the {what} is not an object.")
        self._members = dict(cast("Mapping[str, Any]", members))
        self._what = what

    def refuse(self, reason: str) -> DocumentRefused:
        return DocumentRefused(f"{self._what}-malformed", f"The {self._what} is malformed: {reason}.")

    def take(self, name: str) -> Any:
        if name not in self._members:
            raise self.refuse(f"no member {name}")
        return self._members.pop(name)

    def expect(self, type_name: str, shape: int = 1) -> None:
        """The members every signed document begins with; raises `document-type` or `document-shape`."""
        if self._members.pop("type", None) != type_name:
            raise DocumentRefused("document-type", f"This document is not of the type {type_name}.")
        found = self._members.pop("shape", None)
        if type(found) is not int or found != shape:
            raise DocumentRefused("document-shape", f"Shape {shape} of {type_name} was expected.", "Update the reader.")

    def text(self, name: str, pattern: re.Pattern[str]) -> str:
        value = self.take(name)
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise self.refuse(f"{name} has not the required form")
        return value

    def integer(self, name: str, low: int = 0, high: int = MAX_INTEGER) -> int:
        return self._integer(self.take(name), name, low, high)

    def _integer(self, value: object, name: str, low: int, high: int) -> int:
        # bool is an int in Python; `true` is not a number in JSON
        if type(value) is not int or not low <= value <= high:
            raise self.refuse(f"{name} is not a whole number from {low} to {high}")
        return value

    def integers(self, name: str, count: int) -> tuple[int, ...]:
        items = self.items(name, count)
        if len(items) != count:
            raise self.refuse(f"{name} has not {count} numbers")
        return tuple(self._integer(item, name, 0, MAX_INTEGER) for item in items)

    def time(self, name: str) -> datetime:
        value = self.take(name)
        try:
            if not isinstance(value, str) or len(value) != 20:
                raise ValueError(name)
            return parse_rfc3339(value)
        except (ContentError, ValueError) as error:
            raise self.refuse(f"{name} is not a time in the form 2026-01-31T12:00:00Z") from error

    def items(self, name: str, limit: int) -> list[Any]:
        value = self.take(name)
        if not isinstance(value, list) or len(cast("list[Any]", value)) > limit:
            raise self.refuse(f"{name} is not a list of at most {limit}")
        return cast("list[Any]", value)

    def names(self, name: str, pattern: re.Pattern[str], limit: int) -> tuple[str, ...]:
        """A sorted list of different strings."""
        items = self.items(name, limit)
        if not all(isinstance(item, str) and pattern.fullmatch(item) for item in items):
            raise self.refuse(f"{name} holds something that has not the required form")
        if items != sorted(set(items)):
            raise self.refuse(f"{name} is not sorted and without repetition")
        return tuple(items)

    def fields(self, name: str) -> Fields:
        return Fields(self.take(name), self._what)

    def done(self) -> None:
        if self._members:
            raise self.refuse(f"unknown member {min(self._members)!r}")
