"""HTTP to a fixed set of hosts, with a deadline for the whole exchange.

httpx's timeouts are per read: who sends one byte a second is never late. Here every wait on the socket ends at the
deadline that `deadline()` set, in headers as in bodies. And no connection is opened but to the hosts named
beforehand: whatever a URL was made of, and wherever an answer points, nothing else can be reached.
"""

from __future__ import annotations

import functools
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


class HostNotAllowed(httpcore.ConnectError):
    """A connection to a host that is not among those named."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Every exchange within ends by then; a nested one only shortens it."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def left_s() -> float:
    """Seconds until the deadline; infinite where there is none."""
    return _deadline.get() - time.monotonic()


def retry_after_s(text: str) -> float:
    """Seconds that a `Retry-After` asks for, an hour at most; 0 for one that says nothing or a date."""
    return min(float(text), 3600.0) if text.isascii() and text.isdecimal() and len(text) < 10 else 0.0


class Transport(httpx.BaseTransport):
    """httpx's transport on httpcore's public parts, with a network of our own underneath."""

    def __init__(
        self, hosts: Iterable[tuple[str, int]], *, connections: int = 32, tls: ssl.SSLContext | None = None
    ) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls or _trusted(),
            max_connections=connections,
            keepalive_expiry=30.0,
            network_backend=_Network(frozenset(hosts)),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        with _as_httpx(request):
            answer = self._pool.handle_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer, request), extensions=answer.extensions
        )

    def close(self) -> None:
        self._pool.close()


@functools.cache
def _trusted() -> ssl.SSLContext:
    """One for the life of the process: reading all authorities takes as long as a small build's statements."""
    return httpx.create_ssl_context(trust_env=False)


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response, request: httpx.Request) -> None:
        self._answer, self._request = answer, request

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx(self._request):
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@contextmanager
def _as_httpx(request: httpx.Request) -> Iterator[None]:
    """httpcore's errors under the names that httpx's callers know."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise httpx.TimeoutException(str(error) or "timed out", request=request) from error
    except httpcore.NetworkError as error:
        raise httpx.NetworkError(str(error) or type(error).__name__, request=request) from error
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise httpx.ProtocolError(str(error), request=request) from error


class _Network(httpcore.NetworkBackend):
    def __init__(self, hosts: frozenset[tuple[str, int]]) -> None:
        self._hosts, self._real = hosts, httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        if (host, port) not in self._hosts:
            raise HostNotAllowed(f"{host}:{port} is not a host of this client")
        return _Stream(self._real.connect_tcp(host, port, _within(timeout), local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._real.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait ends at the deadline."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _within(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _within(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _within(timeout: float | None) -> float | None:
    """The shorter of a wait's own limit and what the deadline leaves. Raises when nothing is left."""
    left = left_s()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline has passed")
    if left == float("inf"):
        return timeout
    return left if timeout is None else min(timeout, left)
