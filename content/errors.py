"""The one error tree of the service.

Every error that a caller may see carries a stable `code` (also the last part of a problem's `type`), one sentence of
what happened, what to do about it, and whether trying again can help. Errors of libraries are translated into these
where they enter. Fields are positional on purpose: Ray 2.60 turns an exception with a keyword-only `__init__` into an
`UnserializableException`, and cannot unpickle a frozen one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(eq=False)
class ContentError(Exception):
    """Something that went wrong and can be told to its user."""

    code: str
    message: str
    remedy: str = ""
    retryable: bool = False

    def __post_init__(self) -> None:
        Exception.__init__(self, *(getattr(self, field.name) for field in fields(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


@dataclass(eq=False)
class Problem:
    """One finding in somebody's input: where (a JSON pointer), which rule, and a sentence its author understands."""

    pointer: str
    code: str
    message: str
    severity: str = "error"

    def as_dict(self) -> dict[str, str]:
        return {"pointer": self.pointer, "code": self.code, "message": self.message, "severity": self.severity}


@dataclass(eq=False)
class InvalidInput(ContentError):
    """Input with one or more problems, all named at once."""

    problems: tuple[Problem, ...] = ()


@dataclass(eq=False)
class WrongRegion(ContentError):
    """What was asked for lives in another region: its name, and the address of the service there (empty if unknown)."""

    region: str = ""
    url: str = ""


@dataclass(eq=False)
class ObjectCold(ContentError):
    """A blob lies in cold storage: it can be read again when it has been restored. `key` is its own in the store."""

    key: str = ""


@dataclass(eq=False)
class NotYet(ContentError):
    """What a job waits for is not there yet, which is no failure of its: when to look again."""

    wait_s: float = 60.0
