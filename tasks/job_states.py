"""The states of a job and how it goes from one to another.

A trigger of the table (migration 0005) knows the same transitions and refuses any other, so a bug cannot revive what has
ended; a test compares the two. Imports nothing, so that the client may know the states too.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """`cancelling`: somebody asked a running job to end; its worker ends it."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS = {
    # From queued straight to an end: an attempt that was given up for lost has ended after all.
    State.QUEUED: {State.RUNNING, State.SUCCEEDED, State.FAILED, State.CANCELLED},
    State.RUNNING: {State.QUEUED, State.SUCCEEDED, State.FAILED, State.CANCELLING},
    State.CANCELLING: {State.CANCELLED},
    State.SUCCEEDED: set[State](),
    State.FAILED: {State.QUEUED},
    State.CANCELLED: {State.QUEUED},
}
ENDED = {State.SUCCEEDED, State.FAILED, State.CANCELLED}
