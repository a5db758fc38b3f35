"""What the API says of what is kept: restores from cold storage, legal holds, erasures, a tenant's end, the audit archive."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from serve_app.models.base import PRINTABLE, Answer, Failure, Moment, Name, Question
from tasks.job_states import State

Reason = Field(
    min_length=1,
    max_length=1000,
    pattern=PRINTABLE,
    examples=["Case 2026/17"],
    description="Kept in the audit log for good: name no learner in it.",
)


class Restore(Answer):
    """What was asked for lies in cold storage and is being brought back."""

    job_id: str = Field(examples=["job_vcu5n7karmlhue5isipmhc7dvs"])
    state: State
    progress: float = Field(ge=0, le=1)
    message: str = Field(examples=["2 of 5 blobs are back"])


class RestoreAsked(Answer):
    """Nothing had to be brought back."""

    hot: Literal[True] = True


class NewRestore(Question):
    """Bring a version back before anybody needs it."""

    tier: Literal["bulk", "standard", "expedited"] | None = Field(None, description="Default: as the service does.")


class NewHold(Question):
    """Keep a package, or with no package the whole tenant, from being deleted."""

    package_id: Name | None = Field(None, description="Null: the whole tenant.", examples=[None])
    reason: str = Reason


class HoldRelease(Question):
    """End a hold; what others cover stays held."""

    reason: str = Reason


class Hold(Answer):
    """A legal hold, on or released."""

    hold_id: str = Field(examples=["hld_0123456789abcdef01234567"])
    package_id: str | None
    reason: str
    by_operator: bool = Field(description="Then only an operator releases it.")
    placed_at: Moment
    released_at: Moment | None
    release_reason: str | None
    job_id: str = Field(description="The job that sets, or takes away, the object store's own locks.")


class NewErasure(Question):
    """Erase a learner."""

    learner_id: Name = Field(description="Not repeated in any answer, nor kept.")


class Erasure(Answer):
    """An erasure. Whom it was of nobody can tell any more; `pseudonym` stands wherever the name stood."""

    erasure_id: str = Field(examples=["ers_0123456789abcdefghijklmnop"])
    pseudonym: str
    state: Literal["erasing", "held", "done"] = Field(
        description="`erasing`: the name is gone, and what was made for the person is being removed; `held`: what a legal hold "
        "covers is left, without a name."
    )
    counts: dict[str, int] = Field(description="How much was erased.")
    job_id: str
    requested_at: Moment
    done_at: Moment | None


class NewDeletion(Question):
    """Delete a tenant, for good."""

    confirm: Name = Field(description="Its name, once more.")
    partial: bool = Field(False, description="Under holds on packages, delete what they do not cover now, and the rest when they end.")  # fmt: skip
    reason: str = Reason


class Deletion(Answer):
    """How far the deletion of a tenant is."""

    tenant: str
    job_id: str
    state: State
    progress: float = Field(ge=0, le=1)
    message: str
    closed_at: Moment
    deleted_at: Moment | None = Field(description="Null while it is under way, or while a hold keeps the rest.")
    problem: Failure | None


class ArchiveVerification(Answer):
    """Whether the archive of the audit log is whole, and says what the database says."""

    valid: bool
    segments: int
    entries: int
    last: int | None = Field(description="Number of the last entry that is archived.")
    head: str | None
    broken: str | None = Field(description="The first segment that is not as it was written, and why.")
