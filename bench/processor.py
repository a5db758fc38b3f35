"""Processor time: of all processes of Ray and what they started, and of this process and what it started."""

from __future__ import annotations

import asyncio
import os
import resource
from pathlib import Path

import psutil

IDLE_S = 5.0


def pin(cores: set[int]) -> None:
    for process in _processes():
        for thread in Path(f"/proc/{process.pid}/task").glob("*"):
            try:
                os.sched_setaffinity(int(thread.name), cores)
            except OSError:  # it has ended
                continue


async def idle() -> float:
    """Processor seconds per second while nothing is to be done."""
    before = used_s()
    await asyncio.sleep(IDLE_S)
    return (used_s() - before) / IDLE_S


def used_s() -> float:
    """Of all of Ray's processes and their ended children."""
    total = 0.0
    for process in _processes():
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


def _processes() -> list[psutil.Process]:
    """This user's raylet and everything below it. Of several clusters on the machine, the youngest: the one of this run."""
    raylets = [each for each in psutil.process_iter(["name", "create_time"]) if each.info["name"] == "raylet"]
    raylet = max(raylets, key=lambda each: each.info["create_time"])
    return [raylet, *raylet.children(recursive=True)]


def own_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
