"""Ports for a stack: free when first chosen, kept from then on, chosen anew only where somebody else took one.

They come from below Linux's range for outgoing connections (32768…) and below what Serve's replicas use (30000…), so
that a port noted in `stack.json` is rarely taken by chance between a `down` and the next `up`.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Collection, Iterable

from cluster.local.errors import LocalStackError

LOWEST, HIGHEST = 20000, 29999


def is_free(port: int) -> bool:
    """Whether a server could listen there now, on the loopback and on all addresses."""
    for address in ("127.0.0.1", "0.0.0.0"):  # noqa: S104 - Serve listens on all addresses in some modes
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection in TIME_WAIT is no obstacle
            try:
                trial.bind((address, port))
            except OSError:
                return False
    return True


def choose(names: Iterable[str], taken: Collection[int]) -> dict[str, int]:
    """A free port for each name, none of `taken`, all distinct."""
    chosen: dict[str, int] = {}
    candidates = iter(random.SystemRandom().sample(range(LOWEST, HIGHEST + 1), HIGHEST - LOWEST + 1))
    for name in names:
        port = next((p for p in candidates if p not in taken and is_free(p)), None)
        if port is None:
            raise LocalStackError(
                "no-port", f"No port between {LOWEST} and {HIGHEST} is free.", "Stop what listens there."
            )
        chosen[name] = port
    return chosen
