"""This machine: room to work, the encoders, the sandbox."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

from cluster import sandbox
from cluster.settings import MIB, Settings
from content.errors import ContentError
from tasks.doctor.findings import Finding, fail, ok, warn
from tasks.render import toolchain
from tasks.rendering.encoder import ffmpeg_path

GIB = 1024 * MIB


async def check(settings: Settings) -> list[Finding]:
    return [_room(settings), await asyncio.to_thread(_encoders), await asyncio.to_thread(_sandbox, settings)]


def _room(settings: Settings) -> Finding:
    name, folder = "machine: workspace", _existing(settings.workspace)
    free = shutil.disk_usage(folder).free
    told = f"{free / GIB:.1f} GiB free below {folder}"
    if free < GIB:
        return fail(name, told, "Free some space, or move the setting workspace.")
    if free < settings.original_max_bytes:
        return warn(name, told, f"The largest original may have {settings.original_max_bytes / GIB:.1f} GiB.")
    return ok(name, told)


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _encoders() -> Finding:
    name = "machine: encoders"
    try:
        subprocess.run([ffmpeg_path(), "-version"], capture_output=True, check=True, timeout=10)
        return ok(name, toolchain())
    except (OSError, subprocess.SubprocessError, RuntimeError, ContentError) as error:
        return fail(name, f"ffmpeg does not run ({type(error).__name__})", "Install the package anew: `make install`.")


def _sandbox(settings: Settings) -> Finding:
    """Each backend is tried out: an interpreter is started in it and has to answer."""
    name = "machine: sandbox"
    if settings.sandbox == "none":
        return warn(name, "authors' media are decoded without one", "Set sandbox to auto.")
    tried = [each for each in sandbox.findings() if settings.sandbox in ("auto", each.backend)]
    working = [f"{each.backend} starts in {each.start_s:.2f} s" for each in tried if each.works]
    if not working:
        return fail(name, "; ".join(f"{each.backend}: {each.why}" for each in tried), tried[0].remedy)
    return ok(name, ", ".join(working))
