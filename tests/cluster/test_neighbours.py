"""The neighbours' clients: contracts kept, limits kept, no redirect followed, tried again only where that helps."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import stamina

from cluster.breaker import Breakers
from cluster.neighbour_schema import schema_texts
from cluster.neighbours import ATTEMPTS, NeighbourError, Neighbours, draft_path, original_path
from cluster.settings import Settings


class Scripted(ThreadingHTTPServer):
    """Answers each GET with the next of its answers, the last one for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Scripted)
        server.asked.append(self.path)
        status, headers, body = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        if not {name.lower() for name in headers} & {"content-length"}:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Scripted]:
    server = Scripted()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    with stamina.set_testing(True, attempts=ATTEMPTS):  # no pauses
        yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def neighbours(server: Scripted) -> Iterator[Neighbours]:
    settings = Settings(
        authoring_url=server.url, media_url=server.url, catalog_url=server.url, ai_gateway_url=server.url,
        sync_url=server.url,         neighbour_timeout_s=2, neighbour_max_json_bytes=1000, original_max_bytes=5000,
    )  # fmt: skip
    with Neighbours(settings, Breakers()) as neighbours:
        yield neighbours


def code_of(call: object, *arguments: object) -> str:
    with pytest.raises(NeighbourError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.code


def test_ids_cannot_leave_their_place_in_the_path() -> None:
    assert draft_path("acme", "../x?y", 1) == "/v1/tenants/acme/drafts/..%2Fx%3Fy/revisions/1"
    assert original_path("acme", "a/b") == "/v1/tenants/acme/originals/a%2Fb"


def test_a_draft_after_two_failures(server: Scripted, neighbours: Neighbours) -> None:
    server.answers = [(503, {}, b""), (500, {}, b""), (200, {}, b'{"title": 1}')]
    assert neighbours.draft("acme", "d1", 3) == {"title": 1}
    assert server.asked == ["/v1/tenants/acme/drafts/d1/revisions/3"] * 3


def test_what_stays_away_is_retryable(server: Scripted, neighbours: Neighbours) -> None:
    server.answers = [(503, {}, b"")]
    with pytest.raises(NeighbourError) as caught:
        neighbours.draft("acme", "d1", 3)
    assert (caught.value.code, caught.value.retryable, len(server.asked)) == ("neighbour-unavailable", True, ATTEMPTS)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((404, {}, b""), "neighbour-not-found"),
        ((403, {}, b""), "neighbour-refused"),
        ((302, {"location": "http://169.254.169.254/"}, b""), "neighbour-redirect"),
        ((200, {}, b"x" * 1001), "neighbour-too-large"),
        ((200, {"content-length": "999999"}, b""), "neighbour-too-large"),
        ((200, {}, b"not json"), "neighbour-contract"),
        ((200, {}, b"[1]"), "neighbour-contract"),
        ((200, {}, b"[" * 900), "neighbour-contract"),
        ((200, {}, b'{"title": "\xff"}'), "neighbour-contract"),
        ((200, {"content-type": "text/html"}, b"{}"), "neighbour-contract"),
        ((200, {"content-encoding": "gzip"}, b"\x1f\x8b"), "neighbour-contract"),
    ],
)
def test_what_trying_again_cannot_mend(
    server: Scripted, neighbours: Neighbours, answer: tuple[int, dict[str, str], bytes], code: str
) -> None:
    server.answers = [answer]
    assert code_of(neighbours.draft, "acme", "d1", 3) == code
    assert len(server.asked) == 1


def test_answers_keep_known_fields_only(server: Scripted, neighbours: Neighbours) -> None:
    listing = {"course_id": "c", "title": {"en": "T"}, "policy": "shared", "served_by": "node-7"}
    server.answers = [(200, {}, json.dumps(listing).encode())]
    assert neighbours.listing("acme", "c") == {
        "course_id": "c", "title": {"en": "T"}, "policy": "shared", "categories": [],
    }  # fmt: skip
    server.answers = [(200, {}, json.dumps({**listing, "policy": "none"}).encode())]
    assert code_of(neighbours.listing, "acme", "c") == "neighbour-contract"


def test_what_devices_hold_is_a_bundle_each_or_nothing(server: Scripted, neighbours: Neighbours) -> None:
    held = {"device_id": "d1", "bundle_id": "bnd_0f8k2m4q6s8u0a2c4e6g8i0k2m"}
    server.answers = [(200, {}, json.dumps({"holdings": [{**held, "seen_at": "today"}]}).encode())]
    assert neighbours.holdings("acme", "pkg_x", ["d1", "d2"]) == {"d1": held["bundle_id"]}
    assert server.asked == ["/v1/tenants/acme/holdings"]
    for wrong in ("bnd_1", "", "bnd_0f8k2m4q6s8u0a2c4e6g8i0k2m\x00", 1, None):
        server.answers = [(200, {}, json.dumps({"holdings": [{**held, "bundle_id": wrong}]}).encode())]
        assert code_of(neighbours.holdings, "acme", "pkg_x", ["d1"]) == "neighbour-contract"


def test_an_original_is_hashed_on_its_way(server: Scripted, neighbours: Neighbours, tmp_path: Path) -> None:
    body = b"film" * 1000
    server.answers = [(200, {"content-type": "video/mp4; x=y"}, body)]
    found = neighbours.download_original("acme", "a1", tmp_path / "o")
    assert (tmp_path / "o").read_bytes() == body
    assert found.digest == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert (found.size, found.media_type) == (4000, "video/mp4")


def test_an_original_cut_short_is_fetched_again(server: Scripted, neighbours: Neighbours, tmp_path: Path) -> None:
    server.answers = [(200, {"content-length": "100"}, b"x" * 40), (200, {}, b"x" * 100)]
    assert neighbours.download_original("acme", "a1", tmp_path / "o").size == 100
    assert (tmp_path / "o").stat().st_size == 100


def test_an_original_that_is_too_large_leaves_nothing(server: Scripted, neighbours: Neighbours, tmp_path: Path) -> None:
    server.answers = [(200, {}, b"x" * 5001)]
    assert code_of(neighbours.download_original, "acme", "a1", tmp_path / "o") == "neighbour-too-large"
    assert not (tmp_path / "o").exists()


def test_published_schemas_are_the_models() -> None:
    folder = Path(__file__).resolve().parents[2] / "docs" / "neighbours"
    published = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.schema.json")}
    assert published == schema_texts(), "run: python -m cluster.neighbour_schema docs/neighbours"
