"""The quarterly drill: the night of the stolen key, on a tenant that is marked for it (`settings.drill`), with a record.

Upkeep begins one when the last is a quarter old, or an operator does with `keys rotate --drill`; both are the very same
emergency, and the same job signs everything again. Then the drill is judged by what a device or a thief would see, and
the record (times, counts, each check) goes to the audit log as `keys.drill-passed` or `keys.drill-failed`. `doctor` and the
metric `content_drill_age_seconds` say when no drill has passed for too long.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from cluster import database
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.keys import ServiceSigner
from content.errors import ContentError
from content.jose import JoseRefused, require_signature, sign_compact, split_compact
from content.jwk import parse_jwk
from content.trust.keys import KeyStatus
from content.trust.revocations import RevocationList
from tasks import audit, resigning, rotation, rotation_job, trust
from tasks.rotation import Rotated

GRACE = timedelta(days=7)
"""A drill is overdue a week after it was due: the worker that begins it may be drained, a holiday may lie between."""
HEADER = {"alg": "ES256", "typ": "drill"}
"""No reader takes a document of this type for anything."""
MARKED = "select settings ->> 'drill' = 'true' as marked from tenants"
LAST = "select began_at, ended_at from drills order by began_at desc limit 1"
PASSED = """
    select extract(epoch from %(now)s - coalesce(max(ended_at) filter (where passed),
                                                 (select min(created_at) from tenants)))::float8 as age_s,
           count(*) as drills, count(*) filter (where passed is null and began_at < %(now)s - interval '1 day') as stuck
    from drills
"""
log = structlog.get_logger()


async def turn(connections: Connections, tenant: str, now: datetime) -> bool:
    """Begin the drill that is due; True if one was begun. Nothing happens for tenants that are not marked."""
    async with connections.db.tenant(tenant) as tx:
        marked = await fetch_one(tx, MARKED)
        if marked is None or not marked["marked"]:
            return False
        await trust.lock(tx, tenant)
        last = await fetch_one(tx, LAST)
        if last is not None and now < last["began_at"] + timedelta(seconds=connections.settings.drill_period_s):
            return False
        rotated = await rotation.emergency(tx, connections, tenant, now, kid=None, reason="the quarterly drill")
        await begin(tx, tenant, rotated, "calendar", now)
        details = {"kid": rotated.kid, "replaced": str(rotated.replaced), "reason": "the quarterly drill"}
        await audit.append(
            tx, tenant, "service", "keys.drill", {**details, "trust_version": rotated.trust_version}, now
        )
    log.info("drill begun", tenant=tenant, kid=rotated.replaced)
    return True


async def begin(tx: Transaction, tenant: str, rotated: Rotated, cause: str, now: datetime) -> str:
    """Note a drill in the transaction of its emergency, and queue its job; returns the job's id."""
    await tx.execute(
        b"insert into drills (tenant, kid, new_kid, cause, began_at) values (%s, %s, %s, %s, %s)",
        [tenant, rotated.replaced, rotated.kid, cause, now],
    )
    subject = {"kind": "drill", "kid": str(rotated.replaced), "new_kid": rotated.kid}
    return await rotation_job.plan(tx, tenant, subject)


async def judge(connections: Connections, tenant: str, kid: str, told: dict[str, Any]) -> None:
    """See that it is so: the end of a drill's job. `told` is what the job did. Again: nothing happens.

    Raises `keys-unavailable` (the job comes again); a check that fails is no error but the record's verdict.
    """
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(tx, "select new_kid, began_at, ended_at from drills where kid = %s", [kid])
    if row is None or row["ended_at"] is not None:
        return
    async with connections.db.tenant(tenant) as tx:
        now = await database.now(tx)
        checks = await _lists(tx, kid, row["new_kid"])
        checks["nothing in force is signed by the old key"] = await resigning.count(tx, kid, now) == 0
        keys = {
            each: await fetch_one(tx, "select key_name, jwk from signing_keys where kid = %s", [each])
            for each in (kid, row["new_kid"])
        }
    checks["the old key signs no more"] = not await _signs(connections, kid, keys[kid])
    checks["the new key signs, and the published half verifies it"] = await _signs(
        connections, row["new_kid"], keys[row["new_kid"]]
    )
    passed, seconds = all(checks.values()), round(max(0.0, (now - row["began_at"]).total_seconds()), 1)
    record = {**told, "kid": kid, "new_kid": row["new_kid"], "seconds": seconds, "checks": checks}
    async with connections.db.tenant(tenant) as tx:
        done = await fetch_one(
            tx,
            "update drills set ended_at = %s, passed = %s, record = %s where kid = %s and ended_at is null returning kid",
            [now, passed, Jsonb(record), kid],
        )
        if done is not None:
            await audit.append(tx, tenant, "service", f"keys.drill-{'passed' if passed else 'failed'}", record, now)
    if not passed:
        log.error("drill failed", tenant=tenant, failed=[name for name, held in checks.items() if not held])


async def age(ops: Transaction, now: datetime) -> dict[str, Any]:
    """Over all tenants (role ops): `age_s` since the last drill that passed (or since there are tenants; None without any),
    how many `drills` there were, and how many are `stuck`."""
    return await fetch_one(ops, PASSED, {"now": now}) or {"age_s": None, "drills": 0, "stuck": 0}


async def _lists(tx: Transaction, kid: str, new_kid: str) -> dict[str, bool]:
    """What whoever fetches the lists now is told."""
    known = {key.kid: key.status for key in (await trust.newest(tx)).keys}
    newest = await fetch_one(tx, "select document from revocation_lists order by trust_version desc, n desc limit 1")
    named = RevocationList.parse(newest["document"].encode()).kids if newest else ()
    return {
        "the trust list says that the old key is revoked": known.get(kid) in (None, KeyStatus.REVOKED),
        "the trust list names the new key": known.get(new_kid) is KeyStatus.ACTIVE,
        "the revocation list names the old key": kid in named,
    }


async def _signs(connections: Connections, kid: str, row: dict[str, Any] | None) -> bool:
    """Whether the key service signs with it so that its published half verifies. Raises `keys-unavailable`."""
    if row is None:
        return False
    signer = ServiceSigner(connections.keys, row["key_name"], kid)
    try:
        signed = await asyncio.to_thread(sign_compact, {**HEADER, "kid": kid}, b"{}", signer)
        require_signature(split_compact(signed, len(signed)), parse_jwk(row["jwk"]))
    except JoseRefused:
        return False
    except ContentError as error:
        if error.code != "key-refused":
            raise
        return False
    return True
