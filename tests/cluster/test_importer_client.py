"""What the trusted side takes from the importer, which may have been taken over by a package: counted, bounded, in few words."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cluster import importer
from cluster.importer import ImporterCut, Order
from cluster.settings import Settings
from content.errors import ContentError

ORDER = Order("http://store/a", 1, "http://store/b", "http://store/c", ("http://store/d",), 1)
BEAT = b'{"type":"beat"}\n'
DONE = b'{"type":"done","broke":false}\n'


@contextmanager
def saying(body: bytes, **headers: str) -> Iterator[Settings]:
    """Settings with an importer that answers with this."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

        def do_GET(self) -> None:
            self.send_response(200)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Settings(importer_url=f"http://127.0.0.1:{server.server_port}", importer_token="t")  # type: ignore[arg-type]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def told(body: bytes, **headers: str) -> list[tuple[str, float]]:
    heard: list[tuple[str, float]] = []
    with saying(body, **headers) as settings:
        assert await importer.send(settings, ORDER, lambda stage, share: heard.append((stage, share))) is False
    return heard


async def test_stages_and_shares_are_heard() -> None:
    lines = [{"type": "progress", "stage": "fetch", "share": 0}, {"type": "progress", "stage": "read", "share": 0.5}]
    assert await told(b"".join(json.dumps(each).encode() + b"\n" for each in lines) + BEAT + DONE) == [
        ("fetch", 0.0),
        ("read", 0.5),
    ]


async def test_nothing_is_unpacked() -> None:
    packed = gzip.compress(gzip.compress(BEAT * 4096))
    with pytest.raises(ContentError) as refused:
        await told(packed, content_encoding="gzip, gzip")
    assert refused.value.code in ("importer-malformed", "importer-cut")
    with saying(gzip.compress(b'{"works":true}'), content_encoding="gzip") as settings:
        assert (await importer.status(settings))["works"] is False


@pytest.mark.parametrize("share", ["NaN", "1e400", "-1", "2", "9" * 400, '"1"'])
async def test_a_share_is_a_share(share: str) -> None:
    with pytest.raises(ContentError) as refused:
        await told(b'{"type":"progress","stage":"read","share":' + share.encode() + b"}\n" + DONE)
    assert refused.value.code == "importer-malformed"


async def test_a_fault_of_its_own_counts_as_broken_off() -> None:
    said = {"type": "failed", "code": "internal", "message": "x", "remedy": "", "retryable": True}
    with pytest.raises(ImporterCut) as cut:
        await told(json.dumps(said).encode() + b"\n")
    assert cut.value.code == "importer-cut" and cut.value.retryable
