"""Where a tenant's URL may lead: to public addresses alone, and to the very one that was looked at."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from cluster import egress
from cluster.settings import Settings
from content.errors import ContentError

PRODUCTION = Settings(profile="production", webhook_allow_private=True)  # which production does not listen to
DEVELOPMENT = Settings(profile="development")
OPEN = Settings(profile="development", webhook_allow_private=True)


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def found(_self: Any, _host: str, port: int, **_more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", found)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "https://", "https:///x", "https://user@example.com/",
        "https://user:pw@example.com/", "https://example.com/#part", "https://example.com:99999/", "//example.com/",
        "https://exa mple.com/", "https://example.com/\r\nX: y", "https://example.com:0/", "javascript:alert(1)",
        "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::10.0.0.1]/", "https://[2002:a00:1::]/", "https://0.0.0.0/",
        "https://224.0.0.1/", "https://[fd00::1]/", "https://[fe80::1]/", "https://100.64.0.1/",
    ],
)  # fmt: skip
def test_what_is_refused_by_its_text(url: str) -> None:
    with pytest.raises(ContentError) as refused:
        egress.check_url(url, PRODUCTION)
    assert refused.value.code == "webhook-url-refused"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fd12::1"])
@pytest.mark.parametrize("settings", [PRODUCTION, DEVELOPMENT])
async def test_a_name_that_leads_inside_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str, settings: Settings
) -> None:
    resolving(monkeypatch, "93.184.215.14", address)  # one public address does not save it
    with pytest.raises(ContentError) as refused:
        await egress.resolve("https://hooks.example.com/x", settings)
    assert refused.value.code == "webhook-url-refused"


async def test_an_unknown_name_says_no_more_than_one_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", unknown)
    with pytest.raises(ContentError, match=egress.NOT_PUBLIC):
        await egress.resolve("https://nowhere.example.com/", PRODUCTION)


async def test_the_address_is_pinned_and_the_name_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "2606:2800:21f:cb07::1", "93.184.215.14")
    target = await egress.resolve("https://hooks.example.com:8443/in?a=1&b=2", PRODUCTION)
    assert target == egress.Target(
        "https://93.184.215.14:8443/in?a=1&b=2", "hooks.example.com:8443", "hooks.example.com"
    )
    resolving(monkeypatch, "2606:2800:21f:cb07::1")
    assert (await egress.resolve("https://hooks.example.com", PRODUCTION)).url == "https://[2606:2800:21f:cb07::1]:443/"


async def test_development_may_call_this_machine_if_it_says_so() -> None:
    assert (await egress.resolve("http://127.0.0.1:8080/x", OPEN)).url == "http://127.0.0.1:8080/x"
    with pytest.raises(ContentError):
        await egress.resolve("http://127.0.0.1:8080/x", DEVELOPMENT)
