"""An application of the test's own, served for real on a port of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tests.support.waiting import until


@contextmanager
def served(app: Any, **options: Any) -> Iterator[str]:
    """Its address; it ends with the block. With `ssl_certfile` and `ssl_keyfile` over TLS."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", **options)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    until("served", lambda: server.started, 20.0)
    try:
        yield f"{'https' if options else 'http'}://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
