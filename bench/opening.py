"""Opening a bundle on a device (hash, then decrypt, each segment), against what openssl decrypts; and two threads sealing.

The baseline of opening is AES-256-GCM's decryption alone, as the hash is ours to add.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.results import Result, at_least, interleaved
from content.bundles.index import Index
from content.bundles.keys import ContentKey
from content.bundles.open import OpenBundle
from content.bundles.part import PartSealer
from content.bundles.state import ReaderState
from content.bundles.stream import FileSealer

SIZE = 128 << 20
MIB = 1 << 20
ROUNDS = 5


def measure() -> list[Result]:
    with ThreadPoolExecutor(2) as pool, TemporaryDirectory(prefix="content-bench-opening-") as folder:
        bare = _openssl if shutil.which("openssl") else _bare
        stored, _ = interleaved(_opening(_bundle(pool, Path(folder))), bare, ROUNDS)
        rate, baseline = interleaved(_opening(_bundle(pool)), bare, ROUNDS)
    one, two = interleaved(lambda: _seal(1), lambda: _seal(2), ROUNDS)
    return [
        at_least("opening: hash + decrypt, two threads", rate, "MB/s", baseline, 0.6),
        Result("opening: the same from a file", stored, "MB/s"),
        at_least("seal: two threads against one", two, "MB/s", one, 1.7),
    ]


def _opening(bundle: OpenBundle) -> Callable[[], float]:
    def ours() -> float:
        began = time.perf_counter()
        list(bundle.verify())
        return SIZE / (time.perf_counter() - began) / 1e6

    return ours


def _bundle(pool: ThreadPoolExecutor, folder: Path | None = None) -> OpenBundle:
    """A bundle of one large file, in memory or in a folder, behind all checks but those of its segments."""
    key, path, block = ContentKey("key_bench", bytes(32)), "sea_bench/a/0.part", os.urandom(MIB)
    part = PartSealer(key, path)
    sealer = part.begin("sha256:" + "0" * 64, SIZE, "video")
    sealed = b"".join(bytes(sealer.seal(memoryview(block)[:size])) for size in sealer.block_sizes())
    part.finish_file()
    index = Index(part.file_entries(), (part.part_entry(),))
    files = {(file.kid, file.id): file for file in index.files}
    nothing: Any = None

    if folder is None:
        whole = memoryview(sealed)  # as openssl has its blocks in memory, too
        return OpenBundle(nothing, index, ReaderState(), (key,), files, lambda _, at, n: whole[at : at + n], pool)
    (folder / "0.part").write_bytes(sealed)
    handle = os.open(folder / "0.part", os.O_RDONLY)
    return OpenBundle(nothing, index, ReaderState(), (key,), files, lambda _, at, n: os.pread(handle, n, at), pool)


def _seal(threads: int) -> float:
    """MB/s of so many files sealed side by side, by the clock on the wall."""
    block = os.urandom(MIB)

    def one(_: int) -> None:
        sealer, into = (
            FileSealer(bytes(32), b"bench", size=SIZE, salt=bytes(32), nonce_prefix=bytes(7)),
            bytearray(2 * MIB),
        )
        view = memoryview(block)
        for size in sealer.block_sizes():
            sealer.seal(view[:size], into)

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(threads)))
    return threads * SIZE / (time.perf_counter() - began) / 1e6


def _openssl() -> float:
    done = subprocess.run(
        ["openssl", "speed", "-decrypt", "-seconds", "1", "-bytes", str(MIB), "-mr", "-evp", "aes-256-gcm"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(re.findall(r"^\+F:\d+:[^:]+:([\d.]+)", done.stdout, re.MULTILINE)[-1]) / 1e6


def _bare() -> float:
    """Where there is no openssl command: the primitive without anything of ours."""
    key, nonce = AESGCM(bytes(32)), bytes(12)
    sealed = key.encrypt(nonce, os.urandom(MIB), None)
    began = time.thread_time()
    for _ in range(SIZE // MIB):
        key.decrypt(nonce, sealed, None)
    return SIZE / (time.thread_time() - began) / 1e6
