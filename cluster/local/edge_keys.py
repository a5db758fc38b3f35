"""The key group of the local edge: a file of public keys by id, which the edge reads again when it has changed.

What CloudFront's key group is in production (`cluster.edge.cloudfront.CloudFrontKeys`): a signature by any key in it is good. Written by
`content-service edge rotate` and by nobody else, once the stack has made it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from cluster.edge import cdn
from cluster.local.home import read_json, write_json


class KeyFile(Mapping[str, cdn.PublicKey]):
    """The keys in the file as it is now, ready to check with. A file that cannot be read leaves the keys that were known."""

    def __init__(self, path: Path) -> None:
        self._path, self._seen = path, (0, 0)
        self._keys: dict[str, cdn.PublicKey] = {}

    def __getitem__(self, key_id: str) -> cdn.PublicKey:
        return self._read()[key_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> Mapping[str, cdn.PublicKey]:
        try:
            now = self._path.stat()
        except OSError:
            return self._keys
        if (now.st_mtime_ns, now.st_ino) != self._seen:
            self._keys = {key_id: cdn.load_public_key(pem) for key_id, pem in read_json(self._path).items()}
            self._seen = now.st_mtime_ns, now.st_ino
        return self._keys


class LocalKeys:
    """`cluster.edge.edge_keys.KeyGroup` over that file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keys(self) -> dict[str, str]:
        return {str(key_id): str(pem) for key_id, pem in read_json(self._path).items()}

    def add(self, pem: str) -> str:
        known = self.keys()
        for key_id, there in known.items():
            if there == pem:
                return key_id
        key_id = f"K{hashlib.sha256(pem.encode()).hexdigest()[:13].upper()}"
        write_json(self._path, {**known, key_id: pem})
        return key_id

    def remove(self, key_id: str) -> None:
        write_json(self._path, {name: pem for name, pem in self.keys().items() if name != key_id})

    def changed_at(self) -> datetime:
        return datetime.fromtimestamp(self._path.stat().st_mtime, UTC)

    def settles_s(self) -> float:
        return 0.0
