"""Messages to webhooks as Standard Webhooks has them (www.standardwebhooks.com), and what an answer means.

A message is `{"type", "timestamp", "data"}`, signed together with its id and the time of the attempt: HMAC-SHA256 under
the webhook's secret, `v1,<base64>`; while a secret is being replaced, under both. What follows from an answer is a value
(`Delivered`, `Again`, `GaveUp`), decided without sending anything.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from content.canonical import rfc3339
from content.errors import ContentError

SECRET_PREFIX = "whsec_"  # noqa: S105 - the standard's prefix, no secret
SECRET_BYTES = 32
GONE = 410


@dataclass(frozen=True)
class Delivered:
    """The receiver has it."""


@dataclass(frozen=True)
class Again:
    """Send it again after so many seconds."""

    delay_s: float


@dataclass(frozen=True)
class GaveUp:
    """It is not sent again. `gone`: the receiver wants nothing more at all."""

    gone: bool


def secret_text(key: bytes) -> str:
    """A secret as its owner is shown it, once."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def body(kind: str, at: datetime, data: dict[str, Any]) -> bytes:
    """The message, the same bytes at every attempt."""
    message = {"type": kind, "timestamp": rfc3339(at), "data": data}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def headers(keys: Sequence[bytes], message_id: str, at: datetime, content: bytes) -> dict[str, str]:
    """The headers of one attempt, signed under each key."""
    seconds = str(int(at.timestamp()))
    signed = f"{message_id}.{seconds}.".encode() + content
    signatures = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def decide(
    status: int | None, failures: int, schedule_s: Sequence[float], jitter: float, wait_s: float = 0.0
) -> Delivered | Again | GaveUp:
    """What follows from an attempt. `status` is None where no answer came, `failures` counts the failed attempts with
    this one, `schedule_s` holds the waits after each, `jitter` from 0 to 1 spreads them by a fifth either way. `wait_s` is
    what the receiver asked for (`Retry-After`): it is not asked sooner."""
    if status is not None and 200 <= status < 300:
        return Delivered()
    if status == GONE:
        return GaveUp(gone=True)
    if failures > len(schedule_s):
        return GaveUp(gone=False)
    return Again(max(wait_s, schedule_s[failures - 1] * (80 + 40 * jitter) / 100))


def refused(reason: str) -> ContentError:
    """The one error for an address that messages are not sent to."""
    return ContentError(
        "webhook-url-refused", f"Nothing is sent to this address: {reason}.", "Give a public https URL."
    )
