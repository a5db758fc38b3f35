"""How many bundles are served at once: as many as one signature pays for, as long as their buffers fit into memory."""

from __future__ import annotations

from cluster.objects import PIECE
from cluster.settings import MIB, Settings

SEGMENT = 1 << 20
MEMORY = 192 * MIB
"""What the buffers of one batch may hold; with a large package this, not 64, is what limits a batch."""


def batch_limit(settings: Settings, policy: str, size: int) -> int:
    """How many bundles of so many plaintext bytes."""
    if policy == "shared":
        return settings.bundle_batch
    by_bytes = max(1, settings.bundle_batch_bytes // max(1, size))  # a payload for each
    return min(settings.bundle_batch, by_bytes, max(1, MEMORY // batch_memory(size)))


def batch_memory(total: int) -> int:
    """Bytes that one device of a batch holds in memory, for a bundle of `total` plaintext bytes."""
    return min(total, PIECE) + 2 * SEGMENT
