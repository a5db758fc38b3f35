"""What is known to be in the way on some machines, looked for before anything is started."""

from __future__ import annotations

import shutil
from pathlib import Path

from cluster import sandbox
from cluster.local.errors import LocalStackError
from cluster.settings import Settings
from content.errors import ContentError

MIN_FREE_BYTES = 1 << 30
MIN_SHM_BYTES = 256 << 20


def check(home: Path) -> list[str]:
    """Warnings for this machine, each with its remedy. Raises LocalStackError for what makes a start pointless."""
    free = shutil.disk_usage(home).free
    if free < MIN_FREE_BYTES:
        raise LocalStackError(
            "disk-full",
            f"Only {free >> 20} MiB are free below {home}.",
            "Free some space, or move the stack with --home.",
        )
    warnings: list[str] = []
    if shutil.disk_usage("/dev/shm").total < MIN_SHM_BYTES:
        warnings.append(
            "/dev/shm is small, so Ray will use files instead, slowly: start the container with --shm-size=1g."
        )
    return warnings


def check_sandbox(settings: Settings) -> list[str]:
    """Warnings about the sandbox of a stack with these settings, each with its remedy."""
    try:
        used = sandbox.backend(settings)
    except ContentError as error:
        return [f"{error.message} {error.remedy} Until then builds with media fail. Or: up --unsafe-no-sandbox."]
    return ["Media are decoded WITHOUT a sandbox, as --unsafe-no-sandbox asked for."] if used == "none" else []
