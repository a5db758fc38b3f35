"""Tenants: their settings and limits, keys, lists, and the audit log."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from content.origins import MOST, Origin
from content.quality import RULES
from serve_app.models.base import Answer, Moment, Policy, Question

TENANT = r"^[a-z0-9][a-z0-9-]{1,38}$"
SITE_CSP = (
    "The Content-Security-Policy of its published exports, such as who may frame them. Each page's own policy holds beside it, "
    "so it can only forbid more. null: the service's own."
)
Region = Literal["us", "eu", "me", "ap"]
WHO_HOLDS_THE_KEY: Any = Field(
    None,
    description="`device`: each device has a content key and parts of its own. `shared`: all devices of a profile share "
    "them, so that many cost little more than one. null: as the catalog lists the course, else as the service does.",
)


def _known_finding(code: str) -> str:
    if code not in RULES:
        known = ", ".join(sorted(RULES))
        raise PydanticCustomError(
            "finding-unknown",
            "“{code}” is no finding of the quality report; there are {known}.",
            {"code": code, "known": known},
        )
    return code


FindingCode = Annotated[str, AfterValidator(_known_finding), Field(max_length=64, examples=["captions-missing"])]


class NewTenant(Question):
    """What an operator says of a tenant."""

    tenant: str = Field(pattern=TENANT, examples=["acme"])
    region: Region = "eu"
    policy: Policy | None = WHO_HOLDS_THE_KEY


class Limits(Answer):
    """What a tenant may use; null is the service's default."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    devices_per_learner: int | None = Field(None, ge=1, le=1000, description="Active devices of one learner.")
    requests_per_minute: int | None = Field(None, ge=1, le=1_000_000, description="Requests to the API.")


class TenantSettings(Answer):
    """What a tenant decides for itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cors_origins: tuple[Origin, ...] = Field((), max_length=MOST, description="Whose pages may call the API.")
    drill: bool = Field(False, description="Made for drills: its keys may be revoked to see how long that takes.")
    site_csp: str | None = Field(None, description=SITE_CSP)
    failing_findings: tuple[str, ...] = Field(
        (), description="Findings of the quality report with which no course is published (docs/quality.md)."
    )


class LimitsPatch(Question):
    """Members that are left out stay; null takes the service's default."""

    devices_per_learner: int | None = Field(None, ge=1, le=1000, examples=[5])
    requests_per_minute: int | None = Field(None, ge=1, le=1_000_000, examples=[600])


class SettingsPatch(Question):
    """Members that are left out stay."""

    cors_origins: tuple[Origin, ...] = Field((), max_length=MOST)
    drill: bool = False
    site_csp: str | None = Field(
        None, min_length=1, max_length=2000, pattern=r"^[ -~]+$", description=SITE_CSP,
        examples=["frame-ancestors https://lms.example"],
    )  # fmt: skip
    failing_findings: tuple[FindingCode, ...] = Field((), max_length=len(RULES), examples=[["captions-missing"]])


class TenantPatch(Question):
    """A JSON merge patch (RFC 7396) of settings and limits."""

    settings: SettingsPatch | None = None
    limits: LimitsPatch | None = None
    policy: Policy | None = WHO_HOLDS_THE_KEY


class SigningKey(Answer):
    """The public side of a key of the tenant."""

    kid: str
    purpose: Literal["signing", "root"]
    status: Literal["active", "retired", "revoked"]
    not_before: Moment
    not_after: Moment


class TenantRow(Answer):
    """A tenant in a list."""

    tenant: str = Field(examples=["acme"])
    region: Region
    policy: Policy | None
    created_at: Moment


class Tenant(TenantRow):
    """A tenant with its settings, limits and keys."""

    settings: TenantSettings
    limits: Limits
    updated_at: Moment | None
    keys: tuple[SigningKey, ...]


class SignedDocument(Answer):
    """A document's text, byte for byte as it was signed, and its signature object."""

    document: str
    signature: dict[str, Any]


class SignedList(Answer):
    """A revocation list, as a whole (`document`) or as what leads to it from the one that was named (`delta`), each byte for
    byte; and its signature object."""

    document: str | None
    delta: str | None
    signature: dict[str, Any]


class TrustLists(Answer):
    """Trust lists in ascending order (general JSON JWS) and the newest revocation list."""

    chain: tuple[dict[str, Any], ...]
    revocations: SignedList


class Jwk(Answer):
    """A public key (RFC 7517)."""

    kty: str = "EC"
    crv: str = "P-256"
    x: str
    y: str
    kid: str
    alg: str = "ES256"
    use: str = "sig"


class Jwks(Answer):
    """The signing keys in use. What they signed is trusted by way of the trust lists, not of this."""

    keys: tuple[Jwk, ...]


class Entry(Answer):
    """One entry of the audit log: who did what, when, in which request; `hash` covers it and `previous`."""

    n: int = Field(examples=[17])
    at: Moment
    actor: str = Field(description="The subject of the token; of somebody who was erased, their pseudonym.")
    recorded_actor: str = Field(
        description="As it stands in the log, where `hash` covers it: people by their pseudonyms."
    )
    action: str = Field(examples=["version.withdrawn"])
    details: dict[str, Any]
    previous: str
    hash: str


class Verification(Answer):
    """Whether a stretch of the chain holds. Compare `head` with one that you noted before."""

    valid: bool
    first: int | None = Field(description="The number of the first entry looked at.")
    last: int | None
    head: str | None = Field(description="The hash of the last entry looked at.")
    broken_at: int | None = Field(description="The first entry that is not as it was written.")
    next: int | None = Field(description="Where to go on (`after`), if there is more.")


class Me(Answer):
    """Who is asking, as the service sees it."""

    tenant: str
    subject: str
    scopes: tuple[str, ...]
    device_id: str | None
