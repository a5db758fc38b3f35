"""A proxy before the object store that does to requests what networks and stores do to them, when a test says so.

Without a fault bytes pass through untouched, so a stack may always stand behind it. One request per connection (`Connection: close` is added to it), so
that the head of every request is seen. The store checks signatures as ever: they cover `Host`, which is passed on.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

BLOCK = 1 << 16
HEAD_END = b"\r\n\r\n"
SLOW_DOWN = (
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


@dataclass
class Fault:
    """What happens to requests of a method whose path matches: `times` of them (0: all, while the fault lasts).

    Kinds: `busy` 503 SlowDown · `slow` a pause of `delay_s` before every block · `cut-put` the connection breaks after
    `at` bytes of the body · `cut-get` the answer ends after `at` bytes of its body · `spoil-put`, `spoil-get` one byte of
    the body is another.
    """

    kind: str
    method: str = "GET"
    path: str = ""
    times: int = 0
    at: int = 0
    delay_s: float = 0.0
    hits: list[str] = field(default_factory=list[str])

    def takes(self, method: str, path: str) -> bool:
        spent = self.times and len(self.hits) >= self.times
        return not spent and method == self.method and re.search(self.path, path) is not None


class S3Proxy:
    """Listens on `port` (0: any) in a thread of its own; `upstream` is asked for the store's port at each connection."""

    def __init__(self, upstream: Callable[[], int], port: int = 0) -> None:
        self._upstream, self._faults = upstream, list[Fault]()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._socket.close()

    @property
    def faults(self) -> list[Fault]:
        return list(self._faults)

    def begin(self, kind: str, **how: object) -> Fault:
        """A fault until `clear`."""
        self._faults.append(Fault(kind, **how))  # type: ignore[arg-type]
        return self._faults[-1]

    def clear(self) -> None:
        """Pass everything through from now on."""
        self._faults.clear()

    @contextmanager
    def doing(self, kind: str, **how: object) -> Iterator[Fault]:
        """The fault, for as long as the block lasts, whatever ends it."""
        fault = self.begin(kind, **how)
        try:
            yield fault
        finally:
            self._faults.remove(fault)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._socket, limit=1 << 20))
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await self._exchange(reader, writer)
        writer.transport.abort() if writer.transport.get_write_buffer_size() == 0 else writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(HEAD_END)
        method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        fault = next((fault for fault in self._faults if fault.takes(method, path)), None)
        if fault is not None:
            fault.hits.append(path)
            if fault.kind == "busy":
                await _refuse(head, reader, writer)
                return
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream(), limit=1 << 20)
        try:
            up_writer.write(head[:-2] + b"Connection: close\r\n\r\n")
            sending = asyncio.ensure_future(_body(reader, up_writer, fault if method == "PUT" else None))
            try:
                await _answer(up_reader, writer, fault if method == "GET" else None, sending)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        finally:
            up_writer.close()


async def _refuse(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """503, after the body was read where one comes: who is reset while sending never sees the answer."""
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if b"100-continue" not in head.lower() and length:
        left = int(length[1])
        while left and (data := await reader.read(min(left, BLOCK))):
            left -= len(data)
    kind = b"Content-Type: application/xml\r\nRetry-After: 1\r\nConnection: close"
    answer = b"HTTP/1.1 503 Slow Down\r\n%s\r\nContent-Length: %d\r\n\r\n%s" % (kind, len(SLOW_DOWN), SLOW_DOWN)
    writer.write(answer)
    await writer.drain()


async def _body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None) -> None:
    """The request's body to the store. Raises ConnectionResetError where a fault cuts it."""
    sent = 0
    while data := await reader.read(BLOCK):
        data = await _spoiled(data, sent, fault)
        cut = fault is not None and fault.kind == "cut-put" and sent + len(data) > fault.at
        if cut:
            assert fault is not None
            data = data[: max(0, fault.at - sent)]
        writer.write(data)
        await writer.drain()
        sent += len(data)
        if cut:
            raise ConnectionResetError("cut")


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None, sending: asyncio.Future[None]
) -> None:
    head = b""
    if fault is not None:
        head = await reader.readuntil(HEAD_END)
        writer.write(head)
    sent = 0
    while True:
        reading = asyncio.ensure_future(reader.read(BLOCK))
        await asyncio.wait({reading, sending} if not sending.done() else {reading}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done() and sending.exception() is not None:
            reading.cancel()
            raise ConnectionResetError("cut")
        data = await reading
        if not data:
            break
        data = await _spoiled(data, sent, fault)
        if fault is not None and fault.kind == "cut-get" and sent + len(data) > fault.at:
            writer.write(data[: max(0, fault.at - sent)])
            await writer.drain()
            writer.close()
            return
        writer.write(data)
        await writer.drain()
        sent += len(data)
    writer.close()


async def _spoiled(data: bytes, sent: int, fault: Fault | None) -> bytes:
    """The block as the fault leaves it."""
    if fault is None:
        return data
    if fault.kind == "slow":
        await asyncio.sleep(fault.delay_s)
    at = fault.at - sent
    if fault.kind in ("spoil-put", "spoil-get") and 0 <= at < len(data):
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    return data
