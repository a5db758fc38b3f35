"""Addresses that tenants name and this service calls: resolved once, refused where they are not public, and pinned.

Whoever may name a URL could point it, or later its name, at something inside our network (SSRF, DNS rebinding). So a
name is resolved here, every one of its addresses must be a public one, and the connection goes to the very address that
was looked at, with the name kept for TLS and the Host header. Redirects are the caller's to refuse.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from cluster.settings import Settings
from content.webhooks import refused

RESOLVE_S = 5.0
NOT_PUBLIC = "it does not lead to a public address"  # the same where a name is unknown: names inside are not told
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
"""All that is given out of IPv6. What lies outside (site-local, a NAT64 of one's own, `::a.b.c.d`) leads to who knows where,
and Python's `is_global` says yes to it."""
_NEVER = tuple(
    ipaddress.ip_network(each) for each in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "3fff::/20")
)
"""Global by Python's tables: protocol assignments (a cloud's metadata is in it), 6to4 relays, another cloud's host, examples."""


@dataclass(frozen=True)
class Target:
    """Where a request goes: `url` names the address, `host` goes into the Host header, `name` is what TLS checks."""

    url: str
    host: str
    name: str


def check_url(url: str, settings: Settings) -> None:
    """Raises `webhook-url-refused` for what is no https URL (development: or http), or holds credentials or a fragment."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise refused("it is not a URL") from error
    schemes = ("https",) if settings.profile == "production" else ("https", "http")
    if parts.scheme not in schemes:
        raise refused(f"it does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if not parts.hostname or parts.username is not None or parts.password is not None or parts.fragment or port == 0:
        raise refused("it must have a host, and neither credentials nor a fragment")
    if any(ord(letter) <= 32 or ord(letter) > 126 for letter in url):
        raise refused("it holds characters that a URL cannot hold")
    try:
        address = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    if not _allowed(address, settings):
        raise refused(NOT_PUBLIC)


async def resolve(url: str, settings: Settings) -> Target:
    """The address to call. Raises `webhook-url-refused`, also where the name does not resolve."""
    check_url(url, settings)
    parts = urlsplit(url)
    name = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise refused(NOT_PUBLIC) from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not addresses or not all(_allowed(address, settings) for address in addresses):
        raise refused(NOT_PUBLIC)
    address = min(addresses, key=lambda each: each.version)  # IPv4 first: not every node has IPv6
    literal = f"[{address}]" if address.version == 6 else str(address)
    query = f"?{parts.query}" if parts.query else ""
    return Target(f"{parts.scheme}://{literal}:{port}{parts.path or '/'}{query}", parts.netloc, name)


def _allowed(address: ipaddress.IPv4Address | ipaddress.IPv6Address, settings: Settings) -> bool:
    if settings.webhook_allow_private and settings.profile == "development":
        return True
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _allowed(inner, settings)
        if address not in _UNICAST:
            return False
    if any(address in network for network in _NEVER):
        return False
    return address.is_global and not address.is_multicast
