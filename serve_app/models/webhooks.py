"""What the API takes and answers about webhooks and their deliveries."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from serve_app.models.base import PRINTABLE, Answer, Moment, Question

Url = Annotated[str, Field(min_length=1, max_length=2000, examples=["https://lms.example.org/hooks/content"])]
Types = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=100)], ...],
    Field(min_length=1, max_length=20, examples=[["content.play_package.published.v1", "content.job.finished.v1"]]),
]
Description = Annotated[str, Field(max_length=200, examples=["The LMS"])]
EventId = Annotated[str, Field(min_length=1, max_length=100, pattern=PRINTABLE)]


class NewWebhook(Question):
    """Where to tell what."""

    url: Url
    types: Types
    description: Description = ""


class WebhookChange(Question):
    """What is to be different; what is left out stays."""

    url: Url | None = None
    types: Types | None = None
    description: Description | None = None
    state: Literal["active", "paused"] | None = Field(
        None, description="`paused` keeps what is owed until it is `active` again; `active` also ends `disabled`."
    )


class Webhook(Answer):
    """Where a tenant is told of what happens."""

    webhook_id: str = Field(examples=["whk_5f1c0a9b2d3e4f60"])
    url: str
    types: tuple[str, ...]
    description: str
    state: Literal["active", "paused", "disabled"]
    reason: str = Field(description="Why it was disabled.")
    failing_since: Moment | None = Field(description="Since when every attempt has failed.")
    created_at: Moment
    updated_at: Moment


class WebhookWithSecret(Webhook):
    """With the secret, which is shown this once."""

    secret: str = Field(description="Verifies the signatures. Keep it; it is not shown again.", examples=["whsec_…"])


class Attempt(Answer):
    """One attempt to deliver. Without status and with “no answer was recorded” it may have arrived all the same."""

    at: Moment
    status: int | None = Field(description="The HTTP status of the answer; null where none came.", examples=[200])
    error: str
    duration_ms: int | None


class Delivery(Answer):
    """An event that a webhook is owed."""

    event_id: str = Field(description="The header `webhook-id`, the same at every attempt.")
    type: str
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    next_attempt_at: Moment | None = Field(
        description="When it is sent next; null when it ended, or waits for a pause."
    )
    created_at: Moment
    ended_at: Moment | None
    log: tuple[Attempt, ...] = Field(description="The attempts, the last 50 of them, oldest first.")


class Accepted(Answer):
    """A message that will be sent."""

    event_id: str
