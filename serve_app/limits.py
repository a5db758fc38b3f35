"""How many requests: a tenant's budget, leased in chunks from Postgres, and a crude one per address for everybody else.

A tenant's budget is one row for all replicas (ADR 0016). Each replica holds a chunk and asks the row again when the chunk
is spent, so most requests cost nothing. Requests without a proven caller (public routes, refused tokens) are counted per
address in this replica alone; a caller who is proven is never held up by an address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from starlette.requests import Request

from cluster.database import Database, fetch_one
from cluster.settings import Settings
from cluster.telemetry.metrics import RATE_LIMITED
from content.errors import ContentError
from content.rate import MOST_CHUNK, WINDOW_S, RateLimited, chunk, lease
from serve_app.requests import add_header, caller_of

MOST_KNOWN = 10_000
HOLD_S = 10.0
"""A chunk that is held longer is given back for a new one, so that a changed limit is obeyed soon."""
log = structlog.get_logger()


@dataclass
class _Held:
    """What this replica holds of one tenant's budget."""

    per_minute: int = 0
    tokens: int = 0
    left: int = 0
    refills_at: float = 0.0
    refused_until: float = 0.0
    stale_at: float = 0.0
    closed: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Limits:
    """The budgets as this replica knows them; `clock` is monotonic, in seconds."""

    def __init__(self, settings: Settings, db: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._db, self._clock = settings, db, clock
        self._tenants: OrderedDict[str, _Held] = OrderedDict()
        self._addresses: OrderedDict[str, float] = OrderedDict()

    async def spend(self, request: Request, tenant: str) -> None:
        """Count one request of a tenant; the answer will say what is left. Raises RateLimited `rate-limited`, and ContentError
        `tenant-closed` for whoever is no operator of a tenant that is being deleted."""
        held = self._tenants.setdefault(tenant, _Held())
        _keep_newest(self._tenants, tenant)
        if self._is_spent(held):
            async with held.lock:
                if self._is_spent(held):
                    await self._lease(held, tenant)
        if held.closed:
            caller = caller_of(request.scope)
            if caller is None or "operator" not in caller.scopes:
                raise ContentError("tenant-closed", "This tenant was deleted.", "There is nothing here any more.")
            return
        held.tokens -= 1 if held.tokens else 0
        if not held.per_minute:
            return  # the database is away: its outage is not turned into refusals here
        refused = self._clock() < held.refused_until
        _tell(request, "tenant", held.per_minute, held.tokens + held.left, held.refills_at - self._clock())
        if refused:
            RATE_LIMITED.add(policy="tenant")
            raise _refusal(held.refused_until - self._clock(), "Your tenant has sent too many requests.")

    def spend_address(self, request: Request) -> None:
        """Count one request of nobody in particular. Raises RateLimited `rate-limited`."""
        address = address_of(request, self._settings.trusted_proxies)
        per_minute, now = self._settings.address_requests_per_minute, self._clock()
        taken = lease(self._addresses.get(address, 0.0), now, per_minute=per_minute, most=1)
        self._addresses[address] = taken.spent_until
        _keep_newest(self._addresses, address)
        _tell(request, "address", per_minute, taken.left, taken.spent_until - now)
        if not taken.tokens:
            RATE_LIMITED.add(policy="address")
            raise _refusal(taken.wait_s, "Your address has sent too many requests without a valid token.")

    def _is_spent(self, held: _Held) -> bool:
        now = self._clock()
        return now >= held.refused_until and (held.tokens < 1 or now >= held.stale_at)

    async def _lease(self, held: _Held, tenant: str) -> None:
        try:
            async with self._db.tenant(tenant) as tx:
                # The row is locked from here on, so that replicas take their chunks one after the other.
                row = await fetch_one(
                    tx,
                    """insert into rate_budgets (tenant, spent_until)
                       select %s, now() where not exists (select 1 from tenants where closed_at is not null)
                       on conflict (tenant) do update set spent_until = rate_budgets.spent_until
                       returning spent_until, clock_timestamp() as now,
                                 (select (limits->>'requests_per_minute')::int from tenants) as per_minute""",
                    [tenant],
                )
                held.closed = row is None
                if row is None:
                    held.stale_at = self._clock() + HOLD_S
                    return
                per_minute = row["per_minute"] or self._settings.tenant_requests_per_minute
                now = row["now"].timestamp()
                unused_s = held.tokens * WINDOW_S / held.per_minute if held.per_minute else 0.0
                taken = lease(
                    row["spent_until"].timestamp() - unused_s, now, per_minute=per_minute, most=chunk(per_minute)
                )
                if taken.tokens:
                    await tx.execute(
                        b"update rate_budgets set spent_until = %s", [datetime.fromtimestamp(taken.spent_until, UTC)]
                    )
        except ContentError as error:
            if not error.retryable:
                raise
            log.warning("no budget leased", tenant=tenant, error=error.code)
            held.per_minute, held.tokens = 0, MOST_CHUNK
            held.stale_at = self._clock() + HOLD_S
            return
        held.per_minute, held.tokens, held.left = per_minute, taken.tokens, taken.left
        held.stale_at = self._clock() + HOLD_S
        held.refills_at = self._clock() + taken.spent_until - now
        held.refused_until = 0.0 if taken.tokens else self._clock() + taken.wait_s


def address_of(request: Request, trusted_proxies: int) -> str:
    """The address to count by: of the peer, or what the outermost trusted proxy wrote; an IPv6 network is one address."""
    text = request.client.host if request.client else ""
    if trusted_proxies:
        told = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        text = told[-trusted_proxies].strip() if len(told) >= trusted_proxies else text
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _tell(request: Request, policy: str, per_minute: int, left: int, refills_s: float) -> None:
    """RateLimit fields of draft-ietf-httpapi-ratelimit-headers: `t` seconds until all of it is there again."""
    add_header(request.scope, "RateLimit-Policy", f'"{policy}";q={per_minute};w=60')
    add_header(request.scope, "RateLimit", f'"{policy}";r={max(0, left)};t={max(0, math.ceil(refills_s))}')


def _refusal(wait_s: float, message: str) -> RateLimited:
    remedy = "Wait for as long as `Retry-After` says, then go on."
    return RateLimited("rate-limited", message, remedy, True, max(0.0, wait_s))


def _keep_newest(known: OrderedDict[str, Any], key: str) -> None:
    known.move_to_end(key)
    if len(known) > MOST_KNOWN:
        known.popitem(last=False)
