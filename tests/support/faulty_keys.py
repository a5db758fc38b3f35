"""A proxy before a key service (AWS KMS, or OpenBao) that notes every call and, where it is told to, answers as in trouble."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

Kind = Literal["throttle", "broken", "missing", "slow", "cut"]
ANSWERS = {
    "throttle": (400, "ThrottlingException", "You have exceeded the rate at which you may call KMS."),
    "missing": (400, "NotFoundException", "Alias is not found."),
    "broken": (500, "KMSInternalException", "The request was rejected because an internal exception occurred."),
}


@dataclass(frozen=True)
class Call:
    """What came in: the action (`Sign`; of OpenBao `sign`), the region it was signed for, its parameters."""

    action: str
    region: str
    parameters: dict[str, Any]


@dataclass
class Fault:
    """`times` calls of `action` (any, if empty) meet it. `slow` answers after `delay_s`; `cut` closes the connection."""

    kind: Kind
    action: str = ""
    times: int = 1_000_000
    delay_s: float = 0.0


class FaultyKeys:
    """Listens at `url` until it is closed; afterwards connections are refused, as when a region is gone."""

    def __init__(self, upstream: str) -> None:
        self.calls: list[Call] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                proxy._serve(self, upstream)

            do_GET = do_DELETE = do_POST

            def log_message(self, format: str, *args: Any) -> None:
                del format, args

        class Server(ThreadingHTTPServer):
            daemon_threads, block_on_close, request_queue_size = True, False, 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                del request, client_address  # whoever gave up waiting is no error of ours

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @contextmanager
    def broken(self, kind: Kind, action: str = "", times: int = 1_000_000, delay_s: float = 0.0) -> Iterator[Fault]:
        """So long as the block runs."""
        fault = Fault(kind, action, times, delay_s)
        with self._lock:
            self._faults.append(fault)
        try:
            yield fault
        finally:
            with self._lock:
                self._faults.remove(fault)

    def of(self, action: str) -> list[Call]:
        """The calls of one action, in their order."""
        with self._lock:
            return [call for call in self.calls if call.action == action]

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler, upstream: str) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        scope = handler.headers.get("Authorization", "").split("Credential=")[-1].split("/")
        target = handler.headers.get("X-Amz-Target")
        call = Call(
            target.split(".")[1] if target else handler.path.removeprefix("/v1/transit/").split("/")[0],
            scope[2] if len(scope) > 2 else "",
            json.loads(body or b"{}"),
        )
        with self._lock:
            self.calls.append(call)
            fault = next((f for f in self._faults if f.times > 0 and f.action in ("", call.action)), None)
            if fault is not None:
                fault.times -= 1
        if fault is not None and fault.kind == "cut":
            handler.close_connection = True
            handler.connection.close()
            return
        if fault is not None and fault.kind in ANSWERS:
            status, code, message = ANSWERS[fault.kind]
            if not target:
                status = {400: 429, 500: 503}[status]
            told = {"__type": code, "message": message, "errors": [message]}
            self._answer(handler, status, json.dumps(told).encode())
            return
        if fault is not None and self._over.wait(fault.delay_s):
            return  # whoever asked has long given up
        there = http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=20)
        try:
            headers = {name: value for name, value in handler.headers.items() if name.lower() != "host"}
            there.request(handler.command, handler.path, body, headers)
            answer = there.getresponse()
            self._answer(handler, answer.status, answer.read())
        finally:
            there.close()

    def _answer(self, handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/x-amz-json-1.1")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
