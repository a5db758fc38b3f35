"""Sends what webhooks are owed: due rows → claim → one POST each → the answer into the row.

A claim moves the row's next attempt behind the longest end of this one, and leaves an entry in its log that says no
answer was recorded; the answer replaces it. A process killed in between leaves that entry, and the row falls due again:
the receiver gets the message twice, under the same id. One webhook is served by one runner at a time in a process, so
a slow receiver takes one place of `RUNNERS` and no more. Secrets are unwrapped here and kept nowhere.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import structlog
from psycopg.types.json import Jsonb

from cluster import egress, failpoints, queue
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.egress import Target
from cluster.outbound import retry_after_s
from cluster.telemetry.metrics import WEBHOOKS
from content.errors import ContentError
from content.webhooks import Again, Delivered, GaveUp, body, decide, headers
from tasks import webhooks

RUNNERS, AT_ONCE, ROUNDS = 16, 4, 25
LEASE_S = 60.0
"""How long after the time limit of an attempt its row falls due again, if nobody recorded how it ended."""
log = structlog.get_logger()

DUE = """
    select tenant, webhook_id, min(next_attempt_at) as since from (
        select tenant, webhook_id, next_attempt_at from webhook_deliveries
        where state = 'pending' and next_attempt_at <= now() order by next_attempt_at limit 2000) as d
    group by tenant, webhook_id order by since limit 64
"""
CLAIM = """
    with due as (
        select event_id from webhook_deliveries
        where webhook_id = %(webhook_id)s and state = 'pending' and next_attempt_at <= now()
        order by next_attempt_at, event_id limit %(limit)s for update skip locked)
    update webhook_deliveries d
    set attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => %(lease)s),
        log = (case when jsonb_array_length(log) >= 50 then log - 0 else log end) || %(begun)s
    from due where d.webhook_id = %(webhook_id)s and d.event_id = due.event_id
    returning d.event_id, d.type, d.event_at, d.data, d.attempts, d.failures
"""
MARK = """
    update webhook_deliveries
    set state = %(state)s, failures = %(failures)s, log = jsonb_set(log, '{-1}', %(entry)s),
        next_attempt_at = now() + make_interval(secs => %(delay)s),
        ended_at = case when %(state)s = 'pending' then null else now() end
    where webhook_id = %(webhook_id)s and event_id = %(event_id)s and attempts = %(attempts)s and state = 'pending'
    returning event_id
"""


@dataclass(frozen=True)
class Answer:
    """How an attempt ended: a status, or the reason why there is none. `wait_s`: what its `Retry-After` asked for."""

    status: int | None
    error: str
    duration_ms: int
    wait_s: float = 0.0


class Courier:
    """The deliveries of this process. Call `step` again and again; `stop` waits for what is on its way."""

    def __init__(self, connections: Connections) -> None:
        self._connections, self._settings = connections, connections.settings
        # No connection is kept: two names may share an address, and each has its own certificate to show.
        self._http = httpx.AsyncClient(
            trust_env=False, follow_redirects=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self._runners: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def step(self) -> int:
        """Begin to serve webhooks that are owed something, as far as there is room; returns how many were begun."""
        async with self._connections.ops.connection() as ops:
            if await queue.paused(ops, queue.WEBHOOK):
                return 0
            due = await fetch_all(ops, DUE)
        begun = 0
        for row in due:
            name = (row["tenant"], row["webhook_id"])
            if name not in self._runners and len(self._runners) < RUNNERS:
                task = asyncio.create_task(self._serve(*name))
                self._runners[name] = task
                task.add_done_callback(lambda _, name=name: self._runners.pop(name, None))
                begun += 1
        return begun

    async def stop(self, patience_s: float) -> None:
        """Wait for what is on its way; the rest falls due again elsewhere."""
        runners = list(self._runners.values())
        try:
            if runners:
                await asyncio.wait(runners, timeout=patience_s)
        finally:
            for task in runners:
                task.cancel()
            await asyncio.gather(*runners, return_exceptions=True)
            await self._http.aclose()

    async def _serve(self, tenant: str, webhook_id: str) -> None:
        try:
            for _ in range(ROUNDS):  # then others have their turn
                if not await self._batch(tenant, webhook_id):
                    return
        except ContentError as error:
            log.warning("webhook put off", tenant=tenant, webhook=webhook_id, code=error.code)
        except Exception as error:
            log.exception("webhook failed", tenant=tenant, webhook=webhook_id, error=type(error).__name__)

    async def _batch(self, tenant: str, webhook_id: str) -> int:
        """Send a few messages side by side; how many were due."""
        async with self._connections.db.tenant(tenant) as tx:
            hook = await fetch_one(tx, webhooks.SENDING, [webhook_id])
        if hook is None or hook["state"] != "active":
            async with self._connections.db.tenant(tenant) as tx:
                await webhooks.hold(tx, webhook_id)
            return 0
        wrapped = [hook["secret"], *([hook["previous_secret"]] if hook["previous_secret"] else [])]
        keys = await asyncio.to_thread(self._connections.keys.unwrap, tenant, wrapped)
        lease_s = self._settings.webhook_timeout_s + LEASE_S
        begun = {"at": datetime.now(UTC).isoformat(), "status": None, "error": webhooks.NO_RECORD, "duration_ms": None}
        async with self._connections.db.tenant(tenant) as tx:
            rows = await fetch_all(
                tx, CLAIM, {"webhook_id": webhook_id, "limit": AT_ONCE, "lease": lease_s, "begun": Jsonb([begun])}
            )
        await asyncio.gather(*(self._deliver(tenant, webhook_id, hook["url"], keys, row, begun) for row in rows))
        return len(rows)

    async def _deliver(
        self, tenant: str, webhook_id: str, url: str, keys: list[bytes], row: dict[str, Any], begun: dict[str, Any]
    ) -> None:
        content = body(row["type"], row["event_at"], row["data"])
        signed = headers(keys, row["event_id"], datetime.now(UTC), content)
        try:
            target = await egress.resolve(url, self._settings)
            answer = await send(self._http, target, signed, content, self._settings.webhook_timeout_s)
        except ContentError as error:
            answer = Answer(None, error.message, 0)
        await asyncio.to_thread(failpoints.hit, "webhook.after_send", self._settings)
        entry = {**begun, "status": answer.status, "error": answer.error, "duration_ms": answer.duration_ms}
        async with self._connections.db.tenant(tenant) as tx:
            await self._record(tx, tenant, webhook_id, row, answer, entry)

    async def _record(
        self, tx: Transaction, tenant: str, webhook_id: str, row: dict[str, Any], answer: Answer, entry: dict[str, Any]
    ) -> None:
        failures = row["failures"] + 1
        outcome = decide(answer.status, failures, self._settings.webhook_retry_s, random.random(), answer.wait_s)  # noqa: S311
        values: dict[str, Any] = {"failures": failures, "delay": 0.0, "entry": Jsonb(entry)}
        match outcome:
            case Delivered():
                values |= {"state": "delivered", "failures": row["failures"]}
            case Again(delay_s=delay_s):
                values |= {"state": "pending", "delay": delay_s}
            case GaveUp():
                values |= {"state": "failed"}
        keys = {"webhook_id": webhook_id, "event_id": row["event_id"], "attempts": row["attempts"]}
        if await fetch_one(tx, MARK, {**values, **keys}) is None:
            return  # somebody else has it by now
        WEBHOOKS.add(result=values["state"] if values["state"] != "pending" else "retried")
        if isinstance(outcome, Delivered):
            await webhooks.works(tx, webhook_id)
            return
        now = datetime.now(UTC)
        since = await webhooks.fails(tx, webhook_id)
        if isinstance(outcome, GaveUp) and outcome.gone:
            await webhooks.disable(tx, tenant, webhook_id, "its receiver answered 410 Gone", now)
        elif since is not None and since < now - timedelta(seconds=self._settings.webhook_disable_after_s):
            await webhooks.disable(
                tx, tenant, webhook_id, f"every attempt failed since {since:%Y-%m-%d %H:%M} UTC", now
            )


async def send(
    client: httpx.AsyncClient, target: Target, signed: dict[str, str], content: bytes, timeout_s: float
) -> Answer:
    """One POST. The answer's body is not read, a redirect is not followed, and all of it ends after `timeout_s`."""
    request = client.build_request(
        "POST",
        target.url,
        content=content,
        headers={
            "Host": target.host,
            "Content-Type": "application/json",
            "User-Agent": "content-service-webhooks/1",
            **signed,
        },
        timeout=timeout_s,
        extensions={"sni_hostname": target.name},
    )
    began, status, error, wait_s = time.monotonic(), None, "", 0.0
    try:
        async with asyncio.timeout(timeout_s):
            response = await client.send(request, stream=True)
            await response.aclose()
        status = response.status_code
        if 300 <= status < 400:
            error = "a redirect, which is not followed"
        elif not 200 <= status < 300:
            error = f"it answered {status}"
            wait_s = retry_after_s(response.headers.get("retry-after", ""))
    except (TimeoutError, httpx.TimeoutException):
        error = f"no answer within {timeout_s:g} s"
    except httpx.ConnectError as failed:
        error = "its certificate is not valid" if "CERTIFICATE" in str(failed).upper() else "no connection"
    except (httpx.HTTPError, OSError) as failed:
        error = f"the connection broke ({type(failed).__name__})"
    return Answer(status, error, round((time.monotonic() - began) * 1000), wait_s)


async def sweep(connections: Connections) -> int:
    """Remove deliveries that ended longer ago than the log is kept; returns how many."""
    keep_s, removed = connections.settings.webhook_keep_s, 0
    async with connections.ops.connection() as ops:
        old = await fetch_all(
            ops,
            """select distinct tenant from webhook_deliveries
               where state <> 'pending' and created_at < now() - make_interval(secs => %s)""",
            [keep_s],
        )
    for row in old:
        async with connections.db.tenant(row["tenant"]) as tx:
            gone = await tx.execute(
                b"delete from webhook_deliveries where ended_at < now() - make_interval(secs => %s)", [keep_s]
            )
            removed += gone.rowcount
    return removed
