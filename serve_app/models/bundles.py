"""Bundles, devices and enrolments."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from content.media.choose import PROFILES
from serve_app.models.base import Answer, Digest, Failure, Moment, Question
from serve_app.models.tenants import TrustLists

BundleState = Literal["planned", "claimed", "ready", "superseded", "failed", "cancelled"]


BundleId = Annotated[str, Field(pattern=r"^bnd_[a-z0-9]{26}$", examples=["bnd_0f8k2m4q6s8u0a2c4e6g8i0k2m"])]


class Bundle(Answer):
    """One version of a package for one device of one enrolment."""

    bundle_id: str = Field(examples=["bnd_0f8k2m4q6s8u0a2c4e6g8i0k2m"])
    package_id: str
    version: int
    enrollment_id: str
    learner_id: str
    device_id: str
    profile: str = Field(examples=["phone"])
    policy: Literal["device", "shared"]
    state: BundleState
    index_digest: Digest | None
    total_bytes: int | None
    problem: Failure | None
    created_at: Moment
    ready_at: Moment | None


class Blob(Answer):
    """A file on the edge: `path` below `bundles/{tenant}/`, size in bytes, digest, and a signed URL."""

    path: str
    size: int
    digest: Digest
    url: str


class BundleOffer(Bundle):
    """What a device needs to download a bundle; `licence` is the signed text, byte for byte."""

    issue: int
    licence: str
    signature: dict[str, Any]
    new_bytes: int = Field(
        description="What a device fetches that has what this one goes on from: the index and what changed."
    )
    index: Blob
    parts: tuple[Blob, ...]
    urls_expire_in_s: int
    lists: TrustLists | None = Field(
        description="Trust and revocation lists that are newer than `lists_since`, if that was asked for."
    )


class BundleForesight(Answer):
    """A bundle that the sync takes: `fetch` of its `size` bytes come over the network. `new`: not on the device yet."""

    bundle_id: str
    package_id: str
    version: int
    new: bool
    fetch: int
    size: int


class DeviceForesight(Answer):
    """What a sync would do, in bytes: to fetch, on the disk now, at the fullest and afterwards."""

    bundles: tuple[BundleForesight, ...]
    fetch: int
    now: int
    peak: int
    after: int
    deletes: tuple[str, ...] = Field(
        description="Paths of the blobs that will go, below `bundles/{tenant}/` on the edge."
    )
    holds: tuple[str, ...] = Field(description="The bundles that this counts as being on the device.")
    unknown: tuple[str, ...] = Field(description="What was named in `holds` and was never made for this device.")


class Device(Answer):
    """A registered device. A revoked one gets nothing more, and what it holds opens no more once it hears of that."""

    device_id: str
    learner_id: str
    profile: str = Field(examples=["phone"])
    state: Literal["active", "revoked"]
    registered_at: Moment
    revoked_at: Moment | None


class Registered(Device):
    """The device, how many bundles were planned for it, and the trust lists it begins with."""

    bundles_planned: int
    trust_chain: tuple[dict[str, Any], ...]


class ChallengeRequest(Question):
    """The device's public encryption key, a P-256 JWK."""

    encryption: dict[str, Any] = Field(examples=[{"crv": "P-256", "kty": "EC", "x": "…", "y": "…"}])


class Challenge(Answer):
    """Answer within `expires_in_s`: sign the nonce and what the challenge holds."""

    nonce: str
    challenge: str = Field(description="A JWE for the device's encryption key.")
    expires_in_s: int = Field(examples=[300])


class NewDevice(Question):
    """`registration` is the JWS of docs/bundle-format.md, "Device registration"."""

    nonce: str = Field(min_length=16, max_length=128)
    registration: str = Field(max_length=4096)
    profile: str = Field(default="phone", max_length=64, examples=list(PROFILES))


class Enrolment(Answer):
    """What a neighbour said of a learner and a course."""

    enrollment_id: str
    learner_id: str
    course_id: str
    state: Literal["active", "cancelled"]
    starts_at: Moment | None
    ends_at: Moment | None
    created_at: Moment
