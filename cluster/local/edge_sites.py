"""Published exports and previews on the edge: each tenant's files on an origin of its own, opened by signed cookies, and each
imported package on one beside it (`content_origins`).

A site has many files, so its visitor does not carry a signed URL but signed cookies (CloudFront's names, the same policy and
signature) for all below its folder. They are handed over by a link: `/_open/` and the path of a page, with a signature that reaches the
page's folder. It is answered with the cookies and a redirect to the page. (A prefix of its own, since CloudFront hands signatures in
URLs on to nobody where it checks them.) What a tenant's settings say about the
Content-Security-Policy comes with every answer; a page's own one holds beside it, so a tenant can only forbid more.

What others wrote is served under `edge_rules.IMPORTED_CSP`: sandboxed, with the scripts and styles of its own pages, and nothing of anywhere
else. It is refused on the tenant's origin, as the tenant's files are on a package's, whatever is signed. A service worker it may not
have, since that would outlive its version.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from cluster import places
from cluster.edge import cdn, content_origins, edge_rules
from cluster.local import edge_shell
from content.errors import ContentError

CSP_TTL_S = 5.0


@dataclass(frozen=True)
class Origin:
    """Whose origin was asked: a tenant's own, or with a `label` that of one of its imported packages."""

    tenant: str
    label: str | None = None

    @property
    def name(self) -> str:
        return f"{self.label}--{self.tenant}" if self.label else self.tenant


class Sites:
    """`learners`: origins of pages that play bundles. `address` is the origin of a tenant's sites, with `{tenant}` in it; `fetch` reads a small object and blocks."""

    def __init__(
        self,
        address: str,
        keys: Mapping[str, cdn.PublicKey],
        fetch: Callable[[str], bytes],
        clock: Callable[[], datetime],
        learners: Sequence[str] = (),
    ) -> None:
        self._address, self._keys, self._fetch, self._clock = address, keys, fetch, clock
        self._learners = tuple(learners)
        self._before, _, self._after = urlsplit(address).netloc.partition("{tenant}")
        self._told: dict[str, tuple[float, _Told]] = {}

    def origin_of(self, request: Request) -> Origin | None:
        """Whose origin was asked; None for the edge's own."""
        host = request.headers.get("host", "").lower()
        name = host[len(self._before) : len(host) - len(self._after)]
        known = self._address and host == f"{self._before}{name}{self._after}" and "." not in name
        if not known or not name:
            return None
        label, tenant = content_origins.split(name)
        return Origin(tenant, label)

    def admit(self, request: Request, origin: Origin, path: str) -> tuple[str, Response | None]:
        """The key of a file of a site, and the redirect that hands cookies over where it was asked for by a link.

        Raises ContentError for what these cookies, or this link, do not open.
        """
        opened = path.startswith(f"/{edge_rules.OPEN}")
        path = path.removeprefix(f"/{edge_rules.OPEN.strip('/')}") if opened else path
        key = unquote(path).lstrip("/")
        if not _lies_there(key, origin):
            raise ContentError("not-found", "There is nothing here.")
        if origin.label and request.headers.get("service-worker"):
            raise ContentError("worker-refused", "Imported content has no service worker.")
        url = f"{self._address.format(tenant=origin.name)}{path}"
        query = request.scope["query_string"].decode("latin-1")
        if opened or cdn.is_signed(query):
            cdn.verify(f"{url}?{query}", self._keys, now=self._clock())
        else:
            cdn.verify(cdn.from_cookies(url, request.cookies), self._keys, now=self._clock())
        place = places.IMPORTED_SITE if origin.label else places.SITE
        return key, self._handed_over(query, path, place) if opened else None

    async def shell(self, request: Request, origin: Origin, path: str) -> Response:
        """A file of the shell, on a package's origin. Raises ContentError `not-found`."""
        if origin.label is None or (request.headers.get("service-worker") and path != edge_shell.WORKER):
            raise ContentError("not-found", "There is nothing here.")
        told = await self._settings(origin.tenant)
        ancestors = " ".join(("'self'", *self._learners, *told.learners))
        return edge_shell.shell_file(path, _imported(f"{edge_rules.IMPORTED_CSP}; frame-ancestors {ancestors}"))

    def _handed_over(self, query: str, path: str, place: str) -> Response:
        folder = f"/{places.attempt_of(path.lstrip('/'))}{place}"
        response = Response(status_code=303, headers={"location": path, "cache-control": "no-store"})
        secure = self._address.startswith("https://")
        for name, value in cdn.cookies_of(query).items():
            # A learning platform shows the site in a frame: to such a one only SameSite=None cookies are sent.
            response.set_cookie(
                name, value, path=folder, secure=secure, httponly=True, samesite="none" if secure else "lax"
            )
        return response

    async def headers(self, origin: Origin) -> dict[str, str]:
        """What comes with every file of a site."""
        csp = (await self._settings(origin.tenant)).csp
        told = {"cache-control": "private, no-cache"}
        if origin.label is None:
            return {"content-security-policy": csp or edge_rules.DEFAULT_CSP, **edge_rules.OF_SITES, **told}
        # Two policies, and both hold: the tenant's own says who may frame it, where there is one.
        imported = edge_rules.IMPORTED_CSP
        return _imported(f"{imported}, {csp}" if csp else f"{imported}; frame-ancestors 'self'") | told

    async def _settings(self, tenant: str) -> _Told:
        read, told = self._told.get(tenant, (0.0, None))
        if told is None or time.monotonic() - read > CSP_TTL_S:
            try:
                document = json.loads(await asyncio.to_thread(self._fetch, places.site_settings(tenant)))
                told = _Told(str(document.get("csp") or ""), tuple(map(str, document.get("origins") or ())))
            except ContentError as error:
                if error.code != "not-found":
                    raise
                told = _Told()
            self._told[tenant] = time.monotonic(), told
        return told


@dataclass(frozen=True)
class _Told:
    """What a tenant's settings say to the edge; `learners` are the origins that it lets call the API."""

    csp: str = ""
    learners: tuple[str, ...] = ()


def _imported(csp: str) -> dict[str, str]:
    return {"content-security-policy": csp, **edge_rules.OF_SITES, **edge_rules.OF_IMPORTED}


def _lies_there(key: str, origin: Origin) -> bool:
    """Whether a key is of that origin: the tenant's, and of a package on its own origin alone."""
    if not key.startswith((f"exports/{origin.tenant}/", f"previews/{origin.tenant}/")):
        return False
    attempt = places.attempt_of(key)
    if origin.label is None:
        return key.startswith(attempt + places.SITE)
    kind, _, package_id, *_ = attempt.split("/")
    theirs = kind == "exports" and content_origins.label_of(package_id) == origin.label
    return theirs and key.startswith(attempt + places.IMPORTED_SITE)
