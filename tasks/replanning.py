"""Bundles that are planned again on request: one that failed, after what was wrong has been put right."""

from __future__ import annotations

from typing import Any

from cluster.database import Transaction, fetch_one
from content.errors import ContentError
from tasks import planning
from tasks.planning import Group

LOOK = """
    select b.package_id, b.version, b.profile, b.policy, b.state, e.state as enrolment_state, d.state as device_state,
           v.state as version_state, p.course_id
    from bundles b
    join enrolments e on e.enrollment_id = b.enrollment_id
    join devices d on d.device_id = b.device_id
    join packages p on p.package_id = b.package_id
    join package_versions v on v.package_id = b.package_id and v.version = b.version
    where b.bundle_id = %s
"""


async def retry(tx: Transaction, tenant: str, bundle_id: str) -> bool:
    """Plan a failed bundle again, without blame for earlier attempts. False if it waits or is under way already.

    Raises ContentError `not-found`, or why it cannot be made.
    """
    row = await fetch_one(tx, LOOK, [bundle_id])
    if row is None:
        raise ContentError(
            "not-found", "There is no such bundle.", "Check the id, and that the token is of its tenant."
        )
    await planning.meet_course(tx, tenant, row["course_id"], shared=True)
    row = await fetch_one(tx, LOOK + " for update of b", [bundle_id]) or row
    if row["state"] in ("planned", "claimed"):
        return False
    if (refused := _refused(row)) is not None:
        raise refused
    await tx.execute(
        b"""update bundles set state = 'planned', lane = 'interactive', attempts = 0, problem = null, claimed_by = null,
                              claimed_until = null, planned_at = now()
            where bundle_id = %s""",
        [bundle_id],
    )
    group = Group(row["package_id"], row["version"], row["profile"], "interactive", row["policy"])
    await planning.call(tx, tenant, group, range(1))
    return True


def _refused(row: dict[str, Any]) -> ContentError | None:
    """Why this bundle is not made again, or None."""
    if row["state"] != "failed":
        return ContentError("bundle-not-failed", f"This bundle is {row['state']}.", "Only a failed one is tried again.")
    if row["version_state"] != "published":
        return ContentError("version-withdrawn", "This version was withdrawn.", "Publish a newer one.")
    if row["enrolment_state"] != "active":
        return ContentError("enrolment-cancelled", "The enrolment of this bundle has ended.", "Enrol again.")
    if row["device_state"] != "active":
        return ContentError("device-revoked", "The device of this bundle was deactivated.", "Register another device.")
    return None
