"""The neighbouring services: their contracts (paths and shapes), and the clients that a build uses. The one place of both.

Every call has a deadline over all its tries, is tried again with growing, jittered pauses where that can help (or after
the `Retry-After` it was given), reads no more than a stated number of bytes, follows no redirect, and connects to no
host but the configured ones. A service that failed several times in a row is left alone for a while
(`cluster.breaker`). How is in `cluster.neighbour_calls`. Answers are parsed into frozen models that keep known fields only, so that what is stored with a
build depends on nothing else. A neighbour that is away is a NeighbourError with `retryable`; one that breaks its
contract is not. In words: docs/neighbours.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cluster.breaker import Breakers
from cluster.neighbour_calls import ATTEMPTS, PROCESS_BREAKERS, Calls, NeighbourError, broken, too_large
from cluster.settings import Settings

__all__ = ["ATTEMPTS", "NeighbourError", "Neighbours"]

M = TypeVar("M", bound="Contract")


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


class Holding(Contract):
    """A device, and the newest bundle of the package that it holds and has verified, as it last told sync-service."""

    device_id: str = Field(min_length=1, max_length=256)
    bundle_id: str = Field(pattern=r"^bnd_[a-z0-9]{26}$")


class HoldingsRequest(Contract):
    package_id: str
    device_ids: tuple[str, ...]


class Holdings(Contract):
    """Devices that hold nothing of the package, or are not known, are left out."""

    holdings: tuple[Holding, ...]


# Paths below each service's URL; the local stubs serve the same ones.
def draft_path(tenant: str, draft_id: str, revision: int) -> str:
    return f"/v1/tenants/{quote(tenant, safe='')}/drafts/{quote(draft_id, safe='')}/revisions/{revision}"


def original_path(tenant: str, asset: str) -> str:
    return f"/v1/tenants/{quote(tenant, safe='')}/originals/{quote(asset, safe='')}"


def facts_path(tenant: str, asset: str) -> str:
    return f"{original_path(tenant, asset)}/facts"


def listing_path(tenant: str, course_id: str) -> str:
    return f"/v1/tenants/{quote(tenant, safe='')}/courses/{quote(course_id, safe='')}/listing"


def holdings_path(tenant: str) -> str:
    return f"/v1/tenants/{quote(tenant, safe='')}/holdings"


def holding_path(tenant: str, package_id: str, device_id: str) -> str:
    """Of the local stub alone: how devices tell sync-service what they hold is between the two."""
    segments = (quote(each, safe="") for each in (tenant, package_id, device_id))
    return "/v1/tenants/{}/packages/{}/devices/{}/holding".format(*segments)


SERVICES = ("authoring", "media", "catalog", "ai-gateway", "sync")


def addresses(settings: Settings) -> dict[str, str]:
    """The address of each; empty where it is not set."""
    return {service: getattr(settings, f"{service.replace('-', '_')}_url") for service in SERVICES}


ASSISTANT_PATH = "/v1/assistant-settings"
HEARD_PATH = "/v1/events"


class Neighbours:
    """Clients of all neighbours; blocking, safe to share between threads, closed by the `with` that made it."""

    def __init__(self, settings: Settings, breakers: Breakers = PROCESS_BREAKERS) -> None:
        self._settings = settings
        self._calls = Calls(settings, addresses(settings), breakers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._calls.close()

    def draft(self, tenant: str, draft_id: str, revision: int) -> dict[str, Any]:
        """The published draft as authoring-service keeps it, unchecked. Raises NeighbourError."""
        answer = self._calls.json("authoring", "GET", draft_path(tenant, draft_id, revision))
        if not isinstance(answer, dict):
            raise broken("authoring", "a draft is a JSON object")
        return answer  # pyright: ignore[reportUnknownVariableType]

    def listing(self, tenant: str, course_id: str) -> dict[str, Any]:
        """The course's `Listing` as JSON. Raises NeighbourError."""
        return _parsed(
            "catalog", Listing, self._calls.json("catalog", "GET", listing_path(tenant, course_id))
        ).document()

    def assistant(self, tenant: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """`AssistantSettings` as JSON for {course_id, blocks}. Raises NeighbourError: the build then goes on without."""
        wanted = AssistantRequest.model_validate({**request, "tenant_id": tenant})
        answer = self._calls.json("ai-gateway", "POST", ASSISTANT_PATH, wanted.document())
        return _parsed("ai-gateway", AssistantSettings, answer).document()

    def original(self, tenant: str, asset: str) -> OriginalFacts:
        """What media-service says of an original, without its bytes.

        Raises NeighbourError: `neighbour-too-large` before a byte is fetched of one above `original_max_bytes`.
        """
        facts = _parsed("media", OriginalFacts, self._calls.json("media", "GET", facts_path(tenant, asset)))
        if facts.size > self._settings.original_max_bytes:
            raise too_large("media", self._settings.original_max_bytes)
        return facts

    def holdings(self, tenant: str, package_id: str, device_ids: Sequence[str]) -> dict[str, str]:
        """The bundle of a package that each of these devices holds, by device, where sync-service knows of one.

        Raises NeighbourError, after `holdings_deadline_s` at the latest: bundles are made without it.
        """
        wanted = HoldingsRequest(package_id=package_id, device_ids=tuple(device_ids)).document()
        within_s, path = self._settings.holdings_deadline_s, holdings_path(tenant)
        found = _parsed("sync", Holdings, self._calls.json("sync", "POST", path, wanted, within_s=within_s))
        return {each.device_id: each.bundle_id for each in found.holdings}

    def heard(self, subject: str | None = None, device_id: str | None = None) -> tuple[HeardEvent, ...]:
        """What sync-service has heard from us; only the demo and tests ask."""
        wanted = {name: value for name, value in (("subject", subject), ("device_id", device_id)) if value}
        path = f"{HEARD_PATH}?{urlencode(wanted)}" if wanted else HEARD_PATH
        return _parsed("sync", HeardEvents, self._calls.json("sync", "GET", path)).events

    def download_original(self, tenant: str, asset: str, target: Path, most_bytes: int | None = None) -> OriginalFacts:
        """Download an original into `target` in constant memory; the facts are those of the bytes.

        Raises NeighbourError (`neighbour-too-large` above `original_max_bytes` or `most_bytes`); nothing is left at
        `target` then.
        """
        limit = self._settings.original_max_bytes
        limit = limit if most_bytes is None else min(limit, most_bytes)
        got = self._calls.download("media", original_path(tenant, asset), target, limit)
        return OriginalFacts(digest=got.digest, size=got.size_bytes, media_type=got.media_type)


def _parsed(service: str, model: type[M], answer: Any) -> M:
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise broken(service, f"{'/'.join(str(at) for at in first['loc'])}: {first['msg']}") from error
