"""What is asked and answered about making bundles anew."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from serve_app.models.base import PRINTABLE, Answer, Name, Policy, Question


class NewRebundle(Question):
    """Which ready bundles are to be made anew; what is left out does not matter, and an empty selection is all of the
    tenant's."""

    package_id: Name | None = Field(None, examples=[None])
    version: int | None = Field(None, ge=1, le=2**31 - 1, examples=[None])
    profile: Name | None = Field(None, examples=[None])
    policy: Policy | None = Field(None, examples=[None])
    device_ids: list[Name] | None = Field(
        None, min_length=1, max_length=1000, description="Only those of these devices.", examples=[None]
    )
    made_before: AwareDatetime | None = Field(
        None,
        description="Only those made before this moment; never any that is made after the request.",
        examples=[None],
    )
    outdated_keys: bool = Field(False, description="Only those whose content key is of an epoch that is over.")
    dry_run: bool = Field(False, description="Only say what it would cost (200).")
    reason: str = Field(
        min_length=1, max_length=1000, pattern=PRINTABLE, examples=["Half of the parts is dead."],
        description="Kept with the job and in the audit log.",
    )  # fmt: skip


class RebundleEstimate(Answer):
    """What it would cost as things are now."""

    bundles: int = Field(description="Bundles that would be made anew: a licence and an event each.")
    payloads: int = Field(
        description="Payloads that would be encrypted: one a device, or one a profile under `shared`."
    )
    bytes_written: int = Field(description="Their size as they are now, dead bytes among it.")
    signature_calls: int = Field(description="Calls of the key service that sign a batch.")
    minutes: float | None = Field(
        description="By the rate of the newest bundles; null where too few were made.", examples=[1.5]
    )
