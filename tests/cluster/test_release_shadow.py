"""The same questions to both versions: what counts as a difference, what does not, and that signatures are checked for real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cluster.release.decision import Version
from cluster.release.shadow import Shadow
from content.canonical import canonical, digest
from content.errors import ContentError
from content.signatures import sign_documents
from tests.vectors import world as w

STABLE, CANARY = "http://stable", "http://canary"
VERSIONS = f"/v1/packages/{w.PACKAGE}/versions"
Answer = httpx.Response
Change = Callable[[str, int], Answer | None]


def manifest(version: int, word: str = "right") -> bytes:
    return canonical({"type": "manifest", "tenant": w.TENANT, "version": version, "title": word})


class Pair:
    """Two versions that answer alike, but for what a test changes: `canary(path, turn)` and `stable(path, turn)` answer in place of
    the honest one, where `turn` counts how often that path was asked there."""

    def __init__(self, canary: Change = lambda *_: None, stable: Change = lambda *_: None) -> None:
        self.changes = {"canary": canary, "stable": stable}
        self.asked: dict[tuple[str, str], int] = {}

    def shadow(self, **options: Any) -> Shadow:
        return Shadow(
            STABLE, CANARY, lambda: "token", clock=lambda: w.NOW, transport=httpx.MockTransport(self.answer), **options
        )

    def answer(self, request: httpx.Request) -> Answer:
        name, path = request.url.host, request.url.path
        self.asked[name, path] = self.asked.get((name, path), 0) + 1
        changed = self.changes[name](path, self.asked[name, path])
        return changed if changed is not None else self.honest(request, name, path)

    def honest(self, request: httpx.Request, name: str, path: str) -> Answer:
        if path == "/version":
            return httpx.Response(200, json={"release": f"of-{name}", "manifest_shape": 1})
        if request.headers.get("authorization") != "Bearer token":
            return httpx.Response(401)
        if path == "/v1/me":
            return httpx.Response(200, json={"tenant": w.TENANT})
        if path == "/v1/packages":
            return httpx.Response(200, json={"items": [{"package_id": w.PACKAGE}], "next": None})
        if path == VERSIONS:
            rows = [{"version": n, "state": "withdrawn" if n == 3 else "published"} for n in (3, 2, 1)]
            return httpx.Response(200, json={"items": rows, "next": None})
        if path.endswith("/trust-lists"):
            chain = [w.make_trust_list(w.trust_list(), w.ROOTS[:2])]
            return httpx.Response(200, json={"chain": chain})
        if path.endswith("/manifest"):
            return served(manifest(int(path.split("/")[-2])))
        if path.endswith("/signature"):
            body = manifest(int(path.split("/")[-2]))
            (signature,) = sign_documents([body], w.SIGNING, iss=w.TENANT, iat=w.NOW - w.DAY)
            return httpx.Response(200, json=signature)
        return httpx.Response(200, json={"path": path, "rows": [1, {"a": 2}]})


def served(body: bytes, etag: str = "") -> Answer:
    return httpx.Response(200, content=body, headers={"etag": etag or f'"{digest(body)}"'})


def at(end: str, answer: Callable[[int], Answer | None]) -> Change:
    """Another answer for paths that end so."""
    return lambda path, turn: answer(turn) if path.endswith(end) else None


def test_versions_that_answer_alike() -> None:
    pair = Pair()
    shadow = pair.shadow()
    found = shadow.compare()
    assert (found.same, found.differences, found.unreached) == (4 + 2 * 4, (), 0)
    assert ("canary", f"{VERSIONS}/3/manifest") not in pair.asked, "withdrawn: nobody may have it"
    assert shadow.versions() == (Version("of-stable", 1), Version("of-canary", 1))
    assert shadow.asked_since(w.NOW) == 4 + 2 * 4 + 2, "the canary's signatures were asked for once more"


def test_versions_take_their_turns() -> None:
    pair = Pair()
    shadow = pair.shadow(per_look=1)
    for _ in range(4):
        assert shadow.compare().same == 8
    asked = [pair.asked["canary", f"{VERSIONS}/{n}/manifest"] for n in (1, 2)]
    assert asked == [2, 2]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (at("/1/manifest", lambda _: served(manifest(1, "wrong"))), "another manifest"),
        (at("/1/manifest", lambda turn: served(manifest(1, "wrong")) if turn == 1 else None), "another manifest"),
        (at("/1/manifest", lambda _: served(manifest(1), '"old"')), "its ETag is not its digest"),
        (at("/1/manifest", lambda _: httpx.Response(500)), "500 in place of 200"),
        (at("/1/assets", lambda _: httpx.Response(200, json={"rows": [1, {"a": 2}]})), "“/path” is missing"),
        (
            at(
                "/1/assets", lambda _: httpx.Response(200, json={"path": f"{VERSIONS}/1/assets", "rows": [1, {"a": 3}]})
            ),
            "“/rows/1/a” is another",
        ),
        (
            at("/1/assets", lambda _: httpx.Response(200, json={"path": f"{VERSIONS}/1/assets", "rows": [1]})),
            "“/rows” is another",
        ),
        (at("/v1/me", lambda _: httpx.Response(404)), "404 in place of 200"),
    ],
)
def test_a_difference_is_named(change: Change, told: str) -> None:
    found = Pair(canary=change).shadow().compare()
    (difference,) = found.differences
    assert difference.endswith(told) or told in difference
    assert difference.startswith("/v1/")
    assert found.same == 11


def test_what_is_no_difference() -> None:
    for change in (
        at(
            "/1/assets",
            lambda _: httpx.Response(
                200, json={"path": f"{VERSIONS}/1/assets", "rows": [1, {"a": 2, "new": 1}], "more": 1}
            ),
        ),
        at(
            "/1/assets", lambda turn: httpx.Response(500) if turn == 1 else None
        ),  # the share of errors is judged elsewhere
        at("/1/manifest", lambda _: httpx.Response(429)),
        at("/1/manifest", lambda _: httpx.Response(503)),
    ):
        assert Pair(canary=change).shadow().compare().differences == ()


def test_what_changes_between_two_questions_is_no_difference() -> None:
    """The version is withdrawn after the stable one was asked: the canary says 410, and so does the stable one by now."""
    gone = at("/1/manifest", lambda _: httpx.Response(410))
    later = at("/1/manifest", lambda turn: httpx.Response(410) if turn > 1 else None)
    assert Pair(canary=gone, stable=later).shadow().compare().differences == ()
    assert Pair(canary=gone, stable=gone).shadow().compare().differences == ()


def test_a_signature_that_does_not_vouch_for_the_manifest() -> None:
    """Both versions answer the same wrong manifest with the right digest: only its signature tells."""
    wrong = at("/1/manifest", lambda _: served(manifest(1, "wrong")))
    (told,) = Pair(canary=wrong, stable=wrong).shadow().compare().differences
    assert told.endswith("/1/manifest: its signature does not hold (signature-proof)")
    (told,) = Pair(canary=at("/1/signature", lambda turn: httpx.Response(200, text="{}") if turn == 1 else None)).shadow().compare().differences  # fmt: skip
    assert "its signature does not hold" in told


def broken(_: str, __: int) -> Answer | None:
    raise httpx.ConnectError("nobody there")


def test_silence_of_either() -> None:
    found = Pair(canary=broken).shadow().compare()
    assert (found.unreached, found.differences) == (1, ())
    found = Pair(stable=broken).shadow().compare()
    assert (found.unreached, found.differences, found.same) == (0, (), 0), "nothing can be said of the canary"
    assert Pair(canary=broken, stable=broken).shadow().versions() == (None, None)
    assert Pair(canary=at("/version", lambda _: httpx.Response(200, text="no"))).shadow().versions()[1] is None


def test_a_refused_token_says_so_and_without_one_nothing_is_compared() -> None:
    refused = Shadow(STABLE, CANARY, lambda: "old", transport=httpx.MockTransport(Pair().answer))
    with pytest.raises(ContentError) as told:
        refused.compare()
    assert told.value.code == "probe-token"
    found = Shadow(STABLE, CANARY, None, transport=httpx.MockTransport(Pair().answer)).compare()
    assert (found.left_out, found.same) == (True, 0)
