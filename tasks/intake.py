"""NATS → inbox: the neighbours' events become rows and queue entries, each in one transaction.

Every message is parsed by code with limits; what is bad goes to the dead letters with the reason and never blocks the
rest. An event that was seen before changes nothing. Attempts are not counted by NATS (a message at its maximum would
become invisible): what cannot be done now is given back with a delay, for ever.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import structlog
from nats.aio.msg import Msg
from psycopg.types.json import Jsonb

from cluster import failpoints, queue, telemetry
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.events import DOMAIN, GIVEN_BACK_S, Events, Tries
from cluster.queue import Work
from cluster.telemetry import SpanKind
from cluster.telemetry.metrics import EVENTS_IN
from content.canonical import derive_id, digest
from content.errors import ContentError
from content.events import CourseDraftPublished, EnrollmentCancelled, EnrollmentCreated, Envelope, parse
from content.events.types import CourseDraftPublishedData, EnrollmentCancelledData, EnrollmentCreatedData
from tasks import elsewhere, jobs, planning, revocations
from tasks.epochs import leave_enrolment
from tasks.importing import imports
from tasks.keeping import erasure

DURABLE, SUBJECT, BATCH = "content-intake", ">", 32
TRIES = 5
"""Of a message on which our own code fails: then it is a dead letter like any other, and the rest goes on."""
REASON_BYTES, DEAD_BYTES = 4 << 10, (1 << 20) - (16 << 10)
log = structlog.get_logger()


class Intake:
    """Takes batches from the `DOMAIN` stream; any number of intakes share its durable consumer."""

    def __init__(self, connections: Connections, events: Events) -> None:
        self._connections, self._events = connections, events
        self._tries = Tries(TRIES)
        self._puller = events.puller(DOMAIN, DURABLE, SUBJECT, connections.settings.lease_s)

    async def step(self) -> int:
        """Take one batch and return how many messages it held. Raises `events-unavailable` in an outage."""
        return await self._puller.in_order(BATCH, self._take)

    async def _take(self, message: Msg) -> None:
        try:
            await receive(self._connections, message.data)
        except ContentError as error:
            if error.retryable:
                raise
            await self._bury(message, error)
        except Exception as error:
            log.exception("event failed", subject=message.subject, number=message.metadata.sequence.stream)
            if self._tries.left(message):
                await message.nak(delay=GIVEN_BACK_S)
                return
            await self._bury(message, ContentError("internal", f"Our code failed on it: {type(error).__name__}."))
        failpoints.hit("intake.before_ack", self._connections.settings)
        await message.ack()

    async def _bury(self, message: Msg, error: ContentError) -> None:
        """To the dead letters, with the reason; a message near NATS's limit is cut to leave room for it."""
        log.warning("event refused", code=error.code, subject=message.subject)
        EVENTS_IN.add(type=message.subject, result="refused")
        reason = json.dumps(jobs.problem_of(error))  # ASCII, so that it may stand in a header
        headers = {
            "Content-Reason": error.code,
            "Content-Problem": reason if len(reason) <= REASON_BYTES else json.dumps({"code": error.code}),
            "Content-Subject": message.subject,
            "Content-Bytes": str(len(message.data)),
        }
        # The same delivery again is the same letter; the same bytes sent again are another.
        letter = f"{digest(message.data)}/{message.metadata.sequence.stream}"
        # What is said of a tenant of another region is not kept in this one, not even as a dead letter.
        body = b"" if error.code == "wrong-region" else message.data[:DEAD_BYTES]
        await self._events.publish(f"dead.{message.subject}", body, letter, headers)


async def receive(connections: Connections, body: bytes) -> bool:
    """Bring one event in. False if it was here before. Raises ContentError for what is no event of ours."""
    event = parse(body)
    with (
        telemetry.bound(tenant=event.tenant_id, event_id=event.id),
        telemetry.span(
            f"receive {event.TYPE}",
            parent=event.traceparent,
            kind=SpanKind.CONSUMER,
            tenant=event.tenant_id,
            event=event.id,
        ),
    ):
        new = await _receive(connections, event)
    EVENTS_IN.add(type=event.TYPE, result="taken" if new else "seen")
    return new


async def _receive(connections: Connections, event: Envelope) -> bool:
    tenant = event.tenant_id
    async with connections.db.tenant(tenant) as tx:
        known = await fetch_one(tx, "select closed_at from tenants")
        if known is None:
            await elsewhere.require_not_elsewhere(tx, connections.settings)
            raise ContentError(
                "tenant-unknown", f"There is no tenant {tenant} here.", "Create it, then replay the event."
            )
        if known["closed_at"] is not None:  # nor a dead letter, which would keep what it says
            log.info("event of a closed tenant left out", type=event.TYPE)
            return False
        new = await fetch_one(
            tx,
            "insert into inbox (tenant, event_id, type) values (%s, %s, %s) on conflict do nothing returning event_id",
            [tenant, event.id, event.TYPE],
        )
        if new is None:
            return False
        await _plan(tx, tenant, event)
        await tx.execute(b"select log_event(%s, %s, %s)", [tenant, event.id, Jsonb(event.agreed())])
        return True


async def _plan(tx: Transaction, tenant: str, event: Envelope) -> None:
    match event:
        case CourseDraftPublished(data=data):
            await draft_published(tx, tenant, data)
        case EnrollmentCreated(data=data):
            await _enrolled(tx, tenant, data, event.time)
        case EnrollmentCancelled(data=data):
            await _cancelled(tx, tenant, data)
        case _:
            raise ContentError("event-unknown-type", f"{event.TYPE} is not an event this service takes in.")


async def draft_published(tx: Transaction, tenant: str, data: CourseDraftPublishedData) -> str | None:
    """A version and its build job; None if this revision is older than one already taken in.

    A revision whose build failed is built again when it is published again. Raises ContentError `course-imported`.
    """
    package_id = derive_id("pkg", tenant, data.course_id)
    await tx.execute(
        b"insert into packages (tenant, package_id, course_id) values (%s, %s, %s) on conflict do nothing",
        [tenant, package_id, data.course_id],
    )
    # The package's row is locked while a version is numbered.
    await tx.execute(b"select 1 from packages where package_id = %s for update", [package_id])
    await imports.require_kind(tx, data.course_id, imports.COURSE)
    version = await _failed_before(tx, package_id, data) or await _next_version(tx, tenant, package_id, data)
    if version is None:
        return None
    subject: dict[str, Any] = {"package_id": package_id, "version": version}
    job = jobs.job_id(tenant, "build", package_id, version)
    if await jobs.create(tx, tenant, job, "build", subject):
        await queue.enqueue(tx, queue.BUILD, [Work(tenant, job)])
    return job


async def _failed_before(tx: Transaction, package_id: str, data: CourseDraftPublishedData) -> int | None:
    """The version of this very revision, planned anew, if its build had failed."""
    row = await fetch_one(
        tx,
        """update package_versions set state = 'planned', report = null
           where package_id = %s and draft_id = %s and revision = %s and state = 'failed' returning version""",
        [package_id, data.draft_id, data.revision],
    )
    return row["version"] if row else None


async def _next_version(tx: Transaction, tenant: str, package_id: str, data: CourseDraftPublishedData) -> int | None:
    newest = await fetch_one(
        tx,
        """select max(version) as version, max(revision) filter (where draft_id = %s) as revision
           from package_versions where package_id = %s""",
        [data.draft_id, package_id],
    )
    if newest is None or (newest["revision"] is not None and newest["revision"] >= data.revision):
        return None
    version = (newest["version"] or 0) + 1
    await tx.execute(
        b"""insert into package_versions (tenant, package_id, version, draft_id, revision, drafted_at)
            values (%s, %s, %s, %s, %s, %s)""",
        [tenant, package_id, version, data.draft_id, data.revision, data.published_at],
    )
    return version


async def _enrolled(tx: Transaction, tenant: str, data: EnrollmentCreatedData, at: datetime | None) -> None:
    await planning.greet_learner(tx, tenant, data.learner_id)
    if await erasure.gone(tx, tenant, data.learner_id, at):
        log.info("enrolment of an erased learner left out", enrollment_id=data.enrollment_id)
        return
    await tx.execute(
        b"""insert into enrolments (tenant, enrollment_id, learner_id, course_id, starts_at, ends_at)
            values (%s, %s, %s, %s, %s, %s) on conflict do nothing""",
        [tenant, data.enrollment_id, data.learner_id, data.course_id, data.starts_at, data.ends_at],
    )
    await planning.for_enrolment(tx, tenant, data.enrollment_id, data.course_id, data.learner_id)


async def _cancelled(tx: Transaction, tenant: str, data: EnrollmentCancelledData) -> None:
    """Planned bundles of it are dropped, nothing of it is handed out any more, and what a device holds is revoked."""
    # If it overtook its `created`, it leaves a row that the late `created` cannot revive.
    await tx.execute(
        b"""insert into enrolments (tenant, enrollment_id, learner_id, course_id, state) values (%s, %s, '', '', 'cancelled')
            on conflict (tenant, enrollment_id) do update set state = 'cancelled'""",
        [tenant, data.enrollment_id],
    )
    await tx.execute(
        b"update bundles set state = 'cancelled' where enrollment_id = %s and state in ('planned', 'claimed')",
        [data.enrollment_id],
    )
    # Behind it, so that a bundle whose commit it waited for is seen.
    await leave_enrolment(tx, data.enrollment_id)
    await revocations.enrolment(tx, tenant, data.enrollment_id, data.reason)
