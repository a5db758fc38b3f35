"""What the API answers about jobs and the queues they wait in."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from serve_app.models.base import Answer, Failure, Moment
from tasks.job_states import State


class AssetShare(Answer):
    """An original that is being worked on."""

    asset: str = Field(examples=["film"])
    progress: float = Field(ge=0, le=1, description="The mean over what is made of it.", examples=[0.41])


class AssetShares(Answer):
    """How far the originals of a build are."""

    all: int = Field(examples=[12])
    done: int = Field(examples=[7])
    under_way: tuple[AssetShare, ...] = Field(description="Those that have begun, at most 20, the furthest first.")


class Stage(Answer):
    """One part of a job's work."""

    name: str = Field(examples=["media"])
    progress: float = Field(ge=0, le=1, description="The share of this stage that is done.")
    assets: AssetShares | None = Field(None, description="Of the stage `media` of a build that runs.")


class Job(Answer):
    """Long work, and how far it is."""

    job_id: str = Field(examples=["job_vcu5n7karmlhue5isipmhc7dvs"])
    kind: str = Field(examples=["build"])
    subject: dict[str, Any] = Field(
        description="What it is for.", examples=[{"package_id": "pkg_nlqjih8q2oev9i0v766gajhd2s", "version": 3}]
    )
    state: State
    attempt: int = Field(description="How often work on it began since it was queued.", examples=[1])
    progress: float = Field(ge=0, le=1, examples=[0.41])
    message: str = Field(examples=["film: video-480 41%"])
    stages: tuple[Stage, ...] = Field(description="The parts of the work in their order; empty before it begins.")
    result: dict[str, Any] | None = Field(description="What came of it, once it has succeeded.")
    problem: Failure | None = Field(description="Why it failed or was cancelled.")
    revision: int = Field(description="Rises with every change; the id of the job's events.", examples=[7])
    created_at: Moment
    updated_at: Moment
    trace_id: str | None = Field(
        description="The trace (W3C) of the request or event that it came from; log lines and spans name it.",
        examples=["4bf92f3577b34da6a3ce929d0e0e4736"],
    )
    links: dict[str, str] = Field(
        description="Where to go on: the job itself, its events, and what it makes.",
        examples=[{"self": "/v1/jobs/job_vcu5n7karmlhue5isipmhc7dvs"}],
    )

    @classmethod
    def of(cls, row: dict[str, Any]) -> Job:
        """A row of the table, with its links."""
        subject, path = row["subject"], f"/v1/jobs/{row['job_id']}"
        links = {"self": path, "events": f"{path}/events"}
        if "package_id" in subject:
            links["package"] = f"/v1/packages/{subject['package_id']}"
            if "version" in subject:
                links["version"] = f"{links['package']}/versions/{subject['version']}"
                if row["kind"] == "build" and (row["result"] or {}).get("digest"):
                    links["manifest"] = f"{links['version']}/manifest"
        if "preview_id" in subject:
            links["preview"] = f"/v1/previews/{subject['preview_id']}"
        if "import_id" in subject:
            links["import"] = f"/v1/imports/{subject['import_id']}"
        if "export_id" in subject:
            links["export"] = f"/v1/exports/{subject['export_id']}"
        trace = (row["traceparent"] or "").split("-")
        return cls.model_validate({**row, "trace_id": trace[1] if len(trace) == 4 else None, "links": links})


class Queue(Answer):
    """A work queue, counted over all tenants."""

    name: str = Field(examples=["build"])
    paused_at: Moment | None = Field(description="Since when workers take nothing new from it.")
    paused_by: str | None = Field(description="The subject of the token that paused it.")
    waiting: int
    running: int
    failed: int = Field(description="Jobs, bundles or deliveries that ended as failed.")
    held: int = Field(description="Queue entries that failed in a way nobody expected; a worker's log says why.")
    oldest: Moment | None = Field(description="When the one that waits longest was created.")


class Queues(Answer):
    """All queues."""

    items: tuple[Queue, ...]
