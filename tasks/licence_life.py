"""What a device may ask of its licence: to register it, to renew it, to give it back; and what state it is in.

Each asks under the lock of the bundle's row and may ask twice. Renewing writes down what is wanted and calls a worker,
so that a class that comes back from its holidays costs one signature; the device then fetches the next issue, and no
payload. Giving back is for good: the bundle is revoked, and the device gets none of this enrolment any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from content.bundles.status import Life, Status
from content.errors import ContentError
from tasks import revocations, rotation_job
from tasks.epochs import leave_bundle

SLACK, PLENTY, LITTLE = timedelta(minutes=5), timedelta(days=1), timedelta(hours=12)
"""A renewal that would win less than SLACK is none, nor one that would win LITTLE while there is PLENTY left: else a device
could have a licence written every few minutes."""
LIFE = """
    select b.bundle_id, b.device_id, b.learner_id, b.package_id, b.version, b.state, b.registered_at, b.returned_at,
           b.enrollment_id, e.state as enrolment_state, e.ends_at, l.issue, l.not_after, l.issued_at, n.not_after as asked,
           exists (select 1 from revocations r where (r.kind, r.subject) in (('bundle', b.bundle_id),
                       ('device', b.device_id), ('package', b.package_id), ('version', b.package_id || '/' || b.version)))
               as revoked
    from bundles b
    join enrolments e on e.enrollment_id = b.enrollment_id
    join lateral (select issue, not_after, issued_at from licences l where l.bundle_id = b.bundle_id
                  order by issue desc limit 1) l on true
    left join renewals n on n.bundle_id = b.bundle_id
    where b.bundle_id = %s and b.state = 'ready'
"""
OTHERS = """
    select bundle_id from bundles
    where enrollment_id = %(enrollment_id)s and device_id = %(device_id)s and package_id = %(package_id)s and state = 'ready'
    order by bundle_id for no key update
"""
EVENTS = "select type, at, device_id from licence_events where bundle_id = %s order by n"
RENEW = b"""
    insert into renewals (tenant, bundle_id, not_after) values (%s, %s, %s)
    on conflict (tenant, bundle_id) do update set not_after = greatest(renewals.not_after, excluded.not_after)
"""


@dataclass(frozen=True)
class LicenceLife:
    """A licence as it stands: the row, its life, and until when it could be renewed (None: it cannot)."""

    row: dict[str, Any]
    life: Life
    renewable_until: datetime | None

    @property
    def renewing(self) -> bool:
        """A longer one is asked for and not issued yet."""
        return self.row["asked"] is not None


async def read(
    tx: Transaction, connections: Connections, bundle_id: str, now: datetime, *, hold: bool = False
) -> LicenceLife | None:
    """None for a bundle that has no licence (yet). With `hold`, its row is locked."""
    row = await fetch_one(tx, LIFE + (" for no key update of b" if hold else ""), [bundle_id])
    if row is None:
        return None
    taken_back = row["revoked"] or row["enrolment_state"] != "active"
    life = Life(row["not_after"], row["registered_at"], row["returned_at"], taken_back)
    until = None
    if row["returned_at"] is None and not taken_back:
        longest = now + timedelta(seconds=connections.settings.licence_ttl_s)
        until = min(longest, row["ends_at"] or longest).replace(microsecond=0)
        until = until if until > max(row["not_after"], now) else None
    return LicenceLife(row, life, until)


async def events(tx: Transaction, bundle_id: str) -> list[dict[str, Any]]:
    """What happened to it, oldest first."""
    return await fetch_all(tx, EVENTS, [bundle_id])


async def register(tx: Transaction, tenant: str, found: LicenceLife, device_id: str) -> None:
    """Its device has it. Again changes nothing. Raises as `renew`."""
    _require_alive(found)
    if found.row["registered_at"] is None:
        bundle_id = found.row["bundle_id"]
        await tx.execute(b"update bundles set registered_at = now() where bundle_id = %s", [bundle_id])
        await revocations.told(tx, tenant, bundle_id, "register", device_id)


async def renew(
    tx: Transaction, tenant: str, found: LicenceLife, now: datetime, end: datetime | None, device_id: str | None
) -> bool:
    """Ask for a longer licence, until `end` or for as long as may be. False if there is nothing to be won.

    Raises ContentError `licence-returned`, `licence-revoked`, `licence-cancelled`, `renewal-ended` (the enrolment has run
    out), or `renewal-end` (`end` is past what may be, or before what is).
    """
    _require_alive(found)
    if found.row["ends_at"] is not None and found.row["ends_at"] <= now:
        raise ContentError(
            "renewal-ended", "The enrolment of this course has run out.", "Enrol again, then it comes by itself."
        )
    until = found.renewable_until
    if end is not None and not found.row["not_after"] <= end <= (until or found.row["not_after"]):
        raise ContentError(
            "renewal-end", "The licence cannot be made to end then.", "See `renewable_until` of its status."
        )
    wanted = end or until
    if wanted is None:
        return False
    ends = max(found.row["not_after"], found.row["asked"] or found.row["not_after"])
    if wanted - ends <= (LITTLE if ends - now > PLENTY else SLACK):
        return False
    await tx.execute(RENEW, [tenant, found.row["bundle_id"], wanted])
    if not found.renewing:
        await revocations.told(tx, tenant, found.row["bundle_id"], "renew", device_id)
    await rotation_job.ask_for_renewals(tx, tenant)
    return True


async def give_back(tx: Transaction, tenant: str, found: LicenceLife, device_id: str | None) -> None:
    """For good. Again changes nothing. Raises ContentError `licence-revoked` or `licence-cancelled`."""
    if found.row["returned_at"] is not None:
        return
    _require_alive(found)
    # With it whatever else of this enrolment the device holds: what it had before it asked for less space, older versions.
    rows = await fetch_all(tx, OTHERS, found.row)
    ids = [row["bundle_id"] for row in rows]
    await tx.execute(b"update bundles set returned_at = now() where bundle_id = any(%s)", [ids])
    await tx.execute(b"delete from renewals where bundle_id = any(%s)", [ids])
    await tx.execute(
        b"""update bundles set state = 'cancelled', claimed_by = null, claimed_until = null
            where device_id = %s and enrollment_id = %s and package_id = %s
                  and state in ('planned', 'claimed', 'failed')""",
        [found.row["device_id"], found.row["enrollment_id"], found.row["package_id"]],
    )
    for bundle_id in ids:
        await revocations.bundle(tx, tenant, bundle_id, cause="returned", device_id=device_id)
        await leave_bundle(tx, bundle_id)


def _require_alive(found: LicenceLife) -> None:
    match found.life.status(found.row["not_after"]):  # the time does not matter here: expired can be renewed
        case Status.RETURNED:
            raise ContentError("licence-returned", "This course was given back.", "Enrol again to get it anew.")
        case Status.REVOKED:
            raise ContentError("licence-revoked", "This course was taken back by the school.", "Ask the school.")
        case Status.CANCELLED:
            raise ContentError(
                "licence-cancelled", "This course was taken back before it reached the device.", "Ask the school."
            )
        case _:
            return
