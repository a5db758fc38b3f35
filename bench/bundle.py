"""One bundle from S3 to S3, against a plain copy of the same bytes by the same client; and its peak memory at 1 GiB."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.results import Result, at_least, interleaved, limit, seconds
from cluster import places
from cluster.objects import PIECE, Objects
from cluster.settings import Settings
from content.bundles.keys import ContentKey
from tasks.sealing import UPLOADERS, Source, Target, seal_batch

MIB = 1 << 20
ROUNDS = 5
MEMORY_LIMIT_MIB = 300


def measure(home: Path, settings: Settings) -> list[Result]:
    objects = Objects(settings)
    sources = put_assets(objects, "bench", count=4, size=64 * MIB)
    total = sum(source.size for source in sources)

    def ours() -> float:
        name = f"bnd_{uuid.uuid4().hex[:26]}/bench"
        key = ContentKey("key_bench", os.urandom(32))
        return total / seconds(lambda: seal_batch(objects, sources, [Target(name, key)], places.bundles("bench"))) / 1e6

    def copy() -> float:
        return total / seconds(lambda: [_copy(objects, source) for source in sources]) / 1e6

    rate, baseline = interleaved(ours, copy, ROUNDS)
    return [
        at_least("bundle: S3 → sealed → S3", rate, "MB/s", baseline, 0.8),
        limit("bundle: memory above idle, 1 GiB package", _peak_mib(home), "MiB", MEMORY_LIMIT_MIB),
    ]


def put_assets(objects: Objects, tenant: str, *, count: int, size: int) -> list[Source]:
    """`count` random assets of `size` bytes under their digests."""
    sources: list[Source] = []
    for _ in range(count):
        body = os.urandom(size)
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        objects.put(places.asset(tenant, digest), body)
        sources.append(Source(places.asset(tenant, digest), digest, size, "video"))
    return sources


def _copy(objects: Objects, source: Source) -> None:
    """GET in a stream, multipart PUT with as many uploaders: what sealing does but for the sealing."""
    key = f"bundles/bench/copy/{uuid.uuid4().hex}"
    upload = objects.begin(key)
    with ThreadPoolExecutor(UPLOADERS) as pool:
        sizes = [PIECE] * (source.size // PIECE)
        pieces = [
            pool.submit(objects.piece, key, upload, number, body)
            for number, body in enumerate(objects.read(source.key, sizes), 1)
        ]
        objects.finish(key, upload, [piece.result() for piece in pieces])


def _peak_mib(home: Path) -> float:
    """Peak resident memory of a process that seals 1 GiB, above what it held before it began."""
    environment = {**os.environ, "CONTENT_SETTINGS": str(home / "settings.json")}
    done = subprocess.run([sys.executable, "-m", "bench.memory"], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return float(json.loads(done.stdout)["mib"])
