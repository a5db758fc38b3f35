"""A replica of a pool as a process of its own, without Ray: `python -m actors.process KIND FILE`.

What Serve does with a replica is done here in a few lines: its health is asked every second, one that is not well is
replaced, and it leaves in good order when it is told to. `FILE` is touched whenever it was well.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import structlog

from actors.pool import Replica, pause
from actors.relay import OutboxRelay
from cluster.telemetry import describe
from cluster.topology import RELAY

KINDS: dict[str, tuple[type[Replica], str]] = {"relay": (OutboxRelay, RELAY.name)}
HEALTH_S, AGAIN_S = 1.0, 0.5
log = structlog.get_logger()


async def main(kind: str, well: Path) -> None:
    leaving = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leaving.set)
    made, name = KINDS[kind]
    while not leaving.is_set():
        replica = made(name)
        try:
            while not leaving.is_set():
                await replica.check_health()
                well.touch()
                await pause(leaving, HEALTH_S)
        except Exception as error:
            log.exception("replaced", pool=name, **describe(error))
            await pause(leaving, AGAIN_S)
        if hasattr(replica, "connections"):
            await replica.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
