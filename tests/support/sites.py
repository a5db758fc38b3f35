"""Sites on the edge (published exports, previews) as a browser sees them."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx

from tests.support.tenants import Tenant


class Visitor:
    """A browser at a tenant's origin. Names below `localhost` are this machine's; the test says so by the header `Host`."""

    def __init__(self, tenant: Tenant, link: str) -> None:
        parts = urlsplit(link)
        self._edge, self._host = tenant.running.settings.edge_url, parts.netloc
        self._folder = parts.path.removeprefix("/_open").rpartition("/")[0]
        self.answer = self._get(f"{parts.path}?{parts.query}", {})
        self._cookies = dict(
            line.partition(";")[0].split("=", 1) for line in self.answer.headers.get_list("set-cookie")
        )

    def page(self, name: str = "index.html", host: str | None = None) -> httpx.Response:
        return self._get(f"{self._folder}/{name}", self._cookies, host)

    def _get(self, path: str, cookies: dict[str, str], host: str | None = None) -> httpx.Response:
        told = {"Host": host or self._host, "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        return httpx.get(self._edge + path, headers=told, trust_env=False, timeout=60)
