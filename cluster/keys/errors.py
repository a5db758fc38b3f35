"""How a key service says no: it is away or busy (try again), or it refuses."""

from __future__ import annotations

from dataclasses import dataclass

from content.errors import ContentError


class Unavailable(ContentError):
    """`keys-unavailable`: nothing answered, or every answer was "later"."""

    def __init__(self, *_: object) -> None:
        super().__init__("keys-unavailable", "The key service does not answer.", "Try again.", True)


class Busy(Unavailable):
    """It answered that we ask too often. To callers the same as away; the limiter slows down."""


class Full(Unavailable):
    """It was not asked: our own share of its quota is spoken for, for longer than we wait."""


@dataclass(eq=False)
class Elsewhere(ContentError):
    """`key-refused` by one region, which does not have the key (yet): another one may."""


@dataclass(eq=False)
class Exists(ContentError):
    """`key-refused`: somebody else made it meanwhile, or it was there and is only seen now."""


def refused(what: str, remedy: str = "", *, retryable: bool = False) -> ContentError:
    """`key-refused`: the answer was no."""
    return ContentError("key-refused", what, remedy, retryable)


def disabled(name: str = "") -> ContentError:
    """`key-refused`, retryable: whoever signs picks the tenant's key anew, and a disabled one has a successor."""
    return refused(f"The key {name or 'asked for'} is disabled.", "See the tenant's keys: tenant show.", retryable=True)
