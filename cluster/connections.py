"""What a process of the service is connected to, made once from the settings and handed to the tasks.

A process gets only the roles it names: the API no relay, the relay no API. Open inside a running event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from cluster.database import Database
from cluster.keys import KeyService
from cluster.keys import connect as connect_keys
from cluster.objects import Objects
from cluster.presigned import Presigner
from cluster.settings import Settings

Role = Literal["api", "worker", "relay", "ops"]


@dataclass(frozen=True)
class Connections:
    """`db` sees one tenant per transaction; `ops` counts over all; `relay` carries the outbox."""

    settings: Settings
    db: Database
    ops: Database
    objects: Objects
    keys: KeyService
    role: Role = "worker"

    @classmethod
    async def open(cls, settings: Settings, role: Role = "worker", *, size: int = 8) -> Connections:
        dsn = {
            "api": settings.postgres_api,
            "worker": settings.postgres_worker,
            "relay": settings.postgres_relay,
            "ops": settings.postgres_ops,
        }
        db = await Database(dsn[role].get_secret_value(), size=size).open()
        ops = await Database(settings.postgres_ops.get_secret_value(), size=2).open()
        return cls(settings, db, ops, Objects(settings), connect_keys(settings), role)

    @cached_property
    def inside(self) -> Presigner:
        """Signs addresses of the object store for services of ours. (Making one takes a moment: in a thread.)"""
        return Presigner(self.settings)

    @cached_property
    def outside(self) -> Presigner:
        """Signs them for uploaders."""
        return Presigner(self.settings, public=True)

    def tell(self) -> None:
        """Set the numbers of the pools; to be called every few seconds."""
        self.db.tell(self.role)
        self.ops.tell("ops")
        self.keys.tell()

    async def close(self) -> None:
        await self.db.close()
        await self.ops.close()
