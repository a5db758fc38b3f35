"""The neighbouring services: their contracts (paths and shapes), and the clients that a build uses. The one place of both.

Every call has a timeout, is tried again with growing, jittered pauses where that can help, reads no more than a stated
number of bytes, and follows no redirect (a neighbour must not send us elsewhere). Answers are parsed into frozen models
that keep known fields only, so that what is stored with a build depends on nothing else. A neighbour that is away is a
NeighbourError with `retryable`; one that breaks its contract is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

import httpx
import stamina
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cluster.settings import Settings
from content.errors import ContentError

ATTEMPTS = 4
CHUNK_BYTES = 1 << 20

T = TypeVar("T")
M = TypeVar("M", bound="Contract")


@dataclass(eq=False)
class NeighbourError(ContentError):
    """A neighbour that is away, knows nothing of what was asked, or answers what its contract does not allow.

    Codes: `neighbour-unavailable` (retryable), `neighbour-not-found`, `neighbour-refused`, `neighbour-redirect`,
    `neighbour-too-large`, `neighbour-contract`.
    """

    service: str = ""
    status: int = 0


class Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def document(self) -> dict[str, Any]:
        """JSON of the known fields; what is absent is left out."""
        return self.model_dump(mode="json", exclude_none=True)


class Listing(Contract):
    """catalog-service's entry for a course. `policy` decides how its bundles are encrypted, unless a tenant says more."""

    course_id: str
    title: dict[str, str] = Field(default_factory=dict[str, str])
    policy: Literal["device", "shared"] | None = None
    categories: tuple[str, ...] = ()
    level: str | None = None


class AssistantBlock(Contract):
    """An assistant block of a draft: its id, its purpose by language, and the ids of the blocks it answers from."""

    id: str
    purpose: dict[str, str]
    grounding: tuple[str, ...] = ()


class AssistantRequest(Contract):
    tenant_id: str
    course_id: str
    blocks: tuple[AssistantBlock, ...]


class AssistantEntry(Contract):
    id: str
    instructions: dict[str, str]
    grounding: tuple[str, ...] = ()


class AssistantSettings(Contract):
    """ai-gateway's answer: what the player's assistant is to be configured with."""

    model: str
    max_answer_tokens: int = Field(ge=1)
    assistants: tuple[AssistantEntry, ...]


class OriginalFacts(Contract):
    """What media-service says of an original: `sha256:<hex>`, its size in bytes, its media type."""

    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    size: int = Field(ge=0)
    media_type: str = "application/octet-stream"


class HeardEvent(Contract):
    """An event as sync-service recorded it, once per id, in the order it came."""

    subject: str
    received_at: str
    deliveries: int
    event: dict[str, Any]


class HeardEvents(Contract):
    events: tuple[HeardEvent, ...]


# Paths below each service's URL; the local stubs serve the same ones.
def draft_path(tenant: str, draft_id: str, revision: int) -> str:
    return f"/v1/tenants/{quote(tenant, safe='')}/drafts/{quote(draft_id, safe='')}/revisions/{revision}"


def original_path(tenant: str, asset: str) -> str:
    return f"/v1/tenants/{quote(tenant, safe='')}/originals/{quote(asset, safe='')}"


def facts_path(tenant: str, asset: str) -> str:
    return f"{original_path(tenant, asset)}/facts"


def listing_path(tenant: str, course_id: str) -> str:
    return f"/v1/tenants/{quote(tenant, safe='')}/courses/{quote(course_id, safe='')}/listing"


ASSISTANT_PATH = "/v1/assistant-settings"
HEARD_PATH = "/v1/events"


class Neighbours:
    """Clients of all neighbours; blocking, safe to share between threads, closed by the `with` that made it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # identity: a compressed answer could grow beyond any limit while it is unpacked
        headers = {"accept-encoding": "identity", "user-agent": "content-service"}
        timeout = httpx.Timeout(settings.neighbour_timeout_s)
        self._http = httpx.Client(timeout=timeout, follow_redirects=False, headers=headers, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def draft(self, tenant: str, draft_id: str, revision: int) -> dict[str, Any]:
        """The published draft as authoring-service keeps it, unchecked. Raises NeighbourError."""
        answer = self._json("authoring", "GET", self._settings.authoring_url + draft_path(tenant, draft_id, revision))
        if not isinstance(answer, dict):
            raise _broken("authoring", "a draft is a JSON object")
        return answer  # pyright: ignore[reportUnknownVariableType]

    def listing(self, tenant: str, course_id: str) -> dict[str, Any]:
        """The course's `Listing` as JSON. Raises NeighbourError."""
        answer = self._json("catalog", "GET", self._settings.catalog_url + listing_path(tenant, course_id))
        return _parsed("catalog", Listing, answer).document()

    def assistant(self, tenant: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """`AssistantSettings` as JSON for {course_id, blocks}. Raises NeighbourError: the build then goes on without."""
        wanted = AssistantRequest.model_validate({**request, "tenant_id": tenant})
        answer = self._json("ai-gateway", "POST", self._settings.ai_gateway_url + ASSISTANT_PATH, wanted.document())
        return _parsed("ai-gateway", AssistantSettings, answer).document()

    def original(self, tenant: str, asset: str) -> OriginalFacts:
        """What media-service says of an original, without its bytes. Raises NeighbourError."""
        url = self._settings.media_url + facts_path(tenant, asset)
        return _parsed("media", OriginalFacts, self._json("media", "GET", url))

    def heard(self, subject: str | None = None, device_id: str | None = None) -> tuple[HeardEvent, ...]:
        """What sync-service has heard from us; only the demo and tests ask."""
        wanted = {name: value for name, value in (("subject", subject), ("device_id", device_id)) if value}
        url = str(httpx.URL(self._settings.sync_url + HEARD_PATH, params=wanted))
        return _parsed("sync", HeardEvents, self._json("sync", "GET", url)).events

    def download_original(self, tenant: str, asset: str, target: Path) -> OriginalFacts:
        """Download an original into `target` in constant memory; the facts are those of the bytes.

        Raises NeighbourError (`neighbour-too-large` above `original_max_bytes`); nothing is left at `target` then.
        """
        url = self._settings.media_url + original_path(tenant, asset)
        try:
            return self._again(lambda: self._download(url, target))
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _download(self, url: str, target: Path) -> OriginalFacts:
        hashed, size = hashlib.sha256(), 0
        with self._stream("media", "GET", url) as response, target.open("wb") as file:
            for chunk in _limited("media", response, self._settings.original_max_bytes):
                hashed.update(chunk)
                file.write(chunk)
                size += len(chunk)
        promised = response.headers.get("content-length")
        if promised is not None and int(promised) != size:
            raise _away("media", "the download ended early")
        media_type = response.headers.get("content-type", "application/octet-stream").split(";")[0].strip()
        return OriginalFacts(digest=f"sha256:{hashed.hexdigest()}", size=size, media_type=media_type)

    def _json(self, service: str, method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
        def once() -> Any:
            with self._stream(service, method, url, body) as response:
                data = b"".join(_limited(service, response, self._settings.neighbour_max_json_bytes))
            try:
                return httpx.Response(200, content=data).json()
            except ValueError as error:
                raise _broken(service, "its answer is not JSON") from error

        return self._again(once)

    def _again(self, call: Callable[[], T]) -> T:
        for attempt in stamina.retry_context(
            on=_worth_another_try, attempts=ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=5.0, wait_jitter=0.5
        ):
            with attempt:
                return call()
        raise AssertionError("a retry context ends with a result or an error")

    @contextmanager
    def _stream(
        self, service: str, method: str, url: str, body: Mapping[str, Any] | None = None
    ) -> Iterator[httpx.Response]:
        try:
            with self._http.stream(method, url, json=body) as response:
                _check(service, response)
                yield response
        except httpx.TransportError as error:
            raise _away(service, f"{type(error).__name__}: {error}") from error


def _check(service: str, response: httpx.Response) -> None:
    status = response.status_code
    if status == 404:
        raise NeighbourError(
            "neighbour-not-found", f"{service} does not know {response.url.path}.", "", False, service, status
        )
    if response.is_redirect:
        raise NeighbourError(
            "neighbour-redirect",
            f"{service} redirects, which is never followed.",
            "Correct its URL in the settings.",
            False,
            service,
            status,
        )
    if status == 429 or status >= 500:
        raise _away(service, f"it answers {status}", status)
    if status >= 400:
        raise NeighbourError("neighbour-refused", f"{service} answers {status}.", "", False, service, status)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _broken(service, "it compressed its answer although asked not to")


def _limited(service: str, response: httpx.Response, limit_bytes: int) -> Iterator[bytes]:
    """The body's bytes, no more than the limit, and none if it says beforehand that it is larger."""
    too_large = NeighbourError(
        "neighbour-too-large",
        f"{service} sends more than {limit_bytes} bytes.",
        "Make it smaller, or raise the limit.",
        False,
        service,
    )
    if int(response.headers.get("content-length", "0")) > limit_bytes:
        raise too_large
    size = 0
    for chunk in response.iter_raw(CHUNK_BYTES):
        size += len(chunk)
        if size > limit_bytes:
            raise too_large
        yield chunk


def _parsed(service: str, model: type[M], answer: Any) -> M:
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _broken(service, f"{'/'.join(str(at) for at in first['loc'])}: {first['msg']}") from error


def _worth_another_try(error: Exception) -> bool:
    return isinstance(error, NeighbourError) and error.retryable


def _away(service: str, why: str, status: int = 0) -> NeighbourError:
    return NeighbourError(
        "neighbour-unavailable", f"{service} cannot be reached: {why}.", "Try again later.", True, service, status
    )


def _broken(service: str, why: str) -> NeighbourError:
    return NeighbourError("neighbour-contract", f"{service} breaks its contract: {why}.", "", False, service)
