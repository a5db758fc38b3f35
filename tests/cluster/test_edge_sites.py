"""Published exports on the edge: a link hands cookies over, they open one site of one tenant, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.requests import Request

from cluster.edge import cdn
from cluster.edge.edge_rules import DEFAULT_CSP
from cluster.local.edge_sites import Origin, Sites
from content.errors import ContentError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
ADDRESS = "http://{tenant}.localhost:8080"
FOLDER = "/exports/acme/pkg_1/3/exp_1/0f/site/"
PAGE = f"{FOLDER}index.html"
OPEN = "/_open"
ACME = Origin("acme")


def signer(tenant: str = "acme") -> cdn.UrlSigner:
    return cdn.UrlSigner(ADDRESS.format(tenant=tenant), "K1", KEY, 60)


def sites(fetch: Callable[[str], bytes] | None = None, address: str = ADDRESS, now: datetime = NOW) -> Sites:
    def nothing(key: str) -> bytes:
        raise ContentError("not-found", "There is nothing here.")

    return Sites(address, {"K1": KEY.public_key()}, fetch or nothing, lambda: now)


def request(
    path: str, *, query: str = "", host: str = "acme.localhost:8080", cookies: dict[str, str] | None = None
) -> Request:
    headers = [(b"host", host.encode())]
    if cookies:
        headers.append((b"cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()))
    return Request({"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": headers})


def link(tenant: str = "acme", **changes: Any) -> str:
    url = signer(tenant).url(changes.get("path", PAGE), NOW, folder=changes.get("folder", FOLDER))
    return url.partition("?")[2]


COOKIES = cdn.cookies_of(link())


def refused(path: str, **about: Any) -> str:
    found = sites(now=about.pop("now", NOW))
    tenant = about.pop("tenant", "acme")
    with pytest.raises(ContentError) as error:
        found.admit(request(path, **about), Origin(tenant), path)
    return error.value.code


def test_a_link_is_answered_with_cookies_for_its_folder_and_the_address_without_them() -> None:
    key, answer = sites().admit(request(OPEN + PAGE, query=link()), ACME, OPEN + PAGE)
    assert key == PAGE.lstrip("/") and answer is not None
    assert (answer.status_code, answer.headers["location"], answer.headers["cache-control"]) == (303, PAGE, "no-store")
    told = answer.headers.getlist("set-cookie")
    assert {line.partition("=")[0] for line in told} == {
        "CloudFront-Policy", "CloudFront-Signature", "CloudFront-Key-Pair-Id", "CloudFront-Hash-Algorithm",
    }  # fmt: skip
    for line in told:
        assert f"Path={FOLDER};" in line and "HttpOnly" in line and "SameSite=lax" in line and "Domain" not in line


def test_a_link_is_a_signed_page_behind_a_prefix_of_its_own() -> None:
    made = signer().link(PAGE, NOW, folder=FOLDER)
    assert made.startswith(f"{ADDRESS.format(tenant='acme')}{OPEN}{PAGE}?Policy=")
    query = made.partition("?")[2]
    assert sites().admit(request(OPEN + PAGE, query=query), ACME, OPEN + PAGE)[1] is not None
    # The page itself is served to the same signature, and nothing is handed over.
    assert sites().admit(request(PAGE, query=query), ACME, PAGE) == (PAGE.lstrip("/"), None)
    assert refused(OPEN + PAGE, cookies=COOKIES) == refused(OPEN + PAGE) == "url-unsigned"
    assert refused(OPEN + PAGE.replace("exp_1", "exp_2"), query=query) == "url-resource"
    assert refused(OPEN + OPEN + PAGE, query=query) == "not-found"


def test_over_https_the_cookies_go_into_frames_of_others_too() -> None:
    origin = "https://{tenant}.sites.example"
    query = cdn.UrlSigner(origin.format(tenant="acme"), "K1", KEY, 60).url(PAGE, NOW, folder=FOLDER).partition("?")[2]
    asked = request(OPEN + PAGE, query=query, host="acme.sites.example")
    _, answer = sites(address=origin).admit(asked, ACME, OPEN + PAGE)
    assert answer is not None
    assert all("Secure" in line and "SameSite=none" in line for line in answer.headers.getlist("set-cookie"))


def test_the_cookies_open_every_file_of_the_site() -> None:
    for path in (PAGE, f"{FOLDER}media/a.webp", FOLDER + "course.js"):
        assert sites().admit(request(path, cookies=COOKIES), ACME, path) == (path.lstrip("/"), None)


def test_nothing_else_opens_it_and_it_opens_nothing_else() -> None:
    assert refused(PAGE) == "url-unsigned"
    assert (
        refused(PAGE, cookies={name: value for name, value in COOKIES.items() if "Policy" not in name})
        == "url-unsigned"
    )
    assert refused(PAGE, cookies={**COOKIES, "CloudFront-Signature": "AAAA"}) == "url-signature"
    assert refused(PAGE, cookies={**COOKIES, "CloudFront-Key-Pair-Id": "K1&Policy=x"}) == "url-signature"
    assert refused(PAGE, cookies=COOKIES, now=NOW + timedelta(seconds=61)) == "url-expired"
    assert refused(PAGE, query=link(), now=NOW + timedelta(seconds=61)) == "url-expired"
    assert refused(PAGE.replace("exp_1", "exp_2"), cookies=COOKIES) == "url-resource"
    assert refused(FOLDER + "../../1e/site/index.html", cookies=COOKIES) == "url-resource"
    assert refused("/exports/acme/pkg_1/3/exp_1/0f/course.zip", cookies=COOKIES) == "not-found"
    assert refused("/bundles/acme/x", cookies=COOKIES) == "not-found"
    theirs = "/exports/other/pkg_1/3/exp_1/0f/site/index.html"
    assert refused(theirs, cookies=COOKIES) == "not-found"
    # Signed for another tenant's origin, or for the edge's own.
    assert refused(theirs, tenant="other", cookies=COOKIES, host="other.localhost:8080") == "url-resource"
    edge = cdn.UrlSigner("http://127.0.0.1:8080", "K1", KEY, 60).url(PAGE, NOW).partition("?")[2]
    assert refused(PAGE, query=edge) == "url-resource"


def test_whose_origin_it_is_follows_from_the_host_alone() -> None:
    found = sites()
    for host, tenant in (
        ("acme.localhost:8080", "acme"), ("ACME.localhost:8080", "acme"), ("localhost:8080", None), (".localhost:8080", None),
        ("127.0.0.1:8080", None), ("a.b.localhost:8080", None), ("acme.localhost:9", None), ("", None),
    ):  # fmt: skip
        assert found.origin_of(request(PAGE, host=host)) == (Origin(tenant) if tenant else None), host
    assert sites(address="").origin_of(request(PAGE)) is None


async def test_the_policy_is_the_tenants_and_is_looked_up_for_every_tenant_once_in_a_while() -> None:
    asked: list[str] = []

    def fetch(key: str) -> bytes:
        asked.append(key)
        if "acme" not in key:
            raise ContentError("not-found", "There is nothing here.")
        return json.dumps({"csp": "frame-ancestors https://lms.example"}).encode()

    found = sites(fetch)
    for _ in range(3):
        assert (await found.headers(ACME))["content-security-policy"] == "frame-ancestors https://lms.example"
        assert (await found.headers(Origin("other")))["content-security-policy"] == DEFAULT_CSP
    assert asked == ["sites/acme/settings.json", "sites/other/settings.json"]


async def test_without_the_store_no_site_is_served_under_a_policy_that_may_not_be_the_tenants() -> None:
    def away(key: str) -> bytes:
        raise ContentError("origin-unavailable", "Away.", "", True)

    with pytest.raises(ContentError):
        await sites(away).headers(ACME)


def test_a_preview_is_opened_by_its_link_alone_until_it_ends() -> None:
    folder = "/previews/acme/prv_1/0f/site/"
    page = f"{folder}index.html"
    query = link(path=page, folder=folder)
    key, answer = sites().admit(request(OPEN + page, query=query), ACME, OPEN + page)
    assert key == page.lstrip("/") and answer is not None
    assert all(f"Path={folder};" in line for line in answer.headers.getlist("set-cookie"))
    cookies = cdn.cookies_of(query)
    assert sites().admit(request(folder + "course.js", cookies=cookies), ACME, folder + "course.js")[1] is None
    assert refused(page) == "url-unsigned"
    assert refused(page, query=query, now=NOW + timedelta(seconds=60)) == "url-expired"
    assert refused(page, cookies=cookies, now=NOW + timedelta(seconds=60)) == "url-expired"
    # Made anew, it lies in another folder; and neither it nor an export opens the other.
    assert refused(page.replace("/0f/", "/1e/"), cookies=cookies) == "url-resource"
    assert refused(page, cookies=COOKIES) == refused(PAGE, cookies=cookies) == "url-resource"
    assert refused("/previews/other/prv_1/0f/site/index.html", cookies=cookies) == "not-found"
    assert refused("/previews/acme/prv_1/0f/index.html", cookies=cookies) == "not-found"
