"""Published exports and previews on the edge: each tenant's files on an origin of its own, opened by signed cookies.

A site has many files, so its visitor does not carry a signed URL but signed cookies (CloudFront's names, the same policy and
signature) for all below its folder. They are handed over by a plain link: a signed URL whose policy reaches the folder. It is
answered with the cookies and a redirect to the same address without the signature. What a tenant's settings say about the
Content-Security-Policy comes with every answer; a page's own one holds beside it, so a tenant can only forbid more.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from starlette.requests import Request
from starlette.responses import Response

from cluster import cdn, places
from content.errors import ContentError

CSP_TTL_S = 5.0
DEFAULT_CSP = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)


class Sites:
    """`address` is the origin of a tenant's sites, with `{tenant}` in it; `fetch` reads a small object and blocks."""

    def __init__(
        self,
        address: str,
        keys: Mapping[str, ec.EllipticCurvePublicKey],
        fetch: Callable[[str], bytes],
        clock: Callable[[], datetime],
    ) -> None:
        self._address, self._keys, self._fetch, self._clock = address, keys, fetch, clock
        self._before, _, self._after = urlsplit(address).netloc.partition("{tenant}")
        self._csp: dict[str, tuple[float, str]] = {}

    def tenant_of(self, request: Request) -> str | None:
        """Whose origin was asked; None for the edge's own."""
        host = request.headers.get("host", "").lower()
        name = host[len(self._before) : len(host) - len(self._after)]
        known = self._address and host == f"{self._before}{name}{self._after}" and "." not in name
        return name if known and name else None

    def admit(self, request: Request, tenant: str, path: str) -> tuple[str, Response | None]:
        """The key of a file of a site, and the redirect that hands cookies over where it was asked for by a link.

        Raises ContentError for what these cookies, or this link, do not open.
        """
        key = unquote(path).lstrip("/")
        theirs = key.startswith((f"exports/{tenant}/", f"previews/{tenant}/"))
        if not theirs or not key.startswith(places.attempt_of(key) + places.SITE):
            raise ContentError("not-found", "There is nothing here.")
        url = f"{self._address.format(tenant=tenant)}{path}"
        query = request.scope["query_string"].decode("latin-1")
        if cdn.is_signed(query):
            cdn.verify(f"{url}?{query}", self._keys, now=self._clock())
            return key, self._handed_over(query, path)
        cdn.verify(cdn.from_cookies(url, request.cookies), self._keys, now=self._clock())
        return key, None

    def _handed_over(self, query: str, path: str) -> Response:
        folder = f"/{places.attempt_of(path.lstrip('/'))}{places.SITE}"
        response = Response(status_code=303, headers={"location": path, "cache-control": "no-store"})
        secure = self._address.startswith("https://")
        for name, value in cdn.cookies_of(query).items():
            # A learning platform shows the site in a frame: to such a one only SameSite=None cookies are sent.
            response.set_cookie(
                name, value, path=folder, secure=secure, httponly=True, samesite="none" if secure else "lax"
            )
        return response

    async def headers(self, tenant: str) -> dict[str, str]:
        """What comes with every file of a tenant's sites."""
        csp = await self._policy(tenant)
        return {"content-security-policy": csp, "referrer-policy": "no-referrer", "cache-control": "private, no-cache"}

    async def _policy(self, tenant: str) -> str:
        read, csp = self._csp.get(tenant, (0.0, ""))
        if not csp or time.monotonic() - read > CSP_TTL_S:
            try:
                told = json.loads(await asyncio.to_thread(self._fetch, places.site_settings(tenant)))
                csp = str(told.get("csp") or DEFAULT_CSP)
            except ContentError as error:
                if error.code != "not-found":
                    raise
                csp = DEFAULT_CSP
            self._csp[tenant] = time.monotonic(), csp
        return csp
