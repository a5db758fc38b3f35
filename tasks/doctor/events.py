"""NATS: it lets us in, the streams are what `cluster.streams` says, the intake keeps up, nothing lies unread."""

from __future__ import annotations

from typing import Any

import httpx
import nats
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import StorageType, StreamConfig, StreamSource
from nats.js.errors import NotFoundError

from cluster import mesh
from cluster.events import DEAD, DOMAIN
from cluster.settings import Settings
from cluster.streams import streams
from tasks.doctor.findings import Finding, fail, ok, warn
from tasks.intake import DURABLE

LAG = 1000
REMEDY = "Check nats_url, nats_user and nats_password, and that the server runs."


async def check(settings: Settings) -> list[Finding]:
    lost: list[str] = []

    async def note(error: Exception) -> None:
        lost.append(type(error).__name__)

    try:
        client = await nats.connect(  # pyright: ignore[reportUnknownMemberType]
            settings.nats_url,
            user=settings.nats_user or None,
            password=settings.nats_password.get_secret_value() or None,
            connect_timeout=3,
            tls=mesh.context(settings, "nats", settings.nats_user),
            # With 0 attempts it would try for ever.
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0.1,
            error_cb=note,
        )
    except (NatsError, OSError, TimeoutError) as error:
        kind = (lost or [type(error).__name__])[-1]
        why = "refuses the password" if "Authorization" in str(error) else f"cannot be reached ({kind})"
        return [fail("events: NATS", f"{settings.nats_url} {why}", REMEDY)]
    try:
        stream_api = client.jetstream(timeout=3)
        wanted = streams(settings.region, settings.other_regions)
        found = [await _stream(stream_api, each) for each in wanted]
        return [
            ok("events: NATS", f"connected as {settings.nats_user or 'nobody'}"),
            *found,
            await _lag(stream_api),
            await _dead(stream_api),
            await _synced(settings),
        ]
    finally:
        await client.close()


async def _stream(stream_api: JetStreamContext, wanted: StreamConfig) -> Finding:
    name, remedy = (
        f"events: {wanted.name}",
        "Make it: `python -m cluster.streams` (the job content-streams; locally `content-service up`).",
    )
    try:
        found = (await stream_api.stream_info(str(wanted.name))).config
    except NotFoundError:
        return fail(name, "there is no such stream", remedy)
    except (NatsError, TimeoutError) as error:
        return fail(name, f"cannot be seen ({type(error).__name__})", "Allow $JS.API.STREAM.INFO for it.")
    wrong = [
        label
        for label, same in (
            ("subjects", sorted(found.subjects or []) == sorted(wanted.subjects or [])),
            ("max_age", found.max_age == wanted.max_age),
            ("storage", found.storage == StorageType.FILE),
            ("duplicate_window", _drops(found.duplicate_window, wanted.duplicate_window)),
            ("sources", {_api(each) for each in wanted.sources or ()} <= {_api(each) for each in found.sources or ()}),
        )
        if not same
    ]
    if wrong:
        return fail(name, f"differs in {', '.join(wrong)}", remedy)
    return ok(name, f"on file, {(found.max_age or 0) / 86400:.0f} days, {found.num_replicas} replicas")


def _drops(found_s: float | None, wanted_s: float | None) -> bool:
    """Whether it drops repeated ids for as long as it must, or never."""
    return (found_s or 0) >= wanted_s if wanted_s else not found_s


def _api(source: StreamSource) -> str:
    return source.external.api if source.external else ""


async def _lag(stream_api: JetStreamContext) -> Finding:
    name = "events: intake"
    try:
        found = await stream_api.consumer_info(DOMAIN, DURABLE)
    except NotFoundError:
        return warn(name, "has never taken anything in", "Start the pool content-outbox-relay.")
    except (NatsError, TimeoutError) as error:
        return warn(name, f"cannot be seen ({type(error).__name__})", "Allow $JS.API.CONSUMER.INFO for it.")
    told = f"{found.num_pending or 0} events wait, {found.num_ack_pending or 0} are being taken in"
    if (found.num_pending or 0) > LAG:
        return warn(name, told, "See the logs of content-outbox-relay; add replicas.")
    return ok(name, told)


async def _dead(stream_api: JetStreamContext) -> Finding:
    name = "events: dead letters"
    try:
        count = (await stream_api.stream_info(DEAD)).state.messages
    except (NatsError, TimeoutError):
        return warn(name, "cannot be seen", f"See the stream {DEAD}.")
    if count:
        return warn(
            name, f"{count} events could not be understood", "Read their reasons: `content-service events dead`."
        )
    return ok(name, "none")


async def _synced(settings: Settings) -> Finding:
    """A power loss takes what was acknowledged, unless every message is synced."""
    name = "events: on the disk"
    if not settings.nats_monitor_url:
        return warn(name, "cannot be seen", "Set nats_monitor_url, or see that sync_interval is always.")
    try:
        async with httpx.AsyncClient(timeout=3, trust_env=False) as http:
            answer: dict[str, Any] = (await http.get(f"{settings.nats_monitor_url}/jsz")).raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        return warn(name, f"the monitor does not answer ({type(error).__name__})", "Correct nats_monitor_url.")
    if answer.get("config", {}).get("sync_always"):
        return ok(name, "every message is synced")
    return fail(name, "a power loss would take acknowledged events", "Set sync_interval: always.")
