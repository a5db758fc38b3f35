"""Previews: which draft may be asked for, and what is shown of it for a while."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from serve_app.models.base import Answer, Digest, Failure, Finding, Moment, Name, Question
from serve_app.models.packages import Report

PreviewState = Literal["planned", "ready", "failed", "expired"]
PreviewId = Annotated[str, Field(pattern=r"^prv_[a-z0-9]{26}$", examples=["prv_0f8k2m4q6s8u0a2c4e6g8i0k2m"])]


class NewPreview(Question):
    """A revision of a draft that authoring-service holds."""

    draft_id: Name = Field(examples=["draft-of-first-aid"])
    revision: int = Field(ge=1, le=2**31 - 1, examples=[4])


class Preview(Answer):
    """A draft as pages. `job_id` is the job that makes them, or made them."""

    preview_id: PreviewId
    draft_id: str = Field(examples=["draft-of-first-aid"])
    revision: int = Field(examples=[4])
    state: PreviewState
    job_id: str = Field(examples=["job_vcu5n7karmlhue5isipmhc7dvs"])
    draft_digest: Digest | None = Field(description="Of the draft that is shown.")
    problem: Failure | None = Field(description="Why it could not be made; the draft's errors are in `problems`.")
    created_at: Moment
    expires_at: Moment | None = Field(description="Until when it can be opened. Asking again sets it anew.")
    links: dict[str, str] = Field(
        description="Where to go on: the preview itself, its job.",
        examples=[{"self": "/v1/previews/prv_0f8k2m4q6s8u0a2c4e6g8i0k2m"}],
    )

    @staticmethod
    def row(row: dict[str, Any]) -> dict[str, Any]:
        """A row of the table, with its links."""
        links = {"self": f"/v1/previews/{row['preview_id']}", "job": f"/v1/jobs/{row['job_id']}"}
        return {**row, "links": links}


class PreviewReport(Report):
    """What the author should know: as of a build, and what would stop one."""

    refused: tuple[Finding, ...] = Field(
        (), description="Findings of the quality report for which a build would fail here (`failing_findings`)."
    )


class PreviewShown(Preview):
    """With its report and its address: null unless it is `ready`."""

    report: PreviewReport | None
    url: str | None = Field(
        description="Opens it without a token, until `expires_at`; hands over cookies for its files.",
        examples=[
            "https://acme.sites.example/_open/previews/acme/prv_0f8k2m4q6s8u0a2c4e6g8i0k2m/0f/site/index.html?Policy=…"
        ],
    )
