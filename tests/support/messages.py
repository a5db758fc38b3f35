"""NATS as the neighbours and operators see it: raw bodies published, consumers asked, dead letters listed."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import nats
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from cluster.dead_letters import DeadLetter, DeadLetters
from cluster.local.home import read_json
from content.canonical import rfc3339
from tests.support.running import Running


def event(kind: str, tenant: str, data: Mapping[str, Any], event_id: str | None = None) -> dict[str, Any]:
    """A CloudEvent of a neighbour, as JSON."""
    return {
        "specversion": "1.0", "id": event_id or str(uuid.uuid4()), "source": f"/{kind.split('.')[0]}-service", "type": kind,
        "subject": "x", "time": rfc3339(datetime.now(UTC)), "datacontenttype": "application/json",
        "data": {"tenant_id": tenant, **data},
    }  # fmt: skip


def send(running: Running, subject: str, *bodies: bytes | Mapping[str, Any]) -> None:
    """Publish bodies as they are, each as a message of its own."""
    asyncio.run(_send(running, subject, bodies))


async def _send(running: Running, subject: str, bodies: tuple[bytes | Mapping[str, Any], ...]) -> None:
    user = read_json(running.home.keys / "neighbours.json")
    client = await nats.connect(running.settings.nats_url, user=user["nats_user"], password=user["nats_password"])
    try:
        for body in bodies:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            await client.jetstream().publish(subject, data, headers={"Nats-Msg-Id": str(uuid.uuid4())})
    finally:
        await client.close()


def intake_is_through(running: Running) -> bool:
    """Whether the service's consumer has nothing left to be brought or acknowledged."""

    async def pending(stream: JetStreamContext) -> bool:
        try:
            info = await stream.consumer_info("DOMAIN", "content-intake")
        except NotFoundError:  # the first relay of this stack has not come so far
            return False
        return not info.num_pending and not info.num_ack_pending

    return asked(running, pending)


def redelivered(running: Running) -> int:
    """How many messages intake has given back and not yet acknowledged."""

    async def count(stream: JetStreamContext) -> int:
        try:
            return (await stream.consumer_info("DOMAIN", "content-intake")).num_redelivered or 0
        except NotFoundError:
            return 0

    return asked(running, count)


def asked(running: Running, question: Any) -> Any:
    """`question(JetStreamContext)` as the user of the service."""

    async def ask() -> Any:
        settings = running.settings
        password = settings.nats_password.get_secret_value()
        client = await nats.connect(settings.nats_url, user=settings.nats_user, password=password)
        try:
            return await question(client.jetstream())
        finally:
            await client.close()

    return asyncio.run(ask())


def dead_letters(running: Running, after: int = 0) -> list[DeadLetter]:
    """The dead letters behind a number."""

    async def read() -> list[DeadLetter]:
        async with DeadLetters.connect(running.settings) as box:
            return await box.after(after, 1000)

    return asyncio.run(read())
