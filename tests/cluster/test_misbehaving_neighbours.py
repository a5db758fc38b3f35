"""The real client against the real stub, over HTTP, while the stub misbehaves: each mode ends soon, bounded, by name."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from cluster.breaker import Breakers, State
from cluster.local.neighbours_app import application
from cluster.neighbours import NeighbourError, Neighbours
from cluster.outbound import HostNotAllowed, Transport
from cluster.settings import Settings

DRAFT = b'{"title": {"en": "A draft that is served in full when nothing is wrong"}}'
FILM = b"film" * 50_000
DEADLINE_S = 0.6
SERVICES = ("authoring", "media", "catalog", "sync")
ODD_IDS = (
    "../../secret",
    "a/b",
    "a%2fb",
    "%2e%2e%2f",
    "nul\0byte",
    "новый",
    "q?x=1#y",
    "\\..\\x",
    "a\r\nHost: x",
    "\u202e",
)


@dataclass
class Stub:
    """The stubs on a port of their own. `asked` are the paths that came, as they came over the wire."""

    url: str
    asked: list[str] = field(default_factory=list[str])

    def make(self, service: str, mode: str, **more: Any) -> None:
        body = {"mode": mode, **more}
        httpx.put(f"{self.url}/control/{service}", json=body, trust_env=False).raise_for_status()

    def settings(self, **more: Any) -> Settings:
        urls = {f"{name}_url": f"{self.url}/{name}" for name in SERVICES}
        limits = {"neighbour_timeout_s": 0.4, "neighbour_deadline_s": DEADLINE_S, "original_deadline_s": 2.0}
        return Settings(
            **{**urls, **limits, "neighbour_max_json_bytes": 1 << 20, "original_max_bytes": 1 << 20, **more}
        )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stub]:
    app = application(tmp_path_factory.mktemp("stub"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        stub = Stub(f"http://127.0.0.1:{listener.getsockname()[1]}")

        async def noting(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and scope["method"] != "PUT":
                stub.asked.append(scope["raw_path"].decode())
            await app(scope, receive, send)

        server = uvicorn.Server(
            uvicorn.Config(noting, log_level="critical", lifespan="off", timeout_graceful_shutdown=0)
        )
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        _put(f"{stub.url}/authoring/v1/tenants/acme/drafts/d/revisions/1", DRAFT)
        _put(f"{stub.url}/media/v1/tenants/acme/originals/film", FILM)
        yield stub
        server.should_exit = True
        thread.join()


def _put(url: str, body: bytes) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            httpx.put(url, content=body, trust_env=False).raise_for_status()
            return
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise


@pytest.fixture
def stub(running: Stub) -> Iterator[Stub]:
    yield running
    for service in SERVICES:
        running.make(service, "ok")
    running.asked.clear()


@pytest.fixture
def neighbours(stub: Stub) -> Iterator[Neighbours]:
    """In a hurry: for those that never answer."""
    with Neighbours(stub.settings(), Breakers()) as neighbours:
        yield neighbours


PATIENT = {"neighbour_timeout_s": 20.0, "neighbour_deadline_s": 20.0, "original_deadline_s": 60.0}


@pytest.fixture
def patient(stub: Stub) -> Iterator[Neighbours]:
    """Where an answer is waited for, or exactly so many requests: the stub is a thread of this same busy process."""
    with Neighbours(stub.settings(**PATIENT), Breakers()) as neighbours:
        yield neighbours


def refused(call: Callable[..., Any], *arguments: Any) -> tuple[NeighbourError, float]:
    """The error of a call, and how long it took."""
    began = time.monotonic()
    with pytest.raises(NeighbourError) as caught:
        call(*arguments)
    return caught.value, time.monotonic() - began


@pytest.mark.parametrize("mode", ["down", "never", "drip"])
def test_a_bundle_waits_for_what_devices_hold_less_than_for_anything_else(stub: Stub, mode: str) -> None:
    with Neighbours(stub.settings(neighbour_deadline_s=20.0, holdings_deadline_s=DEADLINE_S), Breakers()) as neighbours:
        stub.make("sync", mode)
        error, took = refused(neighbours.holdings, "acme", "pkg_x", ["d1"])
    assert (error.code, error.retryable) == ("neighbour-unavailable", True)
    assert took < 10 * DEADLINE_S


@pytest.mark.parametrize("mode", ["down", "error", "slow", "never", "drip", "reset", "truncated"])
def test_a_neighbour_that_is_not_well_is_retryable_and_over_by_the_deadline(
    stub: Stub, neighbours: Neighbours, patient: Neighbours, mode: str
) -> None:
    """Above all `drip`: no single read of it is ever late."""
    stub.make("authoring", mode, delay_s=1 if mode == "drip" else 30)
    error, took_s = refused(neighbours.draft, "acme", "d", 1)
    assert (error.code, error.retryable) == ("neighbour-unavailable", True)
    assert took_s < DEADLINE_S + 6.0, "the deadline and one pause"
    stub.make("authoring", "ok")
    assert patient.draft("acme", "d", 1)["title"]


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("huge", "neighbour-too-large"),
        ("lying", "neighbour-too-large"),
        ("redirect", "neighbour-redirect"),
        ("garbage", "neighbour-contract"),
        ("untyped", "neighbour-contract"),
        ("bomb", "neighbour-contract"),
    ],
)
def test_an_answer_that_is_not_as_agreed_is_refused_once_and_early(
    stub: Stub, patient: Neighbours, mode: str, code: str
) -> None:
    """Three gigabytes are refused when they are announced, and left when they are not, after the limit."""
    stub.make("authoring", mode)
    error, took_s = refused(patient.draft, "acme", "d", 1)
    assert (error.code, error.retryable, len(stub.asked)) == (code, False, 1)
    assert took_s < 20


@pytest.mark.parametrize("mode", ["reset", "truncated", "down"])
def test_a_download_that_broke_off_is_made_again(stub: Stub, patient: Neighbours, tmp_path: Path, mode: str) -> None:
    stub.make("media", mode, times=1)
    got = patient.download_original("acme", "film", tmp_path / "film")
    assert (got.size, (tmp_path / "film").read_bytes() == FILM, len(stub.asked)) == (len(FILM), True, 2)


@pytest.mark.parametrize("mode", ["huge", "lying"])
def test_a_download_that_is_too_large_leaves_nothing(
    stub: Stub, patient: Neighbours, tmp_path: Path, mode: str
) -> None:
    stub.make("media", mode)
    error, _ = refused(patient.download_original, "acme", "film", tmp_path / "film")
    assert (error.code, list(tmp_path.iterdir())) == ("neighbour-too-large", [])


def test_a_download_that_does_not_end_leaves_nothing(stub: Stub, neighbours: Neighbours, tmp_path: Path) -> None:
    stub.make("media", "drip", delay_s=0.05)
    error, took_s = refused(neighbours.download_original, "acme", "film", tmp_path / "film")
    assert (error.code, list(tmp_path.iterdir())) == ("neighbour-unavailable", [])
    assert took_s < 15


def test_an_original_larger_than_allowed_is_refused_before_a_byte_of_it_is_fetched(stub: Stub) -> None:
    with Neighbours(stub.settings(**PATIENT, original_max_bytes=1000), Breakers()) as neighbours:
        error, _ = refused(neighbours.original, "acme", "film")
    assert (error.code, stub.asked) == ("neighbour-too-large", ["/media/v1/tenants/acme/originals/film/facts"])


def test_a_busy_neighbour_says_when(stub: Stub, patient: Neighbours) -> None:
    """Within the deadline its wish is waited for; a longer one is handed to the queue."""
    stub.make("authoring", "busy", delay_s=30)
    error, took_s = refused(patient.draft, "acme", "d", 1)
    assert (error.status, error.retry_after_s, len(stub.asked)) == (429, 30.0, 1)
    assert took_s < 20
    stub.make("authoring", "busy", delay_s=1, times=1)
    began = time.monotonic()
    assert patient.draft("acme", "d", 1)["title"]
    assert time.monotonic() - began >= 1.0


def test_a_neighbour_that_fails_again_and_again_is_left_alone_and_tried_later(stub: Stub) -> None:
    breakers = Breakers()
    settings = stub.settings(**PATIENT, neighbour_breaker_failures=4, neighbour_breaker_rest_s=2.0)
    with Neighbours(settings, breakers) as neighbours:
        stub.make("authoring", "down")
        refused(neighbours.draft, "acme", "d", 1)
        assert len(stub.asked) == 4
        error, took_s = refused(neighbours.draft, "acme", "d", 1)
        assert (len(stub.asked), error.retryable) == (4, True), "not asked at all"
        assert took_s < 20
        assert neighbours.original("acme", "film").size == len(FILM), "the others are asked as ever"
        stub.make("authoring", "ok")
        time.sleep(error.retry_after_s)  # as long as it was told to wait
        assert neighbours.draft("acme", "d", 1)["title"]
    assert breakers.state(f"authoring {settings.authoring_url}") is State.CLOSED


@pytest.mark.parametrize("odd", ODD_IDS)
def test_an_id_never_leaves_its_place_in_the_path(stub: Stub, patient: Neighbours, odd: str) -> None:
    error, _ = refused(patient.original, "acme", odd)
    assert error.code == "neighbour-not-found"
    (asked,) = stub.asked
    assert asked.startswith("/media/v1/tenants/acme/originals/")
    assert asked.endswith("/facts")
    inside = asked.removeprefix("/media/v1/tenants/acme/originals/").removesuffix("/facts")
    assert "/" not in inside
    assert inside.isascii()


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/x", "http://localhost:1/x", "http://127.0.0.1:2/x", "http://[::1]:1/"]
)
def test_no_connection_is_opened_to_a_host_that_was_not_named(url: str) -> None:
    with httpx.Client(transport=Transport([("127.0.0.1", 1)]), trust_env=False) as client:
        with pytest.raises(httpx.NetworkError) as caught:
            client.get(url)
    assert isinstance(caught.value.__cause__, HostNotAllowed)
