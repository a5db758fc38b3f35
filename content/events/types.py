"""The event types of this service and of the neighbours it listens to, one model each, envelope and data.

The envelope is CloudEvents 1.0 (JSON format). `id` is the outbox row's and the message's id; `subject` is the key
within which events are in order; `sequence` (the CloudEvents extension, digits of fixed width) grows within it.
Fields that are not known here are kept and otherwise ignored: a neighbour may add some within a version.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from content.canonical import rfc3339
from content.pseudonyms import PATTERN, is_pseudonym

TENANT_PATTERN = r"^[a-z0-9][a-z0-9-]{1,38}$"
DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"
SEQUENCE_DIGITS = 20

Tenant = Annotated[str, Field(pattern=TENANT_PATTERN)]
Name = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""An id or name: printable, since Postgres and logs hold no control characters."""
Digest = Annotated[str, Field(pattern=DIGEST_PATTERN)]


def _of_their_own(name: str) -> str:
    if is_pseudonym(name):
        raise ValueError("this has the form of a pseudonym of ours")
    return name


Learner = Annotated[Name, AfterValidator(_of_their_own), Field(json_schema_extra={"not": {"pattern": PATTERN}})]
"""A person by the name that others know; a pseudonym of ours never comes from outside."""
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Size = Annotated[int, Field(ge=0)]


def _in_utc(moment: datetime) -> datetime:
    """The same moment in UTC; the year 10000 that some zones make of "no end" is no moment of ours."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the moment lies outside the years 1 to 9999 in UTC") from error


Moment = Annotated[
    AwareDatetime,
    AfterValidator(_in_utc),
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


class Data(_Model):
    """What every event's data has."""

    tenant_id: Tenant


class Envelope(_Model):
    """A CloudEvent. Subclasses fix `type` and the shape of `data`."""

    TYPE: ClassVar[str]
    ORDER_KEY: ClassVar[str]
    """The member of data whose value is the subject of an event of ours."""

    specversion: Literal["1.0"]
    id: Name
    source: Annotated[str, Field(min_length=1, max_length=1024)]
    subject: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    time: Moment | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    sequence: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    traceparent: Annotated[str, Field(max_length=256)] | None = None
    data: Any

    @property
    def tenant_id(self) -> str:
        return self.data.tenant_id

    @property
    def key(self) -> str:
        """The order key: the subject, or for neighbours that send none the member of data that stands for it."""
        return self.subject or str(getattr(self.data, self.ORDER_KEY))

    def number(self) -> int | None:
        """The sequence as a number, if it is one."""
        return int(self.sequence) if self.sequence and self.sequence.isascii() and self.sequence.isdigit() else None

    def document(self) -> dict[str, Any]:
        """JSON, with the fields that were not known when it was read."""
        return self.model_dump(mode="json", exclude_none=True)

    def agreed(self) -> dict[str, Any]:
        """The fields of the type alone, as JSON, for what can never be erased: whatever else a neighbour says may be about a
        person, and so may the subject, for which a member of data stands. Of what a type of ours nests, everything."""
        data: Data = self.data
        fields: dict[str, Any] = dict.fromkeys(type(self).model_fields.keys() - {"subject"}, True)
        fields["data"] = dict.fromkeys(type(data).model_fields, True)
        return self.model_dump(mode="json", exclude_none=True, include=fields)


class CourseDraftPublishedData(Data):
    course_id: Name
    draft_id: Name
    revision: Version
    published_at: Moment


class CourseDraftPublished(Envelope):
    """authoring-service: a revision of a draft is to become a package."""

    TYPE = "authoring.course_draft.published.v1"
    ORDER_KEY = "course_id"
    type: Literal["authoring.course_draft.published.v1"]
    data: CourseDraftPublishedData


class EnrollmentCreatedData(Data):
    enrollment_id: Name
    learner_id: Learner
    course_id: Name
    starts_at: Moment | None = None
    ends_at: Moment | None = None


class EnrollmentCreated(Envelope):
    """A learner may take a course, from and to a time if given."""

    TYPE = "enrollment.created.v1"
    ORDER_KEY = "enrollment_id"
    type: Literal["enrollment.created.v1"]
    data: EnrollmentCreatedData


class EnrollmentCancelledData(Data):
    enrollment_id: Name
    reason: Annotated[str, Field(max_length=1000)] = ""


class EnrollmentCancelled(Envelope):
    """The enrolment has ended before its time."""

    TYPE = "enrollment.cancelled.v1"
    ORDER_KEY = "enrollment_id"
    type: Literal["enrollment.cancelled.v1"]
    data: EnrollmentCancelledData


class PlayPackagePublishedData(Data):
    package_id: Name
    course_id: Name
    version: Version
    manifest_digest: Digest
    languages: tuple[Name, ...]
    bytes: Size
    """All stored files of the package, each once."""


class PlayPackagePublished(Envelope):
    """A package version is signed and stored."""

    TYPE = "content.play_package.published.v1"
    ORDER_KEY = "package_id"
    type: Literal["content.play_package.published.v1"]
    data: PlayPackagePublishedData


class PlayPackageWithdrawnData(Data):
    package_id: Name
    course_id: Name
    version: Version
    manifest_digest: Digest
    withdrawn_at: Moment


class PlayPackageWithdrawn(Envelope):
    """A package version was taken back: nothing new is made of it, and its manifest must not be served any more."""

    TYPE = "content.play_package.withdrawn.v1"
    ORDER_KEY = "package_id"
    type: Literal["content.play_package.withdrawn.v1"]
    data: PlayPackageWithdrawnData


class PlayPackageRemovedData(Data):
    """`folders` are keys of the store up to a `/`: `exports/acme/pkg_1/3/exp_1/`, or all of a tenant's packages."""

    folders: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)]
    reason: Literal["export-removed", "tenant-deleted"]
    removed_at: Moment


class PlayPackageRemoved(Envelope):
    """Files that were served are gone from the store: whoever keeps copies of what is below these folders must forget them."""

    TYPE = "content.play_package.removed.v1"
    ORDER_KEY = "tenant_id"
    type: Literal["content.play_package.removed.v1"]
    data: PlayPackageRemovedData


class Blob(_Model):
    """`path` is below the tenant's bundles; `size` in bytes."""

    path: Name
    size: Size
    digest: Digest


class BundlePublishedData(Data):
    bundle_id: Name
    issue: Version
    package_id: Name
    version: Version
    enrollment_id: Name
    learner_id: Name
    device_id: Name
    sequence: tuple[Size, Size, Size]
    """[epoch, package version, n] of the licence, compared in this order."""
    policy: Literal["device", "shared"]
    profile: Name
    index: Blob
    parts: tuple[Blob, ...]
    not_after: Moment


class BundlePublished(Envelope):
    """A device's bundle is ready to be downloaded."""

    TYPE = "content.play_package.bundle.published.v1"
    ORDER_KEY = "device_id"
    type: Literal["content.play_package.bundle.published.v1"]
    data: BundlePublishedData


class ExportFinishedData(Data):
    """`location` is the path of the export in the API, `size` and `digest` are of its file; null where there is none."""

    job_id: Name
    export_id: Name
    package_id: Name
    version: Version
    format: Name
    result: Literal["ready", "failed"]
    location: Annotated[str, Field(max_length=1024)] | None = None
    size: Size | None = None
    digest: Digest | None = None
    problem: dict[str, Any] | None = None
    """As in a problem detail: `code`, `title`, `detail`."""


class ExportFinished(Envelope):
    """An export is there, or could not be made."""

    TYPE = "content.export.finished.v1"
    ORDER_KEY = "job_id"
    type: Literal["content.export.finished.v1"]
    data: ExportFinishedData


class ImportFinishedData(Data):
    """`location` is the path of the import in the API. `package_id` and `version` where a version came of it."""

    job_id: Name
    import_id: Name
    file_name: Name
    result: Literal["accepted", "superseded", "refused", "failed"]
    location: Annotated[str, Field(max_length=1024)]
    course_id: Name | None = None
    package_id: Name | None = None
    version: Version | None = None
    edition: Name | None = None
    warnings: Size | None = None
    """How many; the report has them."""
    errors: tuple[Name, ...] = ()
    """Codes of the reasons for which a package was refused."""
    problem: dict[str, Any] | None = None
    """Why it failed, as in a problem detail: `code`, `title`, `detail`."""


class ImportFinished(Envelope):
    """A package of another tool was imported, or refused, or that failed."""

    TYPE = "content.import.finished.v1"
    ORDER_KEY = "job_id"
    type: Literal["content.import.finished.v1"]
    data: ImportFinishedData


class RevocationIssuedData(Data):
    version: tuple[Size, Size]
    """Of the revocation list: [trust version, n]."""
    issued_at: Moment
    bundles: tuple[Name, ...]
    devices: tuple[Name, ...]
    packages: tuple[Name, ...]
    versions: tuple[Name, ...]
    kids: tuple[Name, ...]
    complete: bool
    """Whether all that this list names newly is here; else other events of the same version have the rest."""


class RevocationIssued(Envelope):
    """A revocation list that names more than the one before was signed; goes to all regions."""

    TYPE = "content.revocation.issued.v1"
    ORDER_KEY = "tenant_id"
    type: Literal["content.revocation.issued.v1"]
    data: RevocationIssuedData


class TamperDetectedData(Data):
    report_id: Name
    source: Literal["device", "scrub"]
    code: Name
    """The check that failed, by its name in the bundle format."""
    observed_at: Moment
    device_id: Name | None = None
    bundle_id: Name | None = None
    path: Name | None = None
    healed: bool | None = None
    """For what the service found in its own store: whether it could make it whole."""


class TamperDetected(Envelope):
    """A device, or the service itself, found bytes that are not what was signed; goes to all regions."""

    TYPE = "content.tamper.detected.v1"
    ORDER_KEY = "tenant_id"
    type: Literal["content.tamper.detected.v1"]
    data: TamperDetectedData


class TenantHomedData(Data):
    home_region: Annotated[str, Field(pattern=r"^[a-z]{2,8}$")]


class TenantHomed(Envelope):
    """A tenant was made, and lives in this region; goes to all regions."""

    TYPE = "content.tenant.homed.v1"
    ORDER_KEY = "tenant_id"
    type: Literal["content.tenant.homed.v1"]
    data: TenantHomedData


class LearnerErasedData(Data):
    """Nothing here says who it was: whoever knew them knows the enrolments and devices."""

    erasure_id: Name
    pseudonym: Name
    """What stands in place of the learner's id wherever the service still names somebody."""
    enrollment_ids: tuple[Name, ...]
    device_ids: tuple[Name, ...]
    erased_at: Moment


class LearnerErased(Envelope):
    """A learner was erased; whoever keeps something of these enrolments and devices is to erase it, too."""

    TYPE = "content.learner.erased.v1"
    ORDER_KEY = "erasure_id"
    type: Literal["content.learner.erased.v1"]
    data: LearnerErasedData


EVENT_TYPES: dict[str, type[Envelope]] = {
    model.TYPE: model
    for model in (
        CourseDraftPublished,
        EnrollmentCreated,
        EnrollmentCancelled,
        PlayPackagePublished,
        PlayPackageWithdrawn,
        PlayPackageRemoved,
        BundlePublished,
        ExportFinished,
        ImportFinished,
        RevocationIssued,
        TamperDetected,
        TenantHomed,
        LearnerErased,
    )
}
