"""What the API answers, as types. Members that a later release adds are there at run time and ignored here."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Me(TypedDict):
    tenant: str
    subject: str
    scopes: list[str]
    device_id: str | None


class Package(TypedDict):
    """`version` is the newest published one."""

    package_id: str
    course_id: str
    kind: str
    version: int | None
    created_at: str
    policy: str | None


class Version(TypedDict):
    """`report` comes with a single version, not in lists."""

    package_id: str
    version: int
    state: str
    draft_id: str | None
    revision: int | None
    import_id: str | None
    title: dict[str, str] | None
    languages: list[str] | None
    manifest_digest: str | None
    manifest_bytes: int | None
    total_bytes: int | None
    report: Any
    created_at: str
    published_at: str | None
    withdrawn_at: str | None
    withdrawn_reason: str | None


class Asset(TypedDict):
    asset: str
    role: str
    media_type: str
    digest: str
    size_bytes: int


class SignedUrl(TypedDict):
    url: str
    expires_in_s: int


class BuildAccepted(TypedDict):
    job_id: str
    package_id: str
    version: int


class Finding(TypedDict):
    pointer: str
    code: str
    message: str
    severity: str


class Judgement(TypedDict):
    """What was found in a draft."""

    valid: bool
    errors: list[Finding]
    warnings: list[Finding]


class Location(TypedDict):
    """A blob on the edge: `path` below `bundles/{tenant}/`, its size in bytes, its digest, a signed URL."""

    path: str
    size: int
    digest: str
    url: str


class UnitInPlan(TypedDict):
    """`state` is whole, reduced, variant or left-out."""

    id: str
    title: dict[str, str]
    state: str
    bytes: int
    plain_bytes: int


class Plan(TypedDict):
    """What of a version fits a space; `steps` is what was taken away for it."""

    package_id: str
    version: int
    profile: str
    plan_id: str
    planned_profile: str
    space_bytes: int | None
    bytes: int
    plain_bytes: int
    least_bytes: int
    downloads: list[dict[str, Any]]
    units: list[UnitInPlan]
    assets: list[dict[str, Any]]
    steps: list[dict[str, Any]]


class BundlesRequested(TypedDict):
    """`plan_id` is null without a space."""

    package_id: str
    version: int
    profile: str
    plan_id: str | None
    bundles: list[BundleRow]


class BundleRow(TypedDict):
    """A bundle in a list."""

    bundle_id: str
    package_id: str
    version: int
    enrollment_id: NotRequired[str]
    learner_id: NotRequired[str]
    device_id: str
    profile: str
    policy: NotRequired[str]
    state: str
    index_digest: NotRequired[str | None]
    total_bytes: int | None
    problem: NotRequired[dict[str, Any] | None]


class BundleOffer(BundleRow):
    """What a device needs to download one bundle; `licence` is the signed text, byte for byte."""

    issue: int
    licence: str
    signature: dict[str, Any]
    new_bytes: int
    index: Location
    parts: list[Location]
    urls_expire_in_s: int
    lists: NotRequired[SignedLists | None]


class SignedDocument(TypedDict):
    """A document's text, byte for byte as it was signed, and its signature object."""

    document: str
    signature: dict[str, Any]


class TrustLists(TypedDict):
    """Trust lists in ascending order (general JSON JWS) and the newest revocation list."""

    chain: list[dict[str, Any]]
    revocations: SignedDocument


class SignedList(TypedDict):
    """A revocation list as the API sends it: whole, or as what leads to it from the one that was named."""

    document: str | None
    delta: str | None
    signature: dict[str, Any]


class SignedLists(TypedDict):
    """Trust lists and a revocation list as the API sends them."""

    chain: list[dict[str, Any]]
    revocations: SignedList


class Revocation(TypedDict):
    """Something that was taken back; `listed` is [trust version, n] of the first list that names it."""

    kind: str
    subject: str
    cause: str
    reason: str
    revoked_at: str
    until: str | None
    listed: list[int] | None


class Rotation(TypedDict):
    """What was done to a tenant's keys; the job signs licences again."""

    kind: str
    kid: str
    replaced: str | None
    begins: str
    trust_version: int
    revocations: list[int] | None
    job_id: str | None


class LicenceStatus(TypedDict):
    """The state of a licence: ready, active, expired, returned, revoked or cancelled."""

    bundle_id: str
    issue: int
    status: str
    message: str
    not_after: str
    days_left: int
    renewable_until: str | None
    renewing: bool
    registered_at: str | None
    returned_at: str | None
    updated: str
    events: list[dict[str, Any]]


class TamperReport(TypedDict):
    """What a device or the service found changed."""

    report_id: str
    source: str
    device_id: str | None
    bundle_id: str | None
    code: str
    path: str | None
    details: dict[str, Any]
    healed: bool | None
    observed_at: str
    received_at: str


class Challenge(TypedDict):
    """To be answered by a registration."""

    nonce: str
    challenge: str
    expires_in_s: int


class DeviceRow(TypedDict):
    device_id: str
    learner_id: str
    profile: str
    state: str
    registered_at: NotRequired[str]
    revoked_at: NotRequired[str | None]


class BundleForesight(TypedDict):
    bundle_id: str
    package_id: str
    version: int
    new: bool
    fetch: int
    size: int


class DeviceForesight(TypedDict):
    """What a device's next sync would do, in bytes, if it holds `holds`."""

    bundles: list[BundleForesight]
    fetch: int
    now: int
    peak: int
    after: int
    deletes: list[str]
    holds: list[str]
    unknown: list[str]


class Registered(DeviceRow):
    """A device that has just registered, and the trust lists it begins with."""

    bundles_planned: NotRequired[int]
    trust_chain: NotRequired[list[dict[str, Any]]]


class Enrolment(TypedDict):
    enrollment_id: str
    learner_id: str
    course_id: str
    state: str
    starts_at: str | None
    ends_at: str | None
    created_at: str


class Tenant(TypedDict):
    """`settings`, `limits` and `keys` come with a single tenant, not in lists."""

    tenant: str
    region: str
    policy: str | None
    created_at: str
    settings: NotRequired[dict[str, Any]]
    limits: NotRequired[dict[str, Any]]
    keys: NotRequired[list[dict[str, Any]]]


class AuditEntry(TypedDict):
    n: int
    at: str
    actor: str
    recorded_actor: str
    action: str
    details: dict[str, Any]
    previous: str
    hash: str


class Verification(TypedDict):
    """`head` is the hash of the last entry looked at: note it, and compare it the next time."""

    valid: bool
    first: int | None
    last: int | None
    head: str | None
    broken_at: int | None
    next: int | None


class Job(TypedDict):
    """Long work; `progress` from 0 to 1, `problem` where it failed."""

    job_id: str
    kind: str
    subject: dict[str, Any]
    state: str
    attempt: int
    progress: float
    message: str
    result: dict[str, Any] | None
    problem: dict[str, Any] | None
    created_at: str
    updated_at: str
    trace_id: str | None


class Export(TypedDict):
    """`state` is planned, ready, failed or withdrawn; `job_id` the job that makes it."""

    export_id: str
    package_id: str
    version: int
    format: str
    options: dict[str, Any]
    published: bool
    state: str
    job_id: str
    size_bytes: int | None
    digest: str | None
    problem: dict[str, Any] | None
    created_at: str
    ready_at: str | None
    withdrawn_at: str | None


class Download(TypedDict):
    url: str
    file_name: str
    expires_in_s: int


class Site(TypedDict):
    """`link` opens it without a token."""

    url: str
    link: str
    expires_in_s: int


class ExportShown(Export):
    """`download` is null unless it is ready, `site` unless it is published, too."""

    passport: dict[str, Any] | None
    download: Download | None
    site: Site | None


class Import(TypedDict):
    """`state` is uploading, importing, accepted, superseded, refused or failed."""

    import_id: str
    file_name: str
    size_bytes: int
    digest: str | None
    course_id: str | None
    state: str
    job_id: str | None
    edition: str | None
    title: str | None
    package_id: str | None
    version: int | None
    problem: dict[str, Any] | None
    created_at: str
    completed_at: str | None
    ended_at: str | None
    removed_at: str | None
    links: dict[str, str]


class UploadedPiece(TypedDict):
    """`digest` as it was said last."""

    number: int
    size_bytes: int
    digest: str | None


class UploadState(TypedDict):
    """How far an upload is."""

    piece_bytes: int
    pieces: int
    uploaded: list[UploadedPiece]


class Part(TypedDict):
    """Where one piece is to be PUT, with which header fields."""

    number: int
    size_bytes: int
    url: str
    headers: dict[str, str]


class Parts(TypedDict):
    """Addresses for pieces, and for how long they work."""

    parts: list[Part]
    expires_in_s: int


class ImportShown(Import):
    """`upload` says what is there, while it is uploading."""

    upload: UploadState | None


class ImportAsked(Import):
    """With the addresses of the pieces that were named."""

    upload: UploadState
    parts: list[Part]
    expires_in_s: int


class Preview(TypedDict):
    """`state` is planned, ready, failed or expired; `job_id` the job that makes it."""

    preview_id: str
    draft_id: str
    revision: int
    state: str
    job_id: str
    draft_digest: str | None
    problem: dict[str, Any] | None
    created_at: str
    expires_at: str | None


class PreviewShown(Preview):
    """`url` opens it without a token, until it ends; it and `report` are null unless it is ready."""

    report: dict[str, Any] | None
    url: str | None


class RebundleEstimate(TypedDict):
    """What making bundles anew would cost; `minutes` is None where nothing tells the rate."""

    bundles: int
    payloads: int
    bytes_written: int
    signature_calls: int
    minutes: float | None


class Queue(TypedDict):
    """A work queue, counted over all tenants; `held` entries failed in a way nobody expected."""

    name: str
    paused_at: str | None
    paused_by: str | None
    waiting: int
    running: int
    failed: int
    held: int
    oldest: str | None


class Webhook(TypedDict):
    webhook_id: str
    url: str
    types: list[str]
    description: str
    state: str
    reason: str
    failing_since: str | None
    created_at: str
    updated_at: str


class WebhookWithSecret(Webhook):
    secret: str


class Delivery(TypedDict):
    """An event that a webhook is owed; `log` holds its attempts."""

    event_id: str
    type: str
    state: str
    attempts: int
    next_attempt_at: str | None
    created_at: str
    ended_at: str | None
    log: list[dict[str, Any]]


class Restore(TypedDict):
    job_id: str
    state: str
    progress: float
    message: str


class Hold(TypedDict):
    hold_id: str
    package_id: str | None
    reason: str
    by_operator: bool
    placed_at: str
    released_at: str | None
    release_reason: str | None
    job_id: str


class Erasure(TypedDict):
    erasure_id: str
    pseudonym: str
    state: str
    counts: dict[str, int]
    job_id: str
    requested_at: str
    done_at: str | None


class Deletion(TypedDict):
    tenant: str
    job_id: str
    state: str
    progress: float
    message: str
    closed_at: str
    deleted_at: str | None
    problem: dict[str, Any] | None


class ArchiveVerification(TypedDict):
    valid: bool
    segments: int
    entries: int
    last: int | None
    head: str | None
    broken: str | None
