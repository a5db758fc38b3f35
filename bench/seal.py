"""Sealing one file on one core, against what `openssl speed` says AES-256-GCM and SHA-256 take together."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.results import Result, at_least, interleaved
from content.bundles.stream import FileSealer

SIZE = 256 << 20
MIB = 1 << 20
ROUNDS = 5


def measure() -> list[Result]:
    block, target = os.urandom(MIB), bytearray(2 * MIB)

    def ours() -> float:
        sealer = FileSealer(bytes(32), b"bench", size=SIZE, salt=bytes(32), nonce_prefix=bytes(7))
        view = memoryview(block)
        began = time.thread_time()
        for size in sealer.block_sizes():
            sealer.seal(view[:size], target)
        return SIZE / (time.thread_time() - began) / 1e6

    rate, baseline = interleaved(ours, _openssl if shutil.which("openssl") else _bare, ROUNDS)
    return [at_least("seal: encrypt + hash, one core", rate, "MB/s", baseline, 0.9)]


def _openssl() -> float:
    """MB/s of both one after the other: 1 / (1/gcm + 1/sha)."""
    gcm, sha = (_speed(*arguments) for arguments in (("-evp", "aes-256-gcm"), ("-evp", "sha256")))
    return 1 / (1 / gcm + 1 / sha)


def _speed(*arguments: str) -> float:
    done = subprocess.run(
        ["openssl", "speed", "-seconds", "1", "-bytes", str(MIB), "-mr", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(r"^\+F:\d+:[^:]+:([\d.]+)", done.stdout, re.MULTILINE)
    return float(found[-1]) / 1e6


def _bare() -> float:
    """Where there is no openssl command: the same two primitives without anything of ours."""
    key, block, into = AESGCM(bytes(32)), os.urandom(MIB), bytearray(MIB + 16)
    count = SIZE // MIB
    began = time.thread_time()
    for number in range(count):
        key.encrypt_into(number.to_bytes(12, "big"), block, None, into)
        hashlib.sha256(into).digest()
    return SIZE / (time.thread_time() - began) / 1e6
