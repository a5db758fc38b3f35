"""The manifests that the edge keeps, and the versions of which it must serve nothing any more.

A CDN of production keeps a manifest for a minute and is told by an invalidation to forget it. Here the word is the same that
the API's replicas hear (`cluster.invalidations`). What was withdrawn is answered with 410 while this process lives; after
that the store has it no more, since a withdrawn manifest's blob moves away. While NATS is not heard, the store is asked
each time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from cluster.edge import edge_rules
from cluster.invalidations import Changed, Invalidations
from cluster.manifests import Kept, Key, Manifests
from content.errors import ContentError

TTL_S, MOST_BYTES, MOST_WITHDRAWN = float(edge_rules.MANIFEST_S), 32 << 20, 100_000


class EdgeManifests:
    """Manifests by their key in the store, `packages/{tenant}/{package}/{version}/{hex of the digest}.json`."""

    def __init__(
        self, url: str, user: str, password: str, fetch: Callable[[str], bytes], tls: ssl.SSLContext | None = None
    ) -> None:
        self._fetch = fetch
        self._kept = Manifests(MOST_BYTES, TTL_S)
        self._withdrawn: OrderedDict[Key, None] = OrderedDict()
        self.words = Invalidations(url, user, password, self._changed, tls)

    async def get(self, key: str) -> Kept:
        """Raises ContentError `version-withdrawn`, or what fetching raises."""
        name, digest = _name(key)
        self._refuse_withdrawn(name)
        kept = self._kept.get(name) if self.words.trusted else None
        if kept is not None and kept.digest == digest:
            return kept
        generation = self._kept.generation
        body = await asyncio.to_thread(self._fetch, key)
        self._kept.keep(name, digest, body, generation)
        return Kept(digest, body, 0.0)

    def refuse_withdrawn(self, key: str) -> None:
        """Raises ContentError `version-withdrawn` for a key `exports/{tenant}/{package}/{version}/…` of such a version."""
        try:
            _, tenant, package_id, version, _ = key.split("/", 4)
            self._refuse_withdrawn((tenant, package_id, int(version)))
        except ValueError as error:
            raise ContentError("not-found", "There is nothing here.") from error

    def _refuse_withdrawn(self, name: Key) -> None:
        if name in self._withdrawn:
            raise ContentError("version-withdrawn", "This version was withdrawn.", "Ask the API for a newer one.")

    def _changed(self, changed: Changed | None) -> None:
        self._kept.forget(changed)
        if changed is not None and changed.withdrawn:
            self._withdrawn[changed.tenant, changed.package_id, changed.version] = None
            if len(self._withdrawn) > MOST_WITHDRAWN:
                self._withdrawn.popitem(last=False)


def answer(request: Request, kept: Kept) -> Response:
    """A manifest with the ETag that the API gives it, or 304; ranges are not for manifests."""
    headers = {"ETag": f'"{kept.digest}"', "Cache-Control": f"max-age={edge_rules.MANIFEST_S}", **edge_rules.ALWAYS}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        return Response(headers={**headers, "Content-Length": str(len(kept.body))}, media_type="application/json")
    return Response(kept.body, headers=headers, media_type="application/json")


def _name(key: str) -> tuple[Key, str]:
    try:
        _, tenant, package_id, version, file = key.split("/")
        return (tenant, package_id, int(version)), f"sha256:{file.removesuffix('.json')}"
    except ValueError as error:
        raise ContentError("not-found", "There is nothing here.") from error
