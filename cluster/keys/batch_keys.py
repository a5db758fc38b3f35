"""Batch keys of a process: which one wraps now, and which were opened lately.

One batch key wraps many content keys of one tenant, for some minutes, and is then let go; one that was opened is kept as
long. So a burst of enrolments costs a call of KMS per process and some minutes, not one per key. What is kept lies in the
memory of a process that may ask KMS for it anyway; docs/keys.md weighs it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from cluster.keys import envelope
from cluster.keys.cache import Cache
from cluster.keys.envelope import BatchKey, Wrapped

TENANTS, OPENED = 256, 4096


@dataclass
class _InUse:
    key: BatchKey
    uses: int = 0


class BatchKeys:
    """`make` asks KMS for a new batch key of a tenant, `open_` has it open one. Safe to share between threads."""

    def __init__(
        self, make: Callable[[str], BatchKey], open_: Callable[[str, bytes], bytes], *, uses: int, ttl_s: float
    ) -> None:
        self._make, self._open, self._uses = make, open_, uses
        self._current: Cache[_InUse] = Cache(TENANTS, ttl_s)
        self._opened: Cache[bytes] = Cache(OPENED, ttl_s)
        self._lock = threading.Lock()

    def wrap(self, tenant: str, keys: list[bytes]) -> list[str]:
        """The keys as texts, in their order, under as few batch keys as their number of uses allows."""
        texts: list[str] = []
        while len(texts) < len(keys):
            found, room = self._reserve(tenant, len(keys) - len(texts))
            chosen = keys[len(texts) : len(texts) + room]
            texts += [envelope.wrap(found, tenant, key, os.urandom(envelope.NONCE_BYTES)) for key in chosen]
        return texts

    def unwrap(self, tenant: str, texts: list[str]) -> list[bytes]:
        """The keys of texts, in their order: one call for each batch key that is not known. Raises `key-refused`."""
        wrapped = [envelope.parse(text) for text in texts]
        opened = {each.batch: each for each in wrapped}
        plain = {batch: self._plain(tenant, each) for batch, each in opened.items()}
        return [envelope.unwrap(plain[each.batch], tenant, each) for each in wrapped]

    def _reserve(self, tenant: str, wanted: int) -> tuple[BatchKey, int]:
        """A batch key with room, and how many keys it may wrap for the caller."""
        with self._lock:
            current = self._current.get(tenant)
            if current is not None and current.uses < self._uses:
                return _taken(current, min(wanted, self._uses - current.uses))
        fresh = _InUse(self._make(tenant))  # outside of the lock: another tenant is not to wait for KMS
        with self._lock:
            taken = _taken(fresh, min(wanted, self._uses))
            if fresh.uses < self._uses:
                self._current.put(tenant, fresh)
            return taken

    def _plain(self, tenant: str, wrapped: Wrapped) -> bytes:
        # The tenant stands in the name: what was opened for one is not found for another.
        name = f"{tenant}|{wrapped.batch}"
        known = self._opened.get(name)
        return known if known is not None else self._opened.put(name, self._open(tenant, wrapped.blob))


def _taken(current: _InUse, room: int) -> tuple[BatchKey, int]:
    current.uses += room
    return current.key, room
