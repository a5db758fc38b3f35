"""A wire between two servers that a test can cut, freeze and mend. It passes bytes and understands none of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from cluster.local.ports import choose

BLOCK = 1 << 16


class Wire:
    """Listens on `port` in a thread of its own and passes whatever comes on to `upstream`, a port of this machine."""

    def __init__(self, upstream: int = 0) -> None:
        self.upstream = upstream
        # Not one that an outgoing connection may have while the wire is cut.
        self.port = choose(["wire"], ())["wire"]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._whole: asyncio.Event = asyncio.Event()
        self._whole.set()

    def start(self) -> None:
        self._thread.start()
        self.mend()

    def cut(self) -> None:
        """Every connection breaks, and no new one is taken."""
        self._do(self._cut())

    def mend(self) -> None:
        """New connections pass again, and frozen ones go on."""
        self._do(self._mend())

    def freeze(self) -> None:
        """Connections stay open and nothing passes, as behind a router that has lost its way."""
        self._loop.call_soon_threadsafe(self._whole.clear)

    def stop(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()
        self._whole.set()
        while self._open:
            await asyncio.sleep(0.01)

    async def _mend(self) -> None:
        self._whole.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, up_writer}
        try:
            await asyncio.gather(self._pass(reader, up_writer), self._pass(up_reader, writer))
        finally:
            self._open -= {writer, up_writer}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(BLOCK):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
