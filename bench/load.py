"""A load on one route: so many connections, each asking again as soon as it has its answer; a process of its own.

`python -m bench.load HOST PORT CONNECTIONS SECONDS` reads the bytes of one request (without a body) from standard input
and prints `{"requests", "errors", "seconds", "p50_ms", "p99_ms"}`. Plain sockets and no HTTP library, since a client that
costs more than the server would be measured instead of it. Only for answers with a Content-Length, or without a body.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass

WARM_S = 1.0


@dataclass(frozen=True)
class Load:
    """What a load met: answers of 2xx and 304 count, everything else is an error."""

    requests: int
    errors: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def get(host: str, port: int, path: str, **headers: str) -> bytes:
    """The bytes of a GET."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}:{port}",
        *(f"{n.replace('_', '-')}: {v}" for n, v in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def begin(host: str, port: int, request: bytes, connections: int, seconds: float) -> subprocess.Popen[bytes]:
    """Start a load; `finish` waits for it."""
    argv = [sys.executable, "-m", "bench.load", host, str(port), str(connections), str(seconds)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(request)
    process.stdin.close()
    process.stdin = None
    return process


def finish(process: subprocess.Popen[bytes]) -> Load:
    output, _ = process.communicate(timeout=300)
    return Load(**json.loads(output))


class _Connection(asyncio.Protocol):
    """One request in flight, always."""

    def __init__(self, request: bytes, seen: list[tuple[float, float, bool]]) -> None:
        self._request, self._seen = request, seen
        self._head, self._left, self._ok, self._began = b"", -1, False, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._head, self._left, self._began = b"", -1, time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._ok = head[9:12] in (b"200", b"304")
            self._left = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0
            )
        self._left -= len(data)
        if self._left <= 0:
            now = time.perf_counter()
            self._seen.append((now, now - self._began, self._ok))
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._seen.append((time.perf_counter(), 0.0, False))


async def _run(host: str, port: int, request: bytes, connections: int, seconds: float) -> Load:
    loop, seen = asyncio.get_running_loop(), list[tuple[float, float, bool]]()
    made = [await loop.create_connection(lambda: _Connection(request, seen), host, port) for _ in range(connections)]
    begin_at = time.perf_counter() + WARM_S
    await asyncio.sleep(WARM_S + seconds)
    end_at = begin_at + seconds
    kept = [entry for entry in list(seen) if begin_at <= entry[0] < end_at]
    for transport, _ in made:
        transport.abort()
    times = sorted(took for _, took, ok in kept if ok) or [0.0]
    errors = sum(not ok for _, _, ok in kept)
    p50, p99 = (times[min(len(times) - 1, int(len(times) * share))] * 1000 for share in (0.5, 0.99))
    return Load(len(kept) - errors, errors, seconds, round(p50, 2), round(p99, 2))


if __name__ == "__main__":
    asked = sys.stdin.buffer.read()
    result = asyncio.run(_run(sys.argv[1], int(sys.argv[2]), asked, int(sys.argv[3]), float(sys.argv[4])))
    print(json.dumps(vars(result)))
