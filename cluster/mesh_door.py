"""What stands behind the mesh's door asks whether a request came in by it.

TLS of an HTTP server ends beside it (docs/mesh.md): what ended it has checked who asks, and shows a secret with each request that
it lets in. The server knows only the secret's SHA-256 (`mesh_door_sha256`). So whoever finds the way to the port behind the
door, on the loopback of a machine or past a NetworkPolicy, is refused.
"""

from __future__ import annotations

import hashlib
import hmac

HEADER = "X-Content-Mesh"


def came_in(digest: str, shown: str | None) -> bool:
    """Whether what a request shows is the door's secret; where there is no door, everybody came in."""
    return not digest or hmac.compare_digest(digest, digest_of(shown or ""))


def digest_of(secret: str) -> str:
    """What the server is told of the secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
