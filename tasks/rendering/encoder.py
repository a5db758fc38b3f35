"""One ffmpeg process: started under limits, watched, and gone when this module returns, however it returns.

Its progress is read from its standard output (`-progress pipe:1`), what it said on standard error goes into the error.
"""

from __future__ import annotations

import contextlib
import functools
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import imageio_ffmpeg

from content.errors import ContentError

_LAUNCHER = Path(__file__).with_name("launch.py")
_HEAD_BYTES, _TAIL_BYTES = 2000, 2000  # of standard error: the cause stands first, the verdict last
_OUT_OF_MEMORY = ("Cannot allocate memory", "malloc of size", "get_buffer() failed")
_UNREADABLE = (
    "Invalid data found",
    "moov atom not found",
    "not in allowed_formats",
    "not on whitelist",
    "matches no streams",
)


@dataclass(frozen=True)
class Limits:
    memory_bytes: int
    file_bytes: int
    wall_s: float

    def arguments(self) -> list[str]:
        # The wall clock ends first unless more than one core is busy; the CPU limit is the net below it.
        cpu_s = int(self.wall_s * (os.cpu_count() or 1)) + 1
        return [str(self.memory_bytes), str(cpu_s), str(self.file_bytes)]


@functools.cache
def ffmpeg_path() -> str:
    """The ffmpeg binary that came with the installed package."""
    return imageio_ffmpeg.get_ffmpeg_exe()


def encode(argv: list[str], duration_s: float, progress: Callable[[float], None], limits: Limits, asset: str) -> None:
    """Run ffmpeg to its end; `argv[0]` is replaced by the binary's path. `progress` gets a rising share, 0–1.

    Raises ContentError `media-unreadable` if ffmpeg cannot read the original, `render-failed` for everything else.
    """
    launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *limits.arguments()]
    process = subprocess.Popen(
        [*launcher, ffmpeg_path(), *argv[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # glibc reserves 64 MiB of address space per thread and arena, which would count against the limit unused.
        env={"LC_ALL": "C", "MALLOC_ARENA_MAX": "2"},
        start_new_session=True,
    )
    try:
        said, in_time = _watch(process, duration_s, progress, time.monotonic() + limits.wall_s)
        if not in_time:
            raise _failed(asset, f"it took longer than {limits.wall_s:g} s", "", "Upload a shorter or smaller film.")
        code = process.wait(timeout=10)
    finally:
        _end(process)
    if code != 0:
        raise _refused(asset, code, said)
    progress(1.0)


def _watch(
    process: subprocess.Popen[bytes], duration_s: float, progress: Callable[[float], None], deadline: float
) -> tuple[str, bool]:
    """Follow both pipes until they are closed; what was said on standard error, and whether it was in time."""
    output, errors = cast("IO[bytes]", process.stdout), cast("IO[bytes]", process.stderr)
    pending, head, tail = b"", b"", b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        selector.register(errors, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return "", False
            for key, _ in selector.select(left):
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fd == errors.fileno():
                    room = _HEAD_BYTES - len(head)
                    head, tail = head + data[:room], (tail + data[room:])[-_TAIL_BYTES:]
                else:
                    *lines, pending = (pending + data).split(b"\n")
                    _report(lines, duration_s, progress)
    return (head + tail).decode(errors="replace").strip(), True


def _report(lines: list[bytes], duration_s: float, progress: Callable[[float], None]) -> None:
    for line in lines:
        name, _, value = line.partition(b"=")
        # `out_time_ms` is in microseconds too (ffmpeg ticket 7345), and either is "N/A" before the first frame.
        if name == b"out_time_us" and value.strip().isdigit() and duration_s > 0:
            progress(min(int(value) / 1e6 / duration_s, 0.999))


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def _refused(asset: str, code: int, said: str) -> ContentError:
    # What runs out first is followed by complaints about everything else, also about the data: so limits come first.
    if code == -signal.SIGXFSZ or "File too large" in said:
        return _failed(asset, "the result would be larger than is allowed", said, "Upload a shorter film.")
    if any(sign in said for sign in _OUT_OF_MEMORY):
        return _failed(asset, "it needs more memory than is allowed", said, "Upload a smaller film.")
    if "Resource temporarily unavailable" in said:
        return _failed(asset, "memory or threads ran out", said, "", retryable=True)
    if any(sign in said for sign in _UNREADABLE):
        first = said.splitlines()[0]
        message = f"“{asset}” cannot be read as film or sound: {first}"
        return ContentError("media-unreadable", message, "Export it again, as MP4 for example, and upload it anew.")
    how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return _failed(asset, f"ffmpeg: {how}", said, "", retryable=code == -signal.SIGKILL)


def _failed(asset: str, why: str, said: str, remedy: str, *, retryable: bool = False) -> ContentError:
    end = f"; it said: {said[:300]} … {said[-300:]}" if len(said) > 600 else f"; it said: {said}" if said else ""
    return ContentError(
        "render-failed", f"“{asset}” could not be made ready for playing: {why}{end}.", remedy, retryable
    )
