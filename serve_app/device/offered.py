"""The signed addresses of one bundle, asked for anew when they have expired (`download.Urls`)."""

from __future__ import annotations

from content.errors import ContentError
from serve_app.client import BundleOffer, Client


class OfferedUrls:
    """All bundles of an index have the same files, so those of one serve for all."""

    def __init__(self, api: Client, offer: BundleOffer, remedy: str) -> None:
        self._api, self._offer, self._remedy = api, offer, remedy

    def of(self, path: str) -> str:
        """The signed URL of a blob. Raises ContentError `part-not-offered`."""
        for place in (self._offer["index"], *self._offer["parts"]):
            if place["path"] == path:
                return place["url"]
        raise ContentError("part-not-offered", f"The API offers no address for {path}.", self._remedy)

    def renew(self) -> None:
        """Fresh URLs of the same bundle."""
        self._offer = self._api.bundle(self._offer["bundle_id"])
