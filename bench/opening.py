"""Opening a bundle on a device (hash, then decrypt, each segment), against what openssl decrypts; and two threads sealing.

The baseline of opening is AES-256-GCM's decryption alone, as the hash is ours to add.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.results import Result, at_least, interleaved
from content.bundles.stream import FileOpener, FileSealer

SIZE = 128 << 20
MIB = 1 << 20
ROUNDS = 5


def measure() -> list[Result]:
    sealed, segments = _sealed()

    def ours() -> float:
        opener = FileOpener(bytes(32), b"bench", size=SIZE, segments=segments)
        began = time.thread_time()
        for i, segment in enumerate(sealed):
            opener.open(i, segment)
        return SIZE / (time.thread_time() - began) / 1e6

    rate, baseline = interleaved(ours, _openssl if shutil.which("openssl") else _bare, ROUNDS)
    one, two = interleaved(lambda: _seal(1), lambda: _seal(2), ROUNDS)
    return [
        at_least("opening: hash + decrypt, one core", rate, "MB/s", baseline, 0.6),
        at_least("seal: two threads against one", two, "MB/s", one, 1.7),
    ]


def _sealed() -> tuple[list[bytes], bytes]:
    sealer = FileSealer(bytes(32), b"bench", size=SIZE, salt=bytes(32), nonce_prefix=bytes(7))
    block = os.urandom(MIB)
    found = [bytes(sealer.seal(memoryview(block)[:size])) for size in sealer.block_sizes()]
    return found, sealer.segments()


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
