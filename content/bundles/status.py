"""The life of a licence, in the words of Readium LCP's licence status document (section 2.4).

ready → active (its device registered it) → expired | returned | revoked; cancelled is what is taken back before a device
had registered it. The status follows from what happened and from the time; nobody stores it, so nothing can disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from content.bundles.dates import day, days


class Status(StrEnum):
    READY = "ready"
    ACTIVE = "active"
    EXPIRED = "expired"
    RETURNED = "returned"
    REVOKED = "revoked"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Life:
    """What happened to a licence. `taken_back`: revoked by anybody, or its enrolment was cancelled."""

    not_after: datetime
    registered_at: datetime | None = None
    returned_at: datetime | None = None
    taken_back: bool = False

    def status(self, now: datetime) -> Status:
        """Returned outranks what came after it; being taken back outranks the end of its time."""
        if self.returned_at is not None:
            return Status.RETURNED
        if self.taken_back:
            return Status.CANCELLED if self.registered_at is None else Status.REVOKED
        if now > self.not_after:
            return Status.EXPIRED
        return Status.READY if self.registered_at is None else Status.ACTIVE

    def days_left(self, now: datetime) -> int:
        """Whole days until it ends; 0 on its last day and afterwards."""
        return max(0, (self.not_after - now).days)


def sentence(status: Status, not_after: datetime, now: datetime) -> str:
    """The status in one sentence that a teacher understands."""
    end, left = day(not_after), not_after - now
    match status:
        case Status.READY | Status.ACTIVE if left.days < 1:
            return f"This course can be opened until today, {end}."
        case Status.READY:
            return f"This course waits for its device; it can be opened until {end} ({days(left)} left)."
        case Status.ACTIVE:
            return f"This course can be opened until {end} ({days(left)} left)."
        case Status.EXPIRED:
            return f"This course could be opened until {end}; renew it to go on. What was learnt is kept."
        case Status.RETURNED:
            return "This course was given back. What was learnt is kept."
        case Status.REVOKED:
            return "This course was taken back by the school. What was learnt is kept."
        case Status.CANCELLED:
            return "This course was taken back before it reached its device."
