"""The idle stack: memory and start-up time of each part."""

from __future__ import annotations

from pathlib import Path

from bench.results import Result, fact
from cluster.local.stack import Stack
from cluster.settings import Settings

MIB = 1 << 20


def measure(home: Path, settings: Settings) -> list[Result]:
    stack = Stack(home)
    parts = stack.status()
    found = [fact(f"idle: {part.part} memory", (part.pss_bytes or part.rss_bytes) / MIB, "MiB") for part in parts]
    found.append(fact("idle: all parts memory", sum(part.pss_bytes or part.rss_bytes for part in parts) / MIB, "MiB"))
    found += [fact(f"idle: {part.part} start", part.start_s, "s") for part in parts]
    return found
