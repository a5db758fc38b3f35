"""Events in and out: CloudEvents 1.0 in JSON. `types` holds one model per event type, `envelope` reads and makes them."""

from content.events.envelope import make, parse
from content.events.types import (
    EVENT_TYPES,
    BundlePublished,
    CourseDraftPublished,
    EnrollmentCancelled,
    EnrollmentCreated,
    Envelope,
    LearnerErased,
    PlayPackagePublished,
    PlayPackageRemoved,
    PlayPackageWithdrawn,
    RevocationIssued,
    TamperDetected,
    TenantHomed,
)

__all__ = [
    "EVENT_TYPES",
    "BundlePublished",
    "CourseDraftPublished",
    "EnrollmentCancelled",
    "EnrollmentCreated",
    "Envelope",
    "LearnerErased",
    "PlayPackagePublished",
    "PlayPackageRemoved",
    "PlayPackageWithdrawn",
    "RevocationIssued",
    "TamperDetected",
    "TenantHomed",
    "make",
    "parse",
]
