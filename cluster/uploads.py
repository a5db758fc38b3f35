"""An object that is written from front to back by somebody who writes files: pieces are on their way while the next is made.

Bounded memory: the piece that is being filled, and `FLYING` more on their way. What is smaller than a piece goes in one PUT.
Nothing is there under the key before `finish`; an upload that is given up leaves nothing. Blocks; for one thread.
"""

from __future__ import annotations

import contextlib
import io
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from cluster.objects import MEDIA_TYPE, PIECE, Objects
from content.errors import ContentError

FLYING = 2


class Upload(io.RawIOBase):
    """Write, then `finish`; leaving the block without it gives the upload up. `written` is the number of bytes so far."""

    def __init__(
        self,
        objects: Objects,
        key: str,
        media_type: str = MEDIA_TYPE,
        *,
        file_name: str | None = None,
        piece: int = PIECE,
    ) -> None:
        super().__init__()
        self._objects, self._key, self._piece = objects, key, piece
        self._told: dict[str, Any] = {"media_type": media_type, "file_name": file_name}
        self._buffer, self._upload = bytearray(), ""
        self._pieces: list[Future[dict[str, Any]]] = []
        self._sender = ThreadPoolExecutor(FLYING)
        self.written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.written

    def write(self, data: Any, /) -> int:
        """All of it. Raises what the store raises, if not for this piece then for one before."""
        view = memoryview(data).cast("B")
        for at in range(0, len(view), self._piece):
            self._buffer += view[at : at + self._piece]
            if len(self._buffer) > self._piece:  # more than one piece: what is left is never empty at the end
                self._send(self._piece)
        self.written += len(view)
        return len(view)

    def finish(self) -> None:
        """Have the object be there."""
        if not self._upload:
            self._objects.put(self._key, bytes(self._buffer), **self._told)
        else:
            self._send(len(self._buffer))
            self._objects.finish(self._key, self._upload, [each.result() for each in self._pieces])
        self._upload, self._buffer = "", bytearray()
        self.close()

    def close(self) -> None:
        """End; what is not finished is given up."""
        if not self.closed:
            for each in self._pieces:
                each.cancel()
            self._sender.shutdown(wait=True)
            if self._upload:
                with contextlib.suppress(ContentError):  # garbage collection ends stale uploads
                    self._objects.abort(self._key, self._upload)
        super().close()

    def _send(self, size: int) -> None:
        if not self._upload:
            self._upload = self._objects.begin(self._key, **self._told)
        under_way = [each for each in self._pieces if not each.done()]
        if len(under_way) >= FLYING:
            wait(under_way, return_when="FIRST_COMPLETED")
        for each in self._pieces:
            if each.done():
                each.result()
        body, self._buffer = bytes(memoryview(self._buffer)[:size]), self._buffer[size:]
        number = len(self._pieces) + 1
        self._pieces.append(self._sender.submit(self._objects.piece, self._key, self._upload, number, body))
