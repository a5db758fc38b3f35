"""What is known to be in the way on some machines, looked for before anything is started."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cluster.local.errors import LocalStackError

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
    restricted = user_namespaces_restricted()
    if restricted:
        warnings.append(restricted)
    return warnings


def user_namespaces_restricted() -> str:
    """Why a sandbox of this user's could not be made, with the remedy; empty where it can."""
    if os.geteuid() == 0:
        return ""
    for name, bad, remedy in (
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
    ):
        try:
            value = (Path("/proc/sys") / name).read_text().strip()
        except OSError:
            continue
        if value == bad:
            return (
                f"User namespaces are restricted on this machine, so uploads cannot be imported in a sandbox: {remedy}"
            )
    return ""
