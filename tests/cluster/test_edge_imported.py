"""Imported packages on the edge: each on an origin of its own, sandboxed, and nothing of it anywhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.requests import Request

from cluster.edge import cdn
from cluster.edge.content_origins import address_of, label_of, split
from cluster.local.edge_shell import shell_file
from cluster.local.edge_sites import Origin, Sites
from content.errors import ContentError

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
ADDRESS = "http://{tenant}.localhost:8080"
PACKAGE = "pkg_golf"
LABEL = label_of(PACKAGE)
OWN = Origin("acme", LABEL)
FOLDER = f"/exports/acme/{PACKAGE}/3/exp_1/0f/imported/"
PAGE = f"{FOLDER}index.html"


def sites(fetch: Callable[[str], bytes] | None = None) -> Sites:
    def nothing(key: str) -> bytes:
        raise ContentError("not-found", "There is nothing here.")

    return Sites(ADDRESS, {"K1": KEY.public_key()}, fetch or nothing, lambda: NOW, ["http://127.0.0.1:9000"])


def request(
    path: str, origin: Origin = OWN, *, query: str = "", worker: bool = False, cookies: dict[str, str] | None = None
) -> Request:
    headers = [(b"host", f"{origin.name}.localhost:8080".encode())]
    if cookies:
        headers.append((b"cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()))
    if worker:
        headers.append((b"service-worker", b"script"))
    return Request({"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": headers})


def link(origin: Origin, path: str = PAGE, folder: str = FOLDER) -> str:
    signer = cdn.UrlSigner(ADDRESS.format(tenant=origin.name), "K1", KEY, 60)
    return signer.url(path, NOW, folder=folder).partition("?")[2]


COOKIES = cdn.cookies_of(link(OWN))


def refused(path: str, origin: Origin, cookies: dict[str, str] | None = None) -> str:
    with pytest.raises(ContentError) as error:
        sites().admit(request(path, origin, cookies=cookies), origin, path)
    return error.value.code


def test_a_package_has_an_origin_that_follows_from_its_name() -> None:
    assert address_of(ADDRESS, "acme", PACKAGE) == f"http://{LABEL}--acme.localhost:8080"
    assert LABEL == "t5kspehpt2i3shy5tnxk", "as the learner's page works it out (player/tests/play/imported-unit.ts)"
    assert split(f"{LABEL}--acme") == (LABEL, "acme")
    assert label_of(PACKAGE) != label_of("pkg_other")
    longest = address_of("{tenant}", "a" * 39, PACKAGE)
    assert len(longest) <= 63, "a label of DNS"
    for plain in ("acme", "a--b", f"{LABEL}-acme", LABEL, f"{LABEL}--", f"{LABEL.upper()}--acme"):
        assert split(plain) == (None, plain)


def test_whose_package_it_is_follows_from_the_host() -> None:
    assert sites().origin_of(request(PAGE)) == OWN
    assert sites().origin_of(request(PAGE, Origin("acme"))) == Origin("acme")


def test_a_link_opens_it_on_its_own_origin_and_the_cookies_go_nowhere_else() -> None:
    key, answer = sites().admit(request("/_open" + PAGE, query=link(OWN)), OWN, "/_open" + PAGE)
    assert key == PAGE.lstrip("/") and answer is not None and answer.status_code == 303
    told = answer.headers.getlist("set-cookie")
    assert len(told) == 4
    assert all(f"Path={FOLDER};" in line and "HttpOnly" in line and "Domain" not in line for line in told)
    file = f"{FOLDER}content/shared/launchpage.html"
    assert sites().admit(request(file, cookies=COOKIES), OWN, file) == (file.lstrip("/"), None)


def test_it_is_refused_on_the_tenants_origin_and_on_every_other_packages() -> None:
    plain, other = Origin("acme"), Origin("acme", label_of("pkg_other"))
    for origin in (plain, other, Origin("rival", LABEL)):
        # Whatever was signed: for the right origin, and even for the one that is asked.
        assert refused(PAGE, origin, COOKIES) == "not-found"
        assert refused(PAGE, origin, cdn.cookies_of(link(origin))) == "not-found"
    assert refused(PAGE, OWN) == "url-unsigned"
    assert refused(PAGE.replace("/3/", "/4/"), OWN, COOKIES) == "url-resource"


def test_a_site_of_ours_is_refused_on_a_packages_origin() -> None:
    ours = f"/exports/acme/{PACKAGE}/3/exp_1/0f/site/index.html"
    signed = cdn.cookies_of(link(OWN, ours, ours.removesuffix("index.html")))
    assert refused(ours, OWN, signed) == "not-found"
    preview = "/previews/acme/prv_1/0f/site/index.html"
    assert refused(preview, OWN, cdn.cookies_of(link(OWN, preview, "/previews/acme/"))) == "not-found"
    assert refused("/bundles/acme/x", OWN, COOKIES) == refused("/assets/acme/x", OWN, COOKIES) == "not-found"


def test_it_may_not_leave_a_service_worker_behind() -> None:
    script = f"{FOLDER}content/worker.js"
    with pytest.raises(ContentError) as error:
        sites().admit(request(script, worker=True, cookies=COOKIES), OWN, script)
    assert error.value.code == "worker-refused"


async def test_it_is_sandboxed_and_loads_nothing_of_elsewhere() -> None:
    headers = await sites().headers(OWN)
    parts = (each.strip().partition(" ") for each in headers["content-security-policy"].split(";"))
    directives = {name: value for name, _, value in parts}
    assert directives["sandbox"].split() == [
        "allow-scripts", "allow-same-origin", "allow-forms", "allow-popups", "allow-modals", "allow-downloads", "allow-pointer-lock",
    ]  # fmt: skip
    assert directives["default-src"].split() == ["'self'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"]
    assert directives["frame-ancestors"] == "'self'" and directives["form-action"] == "'self'"
    assert "camera=()" in headers["permissions-policy"] and headers["referrer-policy"] == "no-referrer"
    assert "'unsafe-inline'" not in (await sites().headers(Origin("acme")))["content-security-policy"]


async def test_the_tenants_policy_holds_beside_it() -> None:
    told = json.dumps({"csp": "frame-ancestors https://lms.example"}).encode()
    sandboxed, _, theirs = (await sites(lambda _: told).headers(OWN))["content-security-policy"].partition(", ")
    assert sandboxed.startswith("sandbox ") and "frame-ancestors" not in sandboxed
    assert theirs == "frame-ancestors https://lms.example"


async def test_the_shell_is_there_without_a_signature_for_the_pages_of_learners_alone() -> None:
    told = json.dumps({"origins": ["https://learn.example"]}).encode()
    for name, kind in (
        ("", "text/html"),
        ("index.html", "text/html"),
        ("sw.js", "text/javascript"),
        ("player.css", "text/css"),
    ):
        path = f"/_player/{name}"
        answer = await sites(lambda _: told).shell(request(path, worker=name == "sw.js"), OWN, path)
        assert answer.headers["content-type"].startswith(kind) and len(answer.body) > 100
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox ")
        assert policy.endswith("frame-ancestors 'self' http://127.0.0.1:9000 https://learn.example")


async def test_below_the_shell_there_is_nothing_else() -> None:
    for path in ("/_player/content/x/index.html", "/_player/../sw.js", "/_player/.hidden", "/_player/none.js"):
        with pytest.raises(ContentError) as error:
            await sites().shell(request(path), OWN, path)
        assert error.value.code == "not-found", path
    with pytest.raises(ContentError):
        await sites().shell(request("/_player/", Origin("acme")), Origin("acme"), "/_player/")
    with pytest.raises(ContentError):
        await sites().shell(request("/_player/player-imported.js", worker=True), OWN, "/_player/player-imported.js")


def test_without_a_built_player_there_is_no_shell(tmp_path: Path) -> None:
    with pytest.raises(ContentError) as error:
        shell_file("/_player/", {}, tmp_path)
    assert error.value.code == "not-found"
