"""What the edge has to forget when the shape of manifests changes. The edge's own client implements it."""

from __future__ import annotations

from typing import Protocol

from cluster.settings import Settings

MANIFESTS = "/packages/"
"""Where the edge keeps manifests, of all tenants (`cluster.places.manifest`)."""


class Edge(Protocol):
    def invalidate_prefix(self, prefix: str, *, reference: str) -> None:
        """Have everything below a path forgotten; the same reference twice is one invalidation. Raises ContentError, which
        is `retryable` if it is to be told again."""
        ...


def connect(settings: Settings) -> Edge | None:
    """The edge of these settings; None where there is none to tell."""
    return None
