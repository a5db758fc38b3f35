"""Erasing a learner: at once the name, the devices' keys and the wrapped content keys; by a job what was made for them.

One transaction puts the pseudonym in place of the name in every row, takes the devices back (the revocation list names them, by
their opaque ids), empties them of their keys, deletes the content keys that were theirs alone, and deletes the mapping: from its
commit on nobody can say who the pseudonym was. The job (`tasks/keeping/erasure_job.py`) removes bundles, messages and what tells of the
person outside of Postgres; what is under legal hold stays, without a name, until it is released.

A digest under the tenant's salt is kept for a while, so that what was sent before and arrives after the erasure is known for what
it is (`gone`); somebody who is enrolled anew after it is somebody new. Locks: the learner, then as `tasks/planning.py` says.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from cluster import database, queue
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.outbox import Outgoing, emit
from cluster.queue import Work
from content.canonical import derive_id, rfc3339
from content.errors import ContentError
from content.pseudonyms import is_pseudonym
from tasks import deactivation, jobs, planning

KIND = queue.ERASURE
ERASED = "content.learner.erased.v1"
NAMED = (
    b"update enrolments set learner_id = %(pseudonym)s, state = 'cancelled' where learner_id = %(learner)s",
    b"""update devices set learner_id = %(pseudonym)s, state = 'revoked', revoked_at = coalesce(revoked_at, now()),
               signing_jwk = '{}', encryption_jwk = '{}', erased_at = now() where learner_id = %(learner)s""",
    b"update bundles set learner_id = %(pseudonym)s where learner_id = %(learner)s",
    b"""update outbox set data = jsonb_set(data, '{learner_id}', to_jsonb(%(pseudonym)s::text))
        where data ->> 'learner_id' = %(learner)s""",
    b"""update webhook_deliveries set data = jsonb_set(data, '{learner_id}', to_jsonb(%(pseudonym)s::text))
        where data ->> 'learner_id' = %(learner)s""",
    b"delete from device_challenges where learner_id = %(learner)s",
    b"""delete from idempotency_keys where subject = 'token:' || %(learner)s
        or position(to_json(%(learner)s::text)::text in body) > 0""",
)
"""Every place in which rows name a learner. A test looks through all columns of all tables for one that is missing here."""
KEYS = b"""
    delete from content_keys k where k.scope = any(%(devices)s)
       or exists (select 1 from unnest(%(devices)s::text[]) d where starts_with(k.scope, d || '/'))
"""
NOTE = b"""
    update jobs set position = (select b.position from jobs b where b.job_id = %(before)s) where job_id = %(job)s
"""
"""What a job still had to remove when a hold came goes over to the one after it."""
INSERT = b"""
    insert into erasures (tenant, erasure_id, pseudonym, digest, job_id, counts)
    values (%(tenant)s, %(erasure_id)s, %(pseudonym)s, %(digest)s, %(job_id)s, %(counts)s)
"""


@dataclass(frozen=True)
class Erased:
    """`new` is False where the same person was erased before."""

    erasure_id: str
    pseudonym: str
    job_id: str
    new: bool
    counts: dict[str, int]


async def erase(tx: Transaction, tenant: str, learner_id: str) -> Erased:
    """Erase a learner, whether the service knows them or not: what is on its way to us must not bring them in.

    Asking again gives the same erasure, unless the person has come back since.
    """
    if is_pseudonym(learner_id):
        raise ContentError("request-invalid", "This is a pseudonym, not a learner's id.", "Name the learner.")
    await planning.meet_learner(tx, tenant, learner_id)
    digest = await digest_of(tx, tenant, learner_id)
    known = await fetch_one(tx, "select pseudonym from learners where learner_id = %s for update", [learner_id])
    before = await fetch_one(
        tx,
        """select erasure_id, pseudonym, job_id, counts from erasures where digest = %s
           order by requested_at desc limit 1""",
        [digest],
    )
    if known is None and before is not None:
        return Erased(before["erasure_id"], before["pseudonym"], before["job_id"], False, before["counts"])
    pseudonym = (known or await fetch_one(tx, "select pseudonym_of(%s, %s) as pseudonym", [tenant, learner_id]) or {})[
        "pseudonym"
    ]
    erasure_id = derive_id("ers", tenant, pseudonym)
    job = jobs.job_id(tenant, KIND, erasure_id)
    counts = await _erase(tx, tenant, erasure_id, pseudonym, learner_id)
    await tx.execute(
        INSERT,
        {
            "tenant": tenant, "erasure_id": erasure_id, "pseudonym": pseudonym, "digest": digest, "job_id": job,
            "counts": Jsonb(counts),
        },
    )  # fmt: skip
    await _queue(tx, tenant, job, erasure_id)
    return Erased(erasure_id, pseudonym, job, True, counts)


async def repeat(tx: Transaction, tenant: str) -> int:
    """Erase again whom a database that was restored or set back knows though it knows of the erasure, too: that one outlives
    the region before it is acknowledged, and what it did follows from it. Returns how many."""
    rows = await fetch_all(
        tx,
        """select e.erasure_id, e.pseudonym, e.job_id, l.learner_id from erasures e join learners l on l.pseudonym = e.pseudonym
           order by e.erasure_id for update of e""",
    )
    for row in rows:
        await planning.meet_learner(tx, tenant, row["learner_id"])
        await _erase(tx, tenant, row["erasure_id"], row["pseudonym"], row["learner_id"])
        await _queue(tx, tenant, row["job_id"], row["erasure_id"])
    return len(rows)


async def _erase(tx: Transaction, tenant: str, erasure_id: str, pseudonym: str, learner_id: str) -> dict[str, int]:
    """All that is done at once, but for the erasure's own row and job; returns how much there was."""
    now = await database.now(tx)
    devices = await fetch_all(tx, "select device_id from devices where learner_id = %s order by 1", [learner_id])
    enrolments = await fetch_all(tx, "select enrollment_id from enrolments where learner_id = %s order by 1", [learner_id])  # fmt: skip
    ids = [row["device_id"] for row in devices]
    for device_id in ids:
        await deactivation.deactivate(tx, tenant, device_id, cause="device", reason="erased")
    await tx.execute(
        b"""update bundles set state = 'cancelled', claimed_by = null, claimed_until = null
            where learner_id = %s and state in ('planned', 'claimed', 'failed')""",
        [learner_id],
    )
    keys = (await tx.execute(KEYS, {"devices": ids})).rowcount
    bundles = await fetch_one(tx, "select count(*) as n from bundles where learner_id = %s", [learner_id])
    for statement in NAMED:
        await tx.execute(statement, {"pseudonym": pseudonym, "learner": learner_id})
    await tx.execute(b"delete from learners where pseudonym = %s", [pseudonym])
    data = {
        "tenant_id": tenant, "erasure_id": erasure_id, "pseudonym": pseudonym, "device_ids": ids,
        "enrollment_ids": [row["enrollment_id"] for row in enrolments], "erased_at": rfc3339(now),
    }  # fmt: skip
    await emit(tx, tenant, [Outgoing(ERASED, erasure_id, data)])
    return {
        "devices": len(ids), "enrolments": len(enrolments), "content_keys": keys,
        "bundles": bundles["n"] if bundles else 0,
    }  # fmt: skip


async def gone(tx: Transaction, tenant: str, learner_id: str, at: datetime | None, *, within_s: float = 0.0) -> bool:
    """Whether something about a learner was said before that learner was erased (or less than `within_s` after it). What does
    not say when it was said is taken for old."""
    if await fetch_one(tx, "select 1 as x from erasures where digest is not null limit 1") is None:
        return False
    row = await fetch_one(
        tx,
        """select 1 as x from erasures where digest = %(digest)s
           and (%(at)s::timestamptz is null or requested_at + make_interval(secs => %(within)s) >= %(at)s) limit 1""",
        {"digest": await digest_of(tx, tenant, learner_id), "within": within_s, "at": at},
    )
    return row is not None


async def digest_of(tx: Transaction, tenant: str, learner_id: str) -> str:
    """What an erasure keeps of a name. Under a salt of the tenant's own, so it says nothing to whoever has the digest alone."""
    await tx.execute(b"insert into erasure_salts (tenant) values (%s) on conflict do nothing", [tenant])
    row = await fetch_one(tx, "select salt from erasure_salts")
    assert row is not None
    return hmac.new(row["salt"].encode(), learner_id.encode(), hashlib.sha256).hexdigest()


async def resume(tx: Transaction, tenant: str) -> int:
    """Go on with erasures that wait for a hold to be released, or whose job ended before its time or was lost with a region."""
    rows = await fetch_all(
        tx,
        """select e.erasure_id, e.job_id from erasures e left join jobs j on j.job_id = e.job_id
           where e.state in ('erasing', 'held') and coalesce(j.state, 'failed') in ('succeeded', 'failed', 'cancelled')
           for update of e""",
    )
    for row in rows:
        job = derive_id("job", tenant, KIND, row["job_id"])  # a job that succeeded stays so: another one goes on
        await tx.execute(b"update erasures set job_id = %s where erasure_id = %s", [job, row["erasure_id"]])
        await _queue(tx, tenant, job, row["erasure_id"])
        await tx.execute(NOTE, {"before": row["job_id"], "job": job})
    return len(rows)


async def forget(tx: Transaction, days: float) -> int:
    """Forget the digests of erasures from before which nothing can arrive any more."""
    cursor = await tx.execute(
        b"""update erasures set digest = null where digest is not null and state = 'done'
            and requested_at < now() - make_interval(secs => %s)""",
        [days * 86_400],
    )
    return cursor.rowcount


async def _queue(tx: Transaction, tenant: str, job: str, erasure_id: str) -> None:
    subject: dict[str, Any] = {"erasure_id": erasure_id}
    await jobs.create(tx, tenant, job, KIND, subject)
    await queue.enqueue(tx, KIND, [Work(tenant, job)])
