"""`content-service doctor`: looks at a deployment as an operator would, and says what to do about what is wrong.

Every check is a function of the settings that returns findings and changes nothing that lasts (an object below `doctor/` is
made and removed again). A check that fails unexpectedly is a finding itself, so one broken part hides no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from cluster.settings import Settings
from cluster.telemetry.logs import text_of
from content.errors import ContentError
from tasks.doctor import (
    certificates,
    configuration,
    database,
    event_log,
    events,
    keys,
    machine,
    ray_pools,
    storage,
    work,
)
from tasks.doctor.findings import Finding, Status, fail

__all__ = ["CHECKS", "Finding", "Status", "examine"]

Check = Callable[[Settings], Awaitable[list[Finding]]]
WITHIN_S = 20.0

CHECKS: dict[str, Check] = {
    "settings": configuration.check,
    "machine": machine.check,
    "database": database.check,
    "mesh": certificates.check,
    "storage": storage.check,
    "keys": keys.check,
    "events": events.check,
    "log": event_log.check,
    "work": work.check,
    "pools": ray_pools.check,
}


async def examine(settings: Settings, without: Sequence[str] = ()) -> list[Finding]:
    """What was found, in the order of `CHECKS`; those named in `without` are left out."""
    names = [name for name in CHECKS if name not in without]
    found = await asyncio.gather(*(_examined(name, CHECKS[name], settings) for name in names))
    return [finding for findings in found for finding in findings]


async def _examined(name: str, check: Check, settings: Settings) -> list[Finding]:
    try:
        async with asyncio.timeout(WITHIN_S):
            return await check(settings)
    except TimeoutError:
        return [fail(name, f"no answer within {WITHIN_S:.0f} s", "Is it overloaded, or cut off by a firewall?")]
    except ContentError as error:
        return [fail(name, error.message, error.remedy)]
    except Exception as error:  # noqa: BLE001 - whatever it is, the operator is to see it
        return [fail(name, f"{type(error).__name__}: {text_of(error)}", "See the logs of that part.")]
