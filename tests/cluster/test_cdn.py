"""The CDN's signed URLs: what is signed is served, and every way around it is refused by name."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from cluster.edge import cdn

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
KEYS = {"K1": KEY.public_key()}
URL = "https://edge.example/bundles/acme/bnd_1/3f/0.part"
SIGNER = cdn.UrlSigner("https://edge.example", "K1", KEY, 60)


def signed(url: str = URL, resource: str | None = None, expires_in_s: int = 60) -> str:
    return cdn.sign(url, KEY, "K1", expires_at=NOW + timedelta(seconds=expires_in_s), resource=resource)


def signed_policy(document: bytes, url: str = URL) -> str:
    """A URL with any policy, rightly signed."""

    def text(data: bytes) -> str:
        return base64.b64encode(data).decode().replace("+", "-").replace("=", "_").replace("/", "~")

    signature = text(KEY.sign(document, ec.ECDSA(hashes.SHA256())))
    return f"{url}?Policy={text(document)}&Signature={signature}&Key-Pair-Id=K1&Hash-Algorithm=SHA256"


SIGNED = signed()  # once, since ECDSA signs differently each time


def refused(url: str, now: datetime = NOW) -> str:
    with pytest.raises(cdn.UrlRefused) as caught:
        cdn.verify(url, KEYS, now=now)
    return caught.value.code


def test_a_signed_url_is_served() -> None:
    cdn.verify(signed(), KEYS, now=NOW)
    cdn.verify(SIGNER.url("/bundles/acme/bnd_1/3f/0.part", NOW), KEYS, now=NOW)


def test_the_policy_is_cloudfronts() -> None:
    query = parse_qs(urlsplit(signed()).query)
    policy = base64.b64decode(query["Policy"][0].replace("-", "+").replace("_", "=").replace("~", "/"))
    expected = '{"Statement":[{"Resource":"%s","Condition":{"DateLessThan":{"AWS:EpochTime":%d}}}]}'
    assert policy.decode() == expected % (URL, int(NOW.timestamp()) + 60)
    assert query["Hash-Algorithm"] == ["SHA256"]


def test_it_expires_at_its_second() -> None:
    cdn.verify(signed(), KEYS, now=NOW + timedelta(seconds=59.9))
    assert refused(signed(), NOW + timedelta(seconds=60)) == "url-expired"


def test_without_a_signature() -> None:
    assert refused(URL) == "url-unsigned"
    assert refused(URL + "?x=1") == "url-unsigned"


def test_a_wildcard_reaches_what_is_below_and_no_further() -> None:
    query = signed(resource="https://edge.example/bundles/acme/bnd_1/*").partition("?")[2]
    cdn.verify(f"https://edge.example/bundles/acme/bnd_1/3f/index.json?{query}", KEYS, now=NOW)
    for elsewhere in (
        "https://edge.example/bundles/acme/bnd_2/3f/0.part",
        "https://edge.example/bundles/acme/bnd_1/../bnd_2/0.part",
        "https://edge.example/bundles/acme/bnd_1/%2e%2e/bnd_2/0.part",
        "https://edge.example/bundles/acme/bnd_1/..%2fbnd_2/0.part",
        "https://edge.example/bundles/acme/bnd_1//../x",
        "https://other.example/bundles/acme/bnd_1/3f/0.part",
        "http://edge.example/bundles/acme/bnd_1/3f/0.part",
    ):
        assert refused(f"{elsewhere}?{query}") == "url-resource", elsewhere


def test_dots_in_a_resource_are_dots() -> None:
    query = signed("https://edge.example/a.part").partition("?")[2]
    assert refused(f"https://edge.example/axpart?{query}") == "url-resource"


def test_another_query_is_another_resource() -> None:
    assert refused(signed() + "&versionId=old") == "url-resource"


@pytest.mark.parametrize("name", cdn.PARAMETERS)
def test_each_parameter_is_needed_once(name: str) -> None:
    base, _, query = signed().partition("?")
    pieces = query.split("&")
    (mine,) = [piece for piece in pieces if piece.startswith(f"{name}=")]
    assert refused(f"{base}?{'&'.join(piece for piece in pieces if piece != mine)}") == "url-signature"
    assert refused(f"{base}?{query}&{mine}") == "url-signature"
    assert refused(f"{base}?{query.replace(mine, f'{name}=x')}") == "url-signature"


def test_an_unknown_key_and_a_foreign_signature() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    expires = NOW + timedelta(seconds=60)
    assert refused(cdn.sign(URL, other, "K2", expires_at=expires)) == "url-signature"
    assert refused(cdn.sign(URL, other, "K1", expires_at=expires)) == "url-signature"


@given(st.data())
def test_no_changed_byte_of_the_signed_part_is_served(data: st.DataObject) -> None:
    url = SIGNED
    begin, end = url.index("Policy=") + 7, url.index("&Key-Pair-Id")
    at = data.draw(st.integers(begin, end - 1).filter(lambda i: url[i] not in "&=_"))
    character = data.draw(st.sampled_from("ABCxyz019-~").filter(lambda c: c != url[at]))
    changed = url[:at] + character + url[at + 1 :]
    try:
        cdn.verify(changed, KEYS, now=NOW)
    except cdn.UrlRefused as error:
        assert error.code == "url-signature"
    else:  # the unused bits of the last base64 character change no byte
        assert parsed(changed) == parsed(url)


def parsed(url: str) -> list[bytes]:
    query = parse_qs(urlsplit(url).query)
    return [
        base64.b64decode(query[name][0].replace("-", "+").replace("_", "=").replace("~", "/"))
        for name in ("Policy", "Signature")
    ]


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"DateLessThan": {"AWS:EpochTime": 9_999_999_999}, "IpAddress": {"AWS:SourceIp": "10.0.0.0/8"}},
        {"DateLessThan": {"AWS:EpochTime": "soon"}},
        {"DateGreaterThan": {"AWS:EpochTime": 0}},
    ],
)
def test_a_policy_that_is_not_fully_enforced_is_refused(condition: dict[str, object]) -> None:
    document = json.dumps({"Statement": [{"Resource": URL, "Condition": condition}]}).encode()
    assert refused(signed_policy(document)) == "url-signature"


def test_a_policy_may_begin_later() -> None:
    later = int(NOW.timestamp()) + 10
    condition = {"DateLessThan": {"AWS:EpochTime": later + 10}, "DateGreaterThan": {"AWS:EpochTime": later}}
    url = signed_policy(json.dumps({"Statement": [{"Resource": URL, "Condition": condition}]}).encode())
    assert refused(url) == "url-expired"
    cdn.verify(url, KEYS, now=NOW + timedelta(seconds=11))


def test_policies_that_are_no_policies() -> None:
    for document in (b"", b"[]", b"{}", b'{"Statement":[]}', b'{"Statement":"x"}', b"\xff"):
        assert refused(signed_policy(document)) == "url-signature"
