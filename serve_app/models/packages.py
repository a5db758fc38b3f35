"""Packages, their versions, what a build reports, and what a version holds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from serve_app.models.base import PRINTABLE, Answer, Digest, Finding, Moment, Policy, Question

VersionState = Literal["planned", "published", "failed", "superseded", "withdrawn"]
PackageKind = Literal["course", "scorm"]
PackageId = Annotated[str, Field(examples=["pkg_0f8k2m4q6s8u0a2c4e6g8i0k2m"])]
Name = Annotated[str, Field(min_length=1, max_length=256, pattern=PRINTABLE)]


class Package(Answer):
    """A course's package; `version` is its newest published version."""

    package_id: PackageId
    course_id: str = Field(examples=["first-aid"])
    kind: PackageKind = Field(description="`course`: built from drafts. `scorm`: imported packages of other tools.")
    version: int | None = Field(examples=[3])
    created_at: Moment
    policy: Policy | None = Field(description="How its bundles are encrypted; null: as the tenant says.")


class PackagePatch(Question):
    """What is decided for one package."""

    policy: Policy | None = Field(description="null: as the tenant says.", examples=["shared"])


class Report(Answer):
    """What the author should know of a build."""

    model_config = ConfigDict(frozen=True, extra="allow")

    problems: tuple[Finding | dict[str, Any], ...] = ()
    reused: int | None = Field(None, description="Renditions taken from the cache.")
    made: int | None = Field(None, description="Renditions made by this build.")


class QualityFinding(Answer):
    """One finding: where, what, why it counts, and what to do. docs/quality.md lists them."""

    code: str = Field(examples=["heading-skipped"])
    severity: Literal["error", "warning", "advice"]
    pointer: str = Field(description="JSON pointer into the draft.", examples=["/units/0/blocks/2/text/en"])
    unit: str | None = Field(description="The id of the unit it is in.", examples=["breathing"])
    place: str = Field(examples=["unit 1 “Breathing”, block 3 (text), in “en”"])
    message: str
    advice: str
    reason: str = Field(
        description="A success criterion of WCAG 2.2, or in a word what else suffers.",
        examples=["WCAG 1.3.1 Info and Relationships (A)"],
    )


class UnitTitle(Answer):
    """A unit, by its title in the course's language."""

    id: str
    title: str


class Quality(Answer):
    """The accessibility and quality report of a version. `counts` are of all findings, of which at most 1000 are listed."""

    package_id: PackageId
    version: int
    shape: Literal[1]
    language: str = Field(description="The course's own, in which titles stand here.", examples=["en"])
    title: str = Field(examples=["First aid"])
    units: tuple[UnitTitle, ...]
    counts: dict[str, int] = Field(examples=[{"error": 0, "warning": 2, "advice": 1}])
    totals: dict[str, Any] = Field(
        description="Figures: pictures, films, sounds, contrast, reading, languages, sizes, saved_state, licences."
    )
    findings: tuple[QualityFinding, ...]


class Version(Answer):
    """One version of a package. `report` comes with a single version, not in lists."""

    package_id: PackageId
    version: int = Field(examples=[1])
    state: VersionState
    draft_id: str | None = Field(description="What it was built from; null for an imported one.")
    revision: int | None = Field(description="Of the draft; null for an imported one.")
    import_id: str | None = Field(
        None, description="What it was imported by; null for one that was built.", examples=[None]
    )
    title: dict[str, str] | None = Field(description="By language.", examples=[{"en": "First aid"}])
    languages: tuple[str, ...] | None
    manifest_digest: Digest | None
    manifest_bytes: int | None
    total_bytes: int | None = Field(description="All stored files, each once.")
    report: Report | None = None
    created_at: Moment
    published_at: Moment | None
    withdrawn_at: Moment | None
    withdrawn_reason: str | None


Change = Literal["added", "removed", "changed", "moved"]


class UnitChange(Answer):
    """A unit; `members` are those of its own that differ, apart from its blocks."""

    id: str = Field(examples=["bleeding"])
    change: Change
    members: tuple[str, ...] = Field(examples=[["title"]])


class BlockChange(Answer):
    """A block. `unit`: where it stands now, or stood."""

    id: str
    unit: str
    type: str = Field(examples=["text"])
    change: Change
    members: tuple[str, ...] = Field(description="What differs; `unit`: it stood in another one.", examples=[["html"]])


class AssetChange(Answer):
    """An original; `before` and `after` are the bytes of all of its renditions."""

    id: str
    change: Change
    source: bool = Field(description="Whether the author's file is another one, or only what was made of it.")
    before: int
    after: int


class Fetch(Answer):
    """Bytes that a device of a profile fetches, but for its index: for the update, or without anything yet. A device that
    holds much that is dead may be sent the whole."""

    profile: str = Field(examples=["phone"])
    update: int
    whole: int


class VersionChanges(Answer):
    """What changed from version `older` to `newer`. `same`: nothing did that a learner could see."""

    package_id: PackageId
    older: int
    newer: int
    same: bool
    metadata: tuple[str, ...] = Field(description="Members of the course itself that differ.", examples=[["title"]])
    units: tuple[UnitChange, ...]
    blocks: tuple[BlockChange, ...]
    assets: tuple[AssetChange, ...]
    fetches: tuple[Fetch, ...]


class Signature(Answer):
    """Tree head, its signature, and the proof that leads to it (docs/bundle-format.md, Signatures)."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Asset(Answer):
    """One rendition of an asset of a version."""

    asset: str = Field(examples=["cover"])
    role: str = Field(examples=["image"])
    media_type: str = Field(examples=["image/webp"])
    digest: Digest
    size_bytes: int


class SignedUrl(Answer):
    """An address on the edge that works without a token, for a while."""

    url: str
    expires_in_s: int = Field(examples=[3600])


class BuildRequest(Question):
    """The revision of a draft that authoring-service holds."""

    course_id: Name = Field(examples=["first-aid"])
    draft_id: Name = Field(examples=["draft-of-first-aid"])
    revision: int = Field(ge=1, le=2**31 - 1, examples=[1])


class BuildAccepted(Answer):
    """The job that builds, and the version that will come of it."""

    job_id: str
    package_id: PackageId
    version: int


class Withdrawal(Question):
    """Why a version is taken back; kept with the version and in the audit log."""

    reason: str = Field(min_length=1, max_length=1000, pattern=PRINTABLE, examples=["The dosage on page 3 is wrong."])
