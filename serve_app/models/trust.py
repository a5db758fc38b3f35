"""Revocations, rotations of keys, the life of a licence, and reports of what was found changed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from serve_app.models.base import Answer, Moment, Name, Question

RevocationKind = Literal["bundle", "device", "package", "version", "kid"]
Reason = Annotated[
    str, Field(min_length=1, max_length=1000, examples=["The phone was stolen."], description="For the audit log.")
]


ListVersion = Annotated[tuple[int, ...], Field(min_length=2, max_length=2, description="[trust version, n] of a list.")]


class NewRevocation(Question):
    """What is to be taken back. A version is named by its package and number."""

    kind: Literal["bundle", "device", "package", "version"]
    id: Name = Field(description="Of the bundle, device or package.", examples=["bnd_0f8k2m4q6s8u0a2c4e6g8i0k2m"])
    version: int | None = Field(None, ge=1, le=2**31 - 1, description="For the kind `version`.", examples=[None])
    reason: Reason


class Revocation(Answer):
    """Something that was taken back, and the list that says so first: [trust version, n]; null until it is signed."""

    kind: RevocationKind
    subject: str
    cause: Literal["operator", "enrolment", "device", "returned", "emergency"]
    reason: str
    revoked_at: Moment
    until: Moment | None = Field(description="When no licence can need the entry any more; null: it stays.")
    listed: ListVersion | None = Field(examples=[(1, 4)])


class NewRotation(Question):
    """What is to happen to the tenant's keys."""

    kind: Literal["scheduled", "root", "emergency", "drill"]
    reason: Reason
    kid: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{43}$",
        description="emergency: the signing key to revoke; null: the one in use.",
        examples=[None],
    )
    lead_s: int | None = Field(
        None, ge=0, le=366 * 86_400, description="scheduled: when the next key begins; null: as the service does."
    )


class Rotation(Answer):
    """What was done, and the job that signs again what the revoked key had signed."""

    kind: Literal["scheduled", "root", "emergency", "drill"]
    kid: str = Field(description="The new key.")
    replaced: str | None = Field(description="The key that was revoked, or that is followed.")
    begins: Moment
    trust_version: int
    revocations: ListVersion | None = Field(examples=[(2, 1)])
    job_id: str | None


class LicenceEvent(Answer):
    """Something that happened to a licence."""

    type: Literal["register", "renew", "return", "revoke", "cancel"]
    at: Moment
    device_id: str | None


class LicenceStatus(Answer):
    """The state of a licence, in the words of Readium LCP's licence status document."""

    bundle_id: str
    issue: int = Field(description="Of the newest licence; a renewed one has the next.")
    status: Literal["ready", "active", "expired", "returned", "revoked", "cancelled"]
    message: str = Field(description="One sentence for the learner or teacher.")
    not_after: Moment
    days_left: int
    renewable_until: Moment | None = Field(
        description="Until when it could be made to last; null: it cannot be renewed."
    )
    renewing: bool = Field(description="A longer licence is asked for and not issued yet.")
    registered_at: Moment | None
    returned_at: Moment | None
    updated: Moment = Field(description="When the newest licence was issued.")
    events: tuple[LicenceEvent, ...]


class Revoked(Answer):
    """Whether a tenant has taken something back, as far as this region has heard."""

    tenant: str
    kind: RevocationKind
    id: str
    revoked: bool
    issued_at: Moment | None = Field(description="When it was taken back, or when the list that names it was signed.")


class Renewal(Question):
    """How long the licence is wanted; null: as long as may be."""

    end: AwareDatetime | None = Field(None, examples=[None])


class NewTamperReport(Question):
    """`report` is the JWS of docs/bundle-format.md, "Tamper report"."""

    report: str = Field(max_length=8192)


class TamperReport(Answer):
    """What was found changed, by a device or by the service in its own store."""

    report_id: str
    source: Literal["device", "scrub"]
    device_id: str | None
    bundle_id: str | None
    code: str = Field(examples=["segment-digest"], description="The check that failed, as the bundle format names it.")
    path: str | None
    details: dict[str, Any]
    healed: bool | None = Field(description="scrub: whether the stored part could be made whole.")
    observed_at: Moment
    received_at: Moment


class NewEpoch(Question):
    """Why the content keys of a package are not to be used for the next version."""

    reason: Reason


class Epoch(Answer):
    """How many scopes (devices and profiles) of a package get another content key with its next version."""

    package_id: str
    scopes: int
