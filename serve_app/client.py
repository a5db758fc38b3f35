"""The HTTP API from a client's side: the command line, the device and the demo speak through it.

Authenticates with a bearer token or, as a device, with a fresh DPoP proof for each request. A problem of the API comes
out as the `ContentError` it was on the other side, with code, sentence and remedy; a connection that fails as
`api-unreachable`. Synchronous, and used from one thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NotRequired, Self, TypedDict, cast

import httpx

from content.devices.identity import DeviceIdentity
from content.devices.proof import make_proof
from content.errors import ContentError, InvalidInput, Problem

TIMEOUT = httpx.Timeout(30.0, connect=5.0)


class Location(TypedDict):
    """A blob on the edge: `path` below `bundles/{tenant}/`, its size in bytes, its digest, a signed URL."""

    path: str
    size: int
    digest: str
    url: str


class BundleRow(TypedDict):
    """A bundle in a list."""

    bundle_id: str
    package_id: str
    version: int
    device_id: str
    profile: str
    state: str
    total_bytes: int | None


class BundleOffer(BundleRow):
    """What a device needs to download one bundle; `licence` is the signed text, byte for byte."""

    issue: int
    licence: str
    signature: dict[str, Any]
    index: Location
    parts: list[Location]
    urls_expire_in_s: int


class SignedDocument(TypedDict):
    """A document's text, byte for byte as it was signed, and its signature object."""

    document: str
    signature: dict[str, Any]


class TrustLists(TypedDict):
    """Trust lists in ascending order (general JSON JWS) and the newest revocation list."""

    chain: list[dict[str, Any]]
    revocations: SignedDocument


class Challenge(TypedDict):
    """To be answered by a registration."""

    nonce: str
    challenge: str
    expires_in_s: int


class DeviceRow(TypedDict):
    """A registered device; `trust_chain` comes with the registration itself."""

    device_id: str
    learner_id: str
    profile: str
    state: str
    bundles_planned: NotRequired[int]
    trust_chain: NotRequired[list[dict[str, Any]]]


class Client:
    """One API at one address. `token` is a bearer token; `device` a device that proves each request instead."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        device: DeviceIdentity | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._token, self._device, self._clock = token, device, clock
        # trust_env: a proxy of the environment must not see a device's requests to a local stack
        self._http = httpx.Client(timeout=TIMEOUT, transport=transport, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # -- any resource -------------------------------------------------------------------------------------------------

    def get(self, path: str, **query: str | int | None) -> Any:
        """The JSON of a GET. Raises ContentError with the problem's code, or `api-unreachable`."""
        return self._request("GET", path, query=query).json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON of a POST; errors as `get`."""
        return self._request("POST", path, body=body).json()

    def items(self, path: str, **query: str | int | None) -> Iterator[Any]:
        """The rows of a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    # -- the resources a device needs ---------------------------------------------------------------------------------

    def challenge(self, encryption_jwk: Mapping[str, Any]) -> Challenge:
        return cast("Challenge", self.post("/v1/devices/challenges", {"encryption": dict(encryption_jwk)}))

    def register(self, nonce: str, registration: str, profile: str) -> DeviceRow:
        body = {"nonce": nonce, "registration": registration, "profile": profile}
        return cast("DeviceRow", self.post("/v1/devices", body))

    def trust_lists(self, tenant: str, since: int = 0) -> TrustLists:
        """The lists above version `since`, and the newest revocation list."""
        return cast("TrustLists", self.get(f"/v1/tenants/{tenant}/trust-lists", since=since))

    def bundles(self, **query: str | int | None) -> Iterator[BundleRow]:
        """Bundles, newest first; a device sees its own."""
        return self.items("/v1/bundles", **query)

    def bundle(self, bundle_id: str) -> BundleOffer:
        return cast("BundleOffer", self.get(f"/v1/bundles/{bundle_id}"))

    def manifest(self, package_id: str, version: int) -> bytes:
        """The manifest's bytes as they were signed."""
        return self._request("GET", f"/v1/packages/{package_id}/versions/{version}/manifest").content

    # -- one request --------------------------------------------------------------------------------------------------

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int | None] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        url = f"{self.url}{path}"
        parameters = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            response = self._send(method, url, parameters, body)
        except httpx.HTTPError as error:
            raise ContentError(
                "api-unreachable",
                f"The API at {self.url} does not answer ({type(error).__name__}).",
                "Is it up? See `content-service status`.",
                True,
            ) from error
        if response.status_code >= 400:
            raise problem_of(response)
        return response

    def _send(
        self, method: str, url: str, parameters: Mapping[str, str | int], body: Mapping[str, Any] | None
    ) -> httpx.Response:
        def once() -> httpx.Response:
            credentials = self._credentials(method, url)
            return self._http.request(method, url, params=parameters or None, json=body, headers=credentials)

        try:
            return once()
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if method != "GET":
                raise
            return once()  # a kept connection that the server closed meanwhile; with a proof of its own

    def _credentials(self, method: str, url: str) -> dict[str, str]:
        if self._token is not None:
            return {"Authorization": f"Bearer {self._token}"}
        if self._device is None:
            return {}
        proof = make_proof(self._device, method=method, url=url, now=self._clock(), rng=os.urandom)
        return {"DPoP": proof, "Content-Tenant": self._device.tenant}


def problem_of(response: httpx.Response) -> ContentError:
    """The error in an answer of the API or the edge; `http-<status>` for what is no problem document."""
    try:
        document = response.json()
        code, title = str(document["code"]), str(document["title"])
        detail = str(document.get("detail", ""))
        entries = [
            Problem(str(entry["pointer"]), str(entry["code"]), str(entry["message"]))
            for entry in document.get("problems", ())
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        status = response.status_code
        return ContentError(f"http-{status}", f"{response.url.host} answered {status}.", "", status >= 500)
    remedy = "" if detail == title else detail
    retryable = response.status_code in (429, 503)
    if entries:
        return InvalidInput(code, title, remedy, retryable, tuple(entries))
    return ContentError(code, title, remedy, retryable)
