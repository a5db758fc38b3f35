"""Exports: what may be asked for, and what is there."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from serve_app.models.base import Answer, Digest, Failure, Moment, Name, Question
from serve_app.models.packages import PackageId

Format = Literal["scorm12", "scorm2004-3rd", "scorm2004-4th", "cmi5", "xapi", "html"]
ReportKind = Literal["passed-incomplete", "passed-failed", "completed-incomplete", "completed-failed"]
Packaging = Literal["course", "unit"]
ExportState = Literal["planned", "ready", "failed", "withdrawn"]
ExportId = Annotated[str, Field(pattern=r"^exp_[a-z0-9]{26}$", examples=["exp_0f8k2m4q6s8u0a2c4e6g8i0k2m"])]

_REPORT: Any = Field(
    "completed-incomplete",
    description="What the learning platform is told: the word for who has done the course, and the word for who has not.",
)
_MASTERY: Any = Field(
    None,
    ge=0,
    le=1,
    description="The share of points that is needed, rounded to two digits; null: the course's own.",
)
_PACKAGING: Any = Field("course", description="One object for the course, or one for each unit (SCORM and cmi5).")
_VIDEO: Any = Field(True, description="Without, films are given by their poster and transcript.")


class NewExport(Question):
    """What is to be exported, and how. Every choice changes the file, so the same choices give the same file."""

    package_id: Name = Field(examples=["pkg_nlqjih8q2oev9i0v766gajhd2s"])
    version: int | None = Field(None, ge=1, le=2**31 - 1, description="The newest published one, if left out.")
    format: Format
    report: ReportKind = _REPORT
    mastery: float | None = _MASTERY
    packaging: Packaging = _PACKAGING
    languages: tuple[Name, ...] = Field(
        (),
        max_length=100,
        description="Only these, the first one first; empty: all that the course has.",
        examples=[[]],
    )
    profile: Name = Field("desktop", description="How large pictures and films are.", examples=["desktop"])
    video: bool = _VIDEO
    publish: bool = Field(
        False, description="Format html: also serve its files as a site, on the tenant's own origin, to who has a link."
    )


class ExportOptions(Answer):
    """How it was exported."""

    report: ReportKind = _REPORT
    mastery: float | None = _MASTERY
    packaging: Packaging = _PACKAGING
    languages: tuple[str, ...] = Field(description="Empty: all that the course has.", examples=[[]])
    profile: str = Field(examples=["desktop"])
    video: bool = _VIDEO


class Export(Answer):
    """A version of a package in one format. `job_id` is the job that makes it, or made it."""

    export_id: ExportId
    package_id: PackageId
    version: int
    format: Format
    options: ExportOptions
    published: bool = Field(description="Whether its files are served as a site, too.")
    state: ExportState
    job_id: str = Field(examples=["job_vcu5n7karmlhue5isipmhc7dvs"])
    size_bytes: int | None
    digest: Digest | None = Field(description="Of the zip.")
    problem: Failure | None = Field(description="Why it could not be made.")
    created_at: Moment
    ready_at: Moment | None
    withdrawn_at: Moment | None
    links: dict[str, str] = Field(
        description="Where to go on: the export itself, its job, the version it is of.",
        examples=[{"self": "/v1/exports/exp_0f8k2m4q6s8u0a2c4e6g8i0k2m"}],
    )

    @staticmethod
    def row(row: dict[str, Any]) -> dict[str, Any]:
        """A row of the table, with its links."""
        links = {
            "self": f"/v1/exports/{row['export_id']}",
            "job": f"/v1/jobs/{row['job_id']}",
            "version": f"/v1/packages/{row['package_id']}/versions/{row['version']}",
        }
        return {**row, "links": links}


class Download(Answer):
    """Where the file is, for a while and without a token."""

    url: str
    file_name: str = Field(examples=["first-aid-v3-scorm12.zip"])
    expires_in_s: int = Field(examples=[3600])


class Site(Answer):
    """Where an html export is served. `link` opens it without a token: it hands over cookies for all files of the site."""

    url: str = Field(description="What the browser shows; it opens for who came by a link.")
    link: str
    expires_in_s: int = Field(description="How long link and cookies work.", examples=[3600])


class ExportShown(Export):
    """With what was checked, and the addresses of file and site: null unless it is `ready` and its version published."""

    passport: dict[str, Any] | None = Field(
        description="The checks that were run, their results, and the versions of exporter and player; it is in the zip too."
    )
    download: Download | None
    site: Site | None = Field(description="null unless it is published, too.")
