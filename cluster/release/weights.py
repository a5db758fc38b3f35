"""Where the traffic is parted: an object that holds the share of the canary and annotations, and is changed by one write.

Two implementations: `kubernetes` (an HTTPRoute) and `local_gateway` (the one of the local stack). Both refuse a write that
rests on what somebody else has changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from content.errors import ContentError


@dataclass(frozen=True)
class Weights:
    """What was read: the canary's share in per cent, the annotations, and which revision of the object it was."""

    share: int
    annotations: Mapping[str, str]
    revision: str
    document: Any = field(default=None, repr=False, compare=False)
    """The object as its server gave it."""


class Gateway(Protocol):
    def read(self) -> Weights:
        """Raises ContentError `gateway-unavailable` (retryable) or `gateway-refused`."""
        ...

    def write(self, before: Weights, share: int, annotations: Mapping[str, str]) -> Weights:
        """Set both at once; annotations that are not named stay. Raises ContentError `release-conflict` (retryable) if
        the object is not as it was read any more, and what `read` raises."""
        ...


def conflict() -> ContentError:
    """Somebody else was faster."""
    return ContentError(
        "release-conflict", "Somebody else changed the traffic's weights meanwhile.", "Look again, then decide.", True
    )


def unavailable(what: str, error: Exception) -> ContentError:
    told = f"{what} does not answer ({type(error).__name__})."
    return ContentError("gateway-unavailable", told, "The weights stay as they are; try again.", True)


def refused(what: str, why: str) -> ContentError:
    return ContentError("gateway-refused", f"{what} refused: {why}.", "See docs/release.md, What it needs.")
