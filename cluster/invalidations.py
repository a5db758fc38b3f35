"""The word that something cached has changed: core NATS, from the replica that changed it to every cache there is.

Two ways lead to a cache. The direct one, subject `cache.invalidate.v1.{tenant}`, is published right after the commit. The
sure one is the event `content.play_package.withdrawn.v1`, which the outbox sends even if the writer died after its commit;
a cache listens to it as a plain subscriber. What a cache missed while it was cut off cannot be known: `trusted` is false
from the moment on that NATS has not answered for `SILENCE_S`, and the cache is emptied before it is trusted again.
Not a stream's subject: nobody needs yesterday's word, and `content.>` is kept for 90 days.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

import nats
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from cluster.ending import end

PREFIX = "cache.invalidate.v1."
EVENT = "content.play_package.withdrawn.v1"
ASK_S, SILENCE_S = 0.5, 1.5
"""How often NATS is asked for a sign of life, and how long a cache is trusted without one: both within the 2 s promised."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Changed:
    """A version whose manifest is not what it was; `withdrawn` if it is not to be served any more."""

    tenant: str
    package_id: str
    version: int
    withdrawn: bool = False

    def to_bytes(self) -> bytes:
        document = {"package_id": self.package_id, "version": self.version, "withdrawn": self.withdrawn}
        return json.dumps(document).encode()


class Invalidations:
    """A listener of its own connection; `forget` is called for each word, and with None when everything is in doubt."""

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        forget: Callable[[Changed | None], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url, self._user, self._password, self._forget, self._tls = url, user, password, forget, tls
        self._client: Client | None = None
        self._heard = 0.0
        self._keeper: asyncio.Task[None] | None = None

    @property
    def trusted(self) -> bool:
        """Whether every word up to a moment ago has arrived: else what is cached must be looked up anew."""
        return time.monotonic() - self._heard < SILENCE_S

    def start(self) -> None:
        """Connect in the background, for as long as it takes; a NATS that is away stops nobody from starting."""
        self._keeper = asyncio.create_task(self._keep())

    async def close(self) -> None:
        self._heard = 0.0
        await end(self._keeper)
        await self._drop()

    async def tell(self, changed: Changed) -> bool:
        """Tell every cache. False if NATS did not take it: then the event of the outbox will."""
        client = self._client
        if client is None:
            return False
        try:
            await client.publish(PREFIX + changed.tenant, changed.to_bytes())
            await client.flush(timeout=1)
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("caches not told directly", error=type(error).__name__)
            return False
        return True

    async def _keep(self) -> None:
        while True:
            try:
                if self._client is None:
                    self._client = await self._connect()
                # The answer to a ping comes behind every word that was sent to us before it.
                asked = time.monotonic()
                await self._client.flush(timeout=1)
                if not self.trusted:
                    self._forget(None)
                self._heard = asked
            except (NatsError, OSError, TimeoutError) as error:
                log.warning("caches hear nothing", error=type(error).__name__)
                await self._drop()
            await asyncio.sleep(ASK_S)

    async def _connect(self) -> Client:
        client = await nats.connect(  # pyright: ignore[reportUnknownMemberType]
            self._url,
            user=self._user or None,
            password=self._password or None,
            allow_reconnect=False,  # a new connection is made here, so that nothing stays unnoticed
            connect_timeout=2,
            error_cb=_quiet,
            tls=self._tls,
        )
        try:
            for subject in (PREFIX + "*", EVENT):
                await client.subscribe(subject, cb=self._hear)
            await client.flush(timeout=2)
        except BaseException:
            await client.close()
            raise
        return client

    async def _hear(self, message: Msg) -> None:
        changed = read(message.subject, message.data)
        if changed is None:
            log.warning("word not understood: everything is looked up anew", subject=message.subject)
        self._forget(changed)

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                await client.close()


def read(subject: str, body: bytes) -> Changed | None:
    """What a message says has changed; None where it cannot be read, which puts everything in doubt."""
    try:
        document = json.loads(body)
        if subject == EVENT:
            data = document["data"]
            return Changed(str(data["tenant_id"]), str(data["package_id"]), int(data["version"]), withdrawn=True)
        tenant = subject.removeprefix(PREFIX)
        return Changed(tenant, str(document["package_id"]), int(document["version"]), bool(document["withdrawn"]))
    except (ValueError, KeyError, TypeError):
        return None


async def _quiet(_: Exception) -> None:
    """Errors of the connection are seen where a call fails; nothing is printed to stderr."""
