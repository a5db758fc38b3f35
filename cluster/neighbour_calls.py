"""Calling a neighbour over HTTP: deadline, limits, tries, circuit breaker; errors as NeighbourError.

What is asked and what an answer must look like is `cluster.neighbours`; this module does not know. An answer is read
as it comes, never more of it than allowed, and never unpacked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from json import loads as parse_json
from pathlib import Path
from typing import Any, TypeVar

import httpx
import stamina

from cluster import mesh, outbound, telemetry
from cluster.breaker import Breakers
from cluster.settings import Settings
from cluster.telemetry.metrics import NEIGHBOURS
from content.errors import ContentError

ATTEMPTS = 4
JSON_TYPE = re.compile(r"application/(?:[a-z0-9.-]+\+)?json(?:\s*;.*)?", re.IGNORECASE)
PROCESS_BREAKERS = Breakers()
"""A build makes clients of its own, and what one build learned of a service spares the next."""

T = TypeVar("T")


@dataclass(eq=False)
class NeighbourError(ContentError):
    """A neighbour that is away, knows nothing of what was asked, or answers what its contract does not allow.

    Codes: `neighbour-unavailable` (retryable), `neighbour-not-found`, `neighbour-refused`, `neighbour-redirect`,
    `neighbour-too-large`, `neighbour-contract`.
    """

    service: str = ""
    status: int = 0
    retry_after_s: float = 0.0
    """What the service asked for, or what is left of the rest it is given; 0 where nothing is known."""


class LeftAlone(NeighbourError):
    """Not asked at all: the service failed several times in a row."""


@dataclass(frozen=True)
class Downloaded:
    """What was downloaded: its digest, its size in bytes, and the media type that was said."""

    digest: str
    size_bytes: int
    media_type: str


class Calls:
    """An HTTP client for each service in `urls` (name → URL), and for no other host. Blocking, safe between threads."""

    def __init__(self, settings: Settings, urls: Mapping[str, str], breakers: Breakers) -> None:
        self._settings, self._urls, self._breakers = settings, urls, breakers
        # One for each: under mTLS another name is expected of each.
        self._http = {service: self._client(service, url) for service, url in urls.items()}

    def _client(self, service: str, url: str) -> httpx.Client:
        return httpx.Client(
            transport=outbound.Transport([_host(url)] if url else [], tls=mesh.context(self._settings, service)),
            timeout=httpx.Timeout(self._settings.neighbour_timeout_s),
            follow_redirects=False,
            # identity: a compressed answer could grow beyond any limit while it is unpacked
            headers={"accept-encoding": "identity", "user-agent": "content-service"},
            trust_env=False,
        )

    def close(self) -> None:
        for client in self._http.values():
            client.close()

    def download(self, service: str, path: str, target: Path, limit_bytes: int) -> Downloaded:
        """The body into `target`; nothing is left there after an error. Raises NeighbourError."""
        try:
            return self._again(
                service, self._settings.original_deadline_s, lambda: self._download(service, path, target, limit_bytes)
            )
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _download(self, service: str, path: str, target: Path, limit_bytes: int) -> Downloaded:
        hashed, size = hashlib.sha256(), 0
        with self._stream(service, "GET", path) as response, target.open("wb") as file:
            for chunk in _limited(service, response, limit_bytes):
                hashed.update(chunk)
                file.write(chunk)
                size += len(chunk)
        media_type = response.headers.get("content-type", "application/octet-stream").split(";")[0].strip()
        return Downloaded(f"sha256:{hashed.hexdigest()}", size, media_type)

    def json(
        self,
        service: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        within_s: float | None = None,
    ) -> Any:
        """The answer's JSON, within `neighbour_deadline_s` unless the caller has less patience. Raises NeighbourError."""

        def once() -> Any:
            with self._stream(service, method, path, body) as response:
                if not JSON_TYPE.fullmatch(response.headers.get("content-type", "")):
                    raise broken(service, "its answer does not say that it is JSON")
                data = b"".join(_limited(service, response, self._settings.neighbour_max_json_bytes))
            try:
                return parse_json(data.decode("utf-8"))
            except (ValueError, RecursionError) as error:
                raise broken(service, "its answer is not JSON") from error

        return self._again(service, self._settings.neighbour_deadline_s if within_s is None else within_s, once)

    def _again(self, service: str, within_s: float, call: Callable[[], T]) -> T:
        """Call until it helps no more: attempts, the deadline over all of them, and the breaker set the end."""
        with outbound.deadline(within_s):
            for attempt in stamina.retry_context(
                on=_worth_another_try,
                attempts=ATTEMPTS,
                timeout=within_s,
                wait_initial=0.2,
                wait_max=5.0,
                wait_jitter=0.5,
            ):
                with attempt:
                    return self._guarded(service, call)
        raise AssertionError("a retry context ends with a result or an error")

    def _guarded(self, service: str, call: Callable[[], T]) -> T:
        settings, name = self._settings, f"{service} {self._urls[service]}"
        rest_s = self._breakers.ask(name, settings.neighbour_breaker_failures, settings.neighbour_breaker_rest_s)
        if rest_s:
            message = f"{service} failed several times in a row and is left alone for {rest_s:.0f} s."
            raise LeftAlone("neighbour-unavailable", message, "Try again later.", True, service, 0, rest_s)
        answered = True
        try:
            return call()
        except NeighbourError as error:
            # 429 is an answer: the service is well, and says what it wants.
            answered = error.code != "neighbour-unavailable" or error.status == 429
            raise
        finally:
            self._breakers.tell(name, answered=answered)

    @contextmanager
    def _stream(
        self, service: str, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Iterator[httpx.Response]:
        with telemetry.calling(NEIGHBOURS, service=service):
            # The neighbour's own spans become a part of our trace.
            headers = {"traceparent": parent} if (parent := telemetry.traceparent()) else {}
            try:
                with self._http[service].stream(
                    method, self._urls[service] + path, json=body, headers=headers
                ) as response:
                    _check(service, response)
                    yield response
            except httpx.TransportError as error:
                raise _away(service, f"{type(error).__name__}: {error}") from error
            except httpx.InvalidURL as error:
                raise broken(service, "its URL in the settings is none") from error


def _host(url: str) -> tuple[str, int]:
    """Where a connection for this URL goes."""
    parsed = httpx.URL(url)
    return parsed.raw_host.decode("ascii"), parsed.port or {"https": 443}.get(parsed.scheme, 80)


def _check(service: str, response: httpx.Response) -> None:
    status = response.status_code
    if status == 404:
        raise NeighbourError(
            "neighbour-not-found", f"{service} does not know {response.url.path}.", "", False, service, status
        )
    if response.is_redirect:
        raise NeighbourError(
            "neighbour-redirect",
            f"{service} redirects, which is never followed.",
            "Correct its URL in the settings.",
            False,
            service,
            status,
        )
    if status == 429 or status >= 500:
        after_s = outbound.retry_after_s(response.headers.get("retry-after", ""))
        raise _away(service, f"it answers {status}", status, after_s)
    if status >= 400:
        raise NeighbourError("neighbour-refused", f"{service} answers {status}.", "", False, service, status)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise broken(service, "it compressed its answer although asked not to")


def _limited(service: str, response: httpx.Response, limit_bytes: int) -> Iterator[bytes]:
    """The body's bytes as they come, no more than the limit, and none if it says beforehand that it is larger."""
    if int(response.headers.get("content-length", "0")) > limit_bytes:
        raise too_large(service, limit_bytes)
    size = 0
    for chunk in response.iter_raw():
        size += len(chunk)
        if size > limit_bytes:
            raise too_large(service, limit_bytes)
        yield chunk


def _worth_another_try(error: Exception) -> bool | float:
    """Whether, or after how many seconds, to call again before the deadline; what waits longer is the queue's matter."""
    if not (isinstance(error, NeighbourError) and error.retryable) or isinstance(error, LeftAlone):
        return False
    if error.retry_after_s:
        return error.retry_after_s if error.retry_after_s < outbound.left_s() else False
    return outbound.left_s() > 0


def _away(service: str, why: str, status: int = 0, retry_after_s: float = 0.0) -> NeighbourError:
    message = f"{service} cannot be reached: {why}."
    return NeighbourError("neighbour-unavailable", message, "Try again later.", True, service, status, retry_after_s)


def broken(service: str, why: str) -> NeighbourError:
    return NeighbourError("neighbour-contract", f"{service} breaks its contract: {why}.", "", False, service)


def too_large(service: str, limit_bytes: int) -> NeighbourError:
    message = f"{service} sends more than {limit_bytes} bytes."
    return NeighbourError("neighbour-too-large", message, "Make it smaller, or raise the limit.", False, service)
