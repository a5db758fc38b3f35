"""CONTENT_GLOBAL → rows: what other regions tell of their tenants, so that this one can answer for it.

A region answers for what was revoked elsewhere even while that region is away (`GET /v1/tenants/{tenant}/revoked`), knows where
a tenant lives without being told by a token (421), refuses to make a tenant whose name is taken elsewhere, takes no event for
it, and its caches and edge serve a version no more that was revoked elsewhere. Whatever is heard twice changes nothing.

The region a message came from is the word in its subject, which the link put there (`cluster.regions`): an event that says
another source is refused. What is refused stays in the stream for 90 days, and is told in the log.
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from nats.aio.msg import Msg

from cluster import telemetry
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.events import GIVEN_BACK_S, GLOBAL, NEVER_S, Events, Source, Tries
from cluster.invalidations import PREFIX, Changed
from cluster.outbox import Outgoing, emit
from cluster.regions import FOREIGN, origin_of
from cluster.settings import Settings
from cluster.telemetry.metrics import FOREIGN_EVENTS, REGION_LAG, REGION_SILENCE
from content.errors import ContentError, WrongRegion
from content.events import Envelope, RevocationIssued, TamperDetected, TenantHomed, parse
from content.events.envelope import SOURCE

DURABLE: Final = "content-elsewhere"
BATCH: Final = 64
TRIES: Final = 5
"""Of an event on which our own code fails; then it is passed over, and the rest goes on."""
KINDS: Final = {"bundle": "bundles", "device": "devices", "package": "packages", "version": "versions", "kid": "kids"}
HOME = b"""
    insert into foreign_tenants (tenant, region) values (%(tenant)s, %(region)s)
    on conflict (tenant) do update set region = foreign_tenants.region returning region, xmax = 0 as is_new
"""
REVOKED = b"""
    insert into foreign_revocations (tenant, kind, subject, issued_at)
    select %(tenant)s, f.kind, f.subject, %(issued_at)s from unnest(%(kinds)s::text[], %(subjects)s::text[]) as f (kind, subject)
    on conflict do nothing
"""
REPORTED = b"""
    insert into foreign_reports (tenant, report_id, source, code, observed_at)
    values (%(tenant)s, %(report_id)s, %(source)s, %(code)s, %(observed_at)s) on conflict do nothing
"""
log = structlog.get_logger()


class Elsewhere:
    """Takes what other regions tell; any number of relays share the durable consumer."""

    def __init__(self, connections: Connections, events: Events) -> None:
        self._connections, self._events = connections, events
        self._tries = Tries(TRIES)
        self._puller = events.puller(GLOBAL, DURABLE, FOREIGN, connections.settings.lease_s)

    async def step(self) -> int:
        """Take one batch and return how many events it held. Raises `events-unavailable` in an outage."""
        return await self._puller.in_order(BATCH, self._take)

    async def _take(self, message: Msg) -> None:
        region, kind, result = origin_of(message.subject), "unknown", "refused"
        try:
            event = _read(message.subject, region, message.data)
            kind = event.TYPE
            with telemetry.bound(tenant=event.tenant_id, event_id=event.id):
                result = await receive(self._connections, region, event)
            if result in ("recorded", "named") and isinstance(event, RevocationIssued):
                await self._tell_caches(event)
        except ContentError as error:
            if error.retryable:
                raise
            log.error(
                "event of another region refused",
                code=error.code,
                region=region,
                number=message.metadata.sequence.stream,
            )
        except Exception:
            log.exception("event of another region failed", region=region, number=message.metadata.sequence.stream)
            if self._tries.left(message):
                await message.nak(delay=GIVEN_BACK_S)
                return
        FOREIGN_EVENTS.add(origin=region, type=kind, result=result)
        await message.ack()

    async def _tell_caches(self, event: RevocationIssued) -> None:
        """To every replica of the API and the edge; the row is there for those that do not hear it."""
        for named in event.data.versions:
            package_id, _, version = named.partition("/")
            if version.isdecimal():
                word = Changed(event.tenant_id, package_id, int(version), withdrawn=True)
                await self._events.say(PREFIX + event.tenant_id, word.to_bytes())

    async def look(self) -> int:
        """Tell how long each link has been silent, and how much of it is on its way; to be called every few seconds."""
        found = {source.region: source for source in await self._events.sources(GLOBAL)}
        for region in sorted({*found, *self._connections.settings.other_regions}):
            source = found.get(region) or Source(region, NEVER_S, 0)  # left out, say, since it could not begin anew
            REGION_SILENCE.set(source.silent_s, origin=source.region)
            REGION_LAG.set(source.lag, origin=source.region)
        return 0


def _read(subject: str, region: str, body: bytes) -> Envelope:
    """The event. Raises ContentError for what is none, or is not from where it came."""
    event = parse(body)
    if event.source != f"{SOURCE}/{region}":
        raise ContentError("event-invalid", f"It came from {region} and says that it is from elsewhere.")
    if not subject.endswith(f".{event.TYPE}"):
        raise ContentError("event-invalid", "It came under the subject of another type.")
    return event


async def receive(connections: Connections, region: str, event: Envelope) -> str:
    """Note what an event says; returns `recorded`, `named` (the same, and the first that is heard of this name: from now on it is that
    region's), `ignored` (a type of no concern here) or `conflict`."""
    tenant = event.tenant_id
    async with connections.db.tenant(tenant) as tx:
        home = await fetch_one(tx, HOME.decode(), {"tenant": tenant, "region": region})
        if home is None or home["region"] != region or await fetch_one(tx, "select 1 as x from tenants"):
            # Two regions made it before they heard of each other. Neither takes the other's word on its own tenant.
            log.error("a tenant of that name lives in two regions", tenant=tenant, region=region)
            return "conflict"
        match event:
            case RevocationIssued(data=data):
                named = [(kind, subject) for kind, member in KINDS.items() for subject in getattr(data, member)]
                kinds, subjects = [kind for kind, _ in named], [subject for _, subject in named]
                row: dict[str, Any] = {"tenant": tenant, "kinds": kinds, "subjects": subjects}
                await tx.execute(REVOKED, {**row, "issued_at": data.issued_at})
            case TamperDetected(data=data):
                row = {"tenant": tenant, "report_id": data.report_id, "source": data.source, "code": data.code}
                await tx.execute(REPORTED, {**row, "observed_at": data.observed_at})
            case TenantHomed():
                pass
            case _:
                return "ignored"
    return "named" if home["is_new"] else "recorded"


async def announce(tx: Transaction, settings: Settings, tenant: str) -> None:
    """Tell the other regions, where there are any, that a tenant lives here."""
    if settings.other_regions:
        data = {"tenant_id": tenant, "home_region": settings.region}
        await emit(tx, tenant, [Outgoing(TenantHomed.TYPE, tenant, data)])


async def home_of(tx: Transaction) -> str | None:
    """The region in which the tenant of this transaction lives, if that is another one."""
    row = await fetch_one(tx, "select region from foreign_tenants where not exists (select 1 from tenants)")
    return row["region"] if row else None


async def require_not_elsewhere(tx: Transaction, settings: Settings) -> None:
    """Raises WrongRegion where the tenant of this transaction is known to live in another region."""
    home = await home_of(tx)
    if home is not None:
        raise wrong_region(settings, home)


def wrong_region(settings: Settings, home: str) -> WrongRegion:
    """What a request for another region's tenant gets: no redirect, since credentials must not follow one."""
    message, remedy = f"This is the region {settings.region}, not {home}.", f"Ask the service in {home}."
    return WrongRegion("wrong-region", message, remedy, False, home, settings.region_urls.get(home, ""))


async def revoked(tx: Transaction, kind: str, subject: str) -> dict[str, Any] | None:
    """When the tenant of this transaction took this back, here or elsewhere, as far as a signed list has named it."""
    rows = await fetch_all(
        tx,
        """select revoked_at as issued_at from revocations where kind = %(kind)s and subject = %(subject)s and listed is not null
           union all select issued_at from foreign_revocations where kind = %(kind)s and subject = %(subject)s limit 1""",
        {"kind": kind, "subject": subject},
    )
    return rows[0] if rows else None
