"""What the edge has to forget when the shape of manifests changes: everything below one prefix, by `cluster.edge.purging`."""

from __future__ import annotations

from typing import Protocol

from cluster.edge import purging
from cluster.settings import Settings

MANIFESTS = "/packages/"
"""Where the edge keeps manifests, of all tenants (`cluster.places.manifest`)."""


class Edge(Protocol):
    def invalidate_prefix(self, prefix: str, *, reference: str) -> None:
        """Have everything below a path forgotten; the same reference twice is one invalidation. Raises ContentError, which
        is `retryable` if it is to be told again."""
        ...


class Purged:
    """The CDN of these settings. Where they name none there is nothing to forget."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def invalidate_prefix(self, prefix: str, *, reference: str) -> None:
        purging.invalidate_prefix(self._settings, prefix, reference)
