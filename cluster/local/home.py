"""The folder a stack lives in: where everything is, and the two small files that hold its state.

`settings.json` is what the service reads; `stack.json` is what `down`, `status` and the next `up` read (processes, ports,
start-up times). Whatever is secret is 0600 and stands in `keys/` (0700) or in `settings.json`. Unix sockets have a limit
of 107 bytes for their path, so Ray's temporary folder is below `/tmp/ct-<hash of the home>`, and
the sockets that another user makes (Postgres does not run as root) are beside it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

from cluster.local.errors import LOG_LINES, LocalStackError


class Home:
    """Paths below a stack's folder; nothing is made until `prepare`."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.id = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:10]
        self.short = Path("/tmp") / f"ct-{self.id}"
        self.sockets = Path("/tmp") / f"ct-{self.id}-sockets"
        self.settings = self.path / "settings.json"
        self.state = self.path / "stack.json"
        self.keys = self.path / "keys"
        self.edge_keys = self.keys / "edge-keys.json"
        self.logs = self.path / "logs"
        self.work = self.path / "work"

    def prepare(self) -> None:
        """Make the folders. Raises LocalStackError where that is not allowed."""
        try:
            for folder, mode in ((self.path, 0o755), (self.keys, 0o700), (self.logs, 0o755), (self.work, 0o700)):
                folder.mkdir(mode=mode, parents=True, exist_ok=True)
            self.keys.chmod(0o700)
        except OSError as error:
            raise LocalStackError(
                "home-not-writable",
                f"{self.path} cannot be used as the stack's home: {error.strerror}.",
                "Choose another with --home.",
            ) from error

    def short_folder(self) -> Path:
        """The folder of short paths, ours alone: somebody else's folder under that name is refused."""
        return own_folder(self.short)

    def reserve(self, ports: Iterable[int]) -> None:
        """Tell other stacks which ports are ours while we are up, those that nobody listens on yet too."""
        (self.short_folder() / "ports.json").write_text(json.dumps(sorted(ports)))

    def reserved_by_others(self) -> set[int]:
        """The ports of every other stack that is up, as far as this user may know."""
        found: set[int] = set()
        for path in self.short.parent.glob("ct-*/ports.json"):
            if path.parent != self.short:
                with contextlib.suppress(OSError, ValueError, TypeError):
                    found.update(json.loads(path.read_text()))
        return found

    def drop_short_folder(self) -> None:
        shutil.rmtree(self.short, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def log_end(self, part: str, lines: int = LOG_LINES) -> str:
        """The last lines of a part's log since it was last started."""
        return tail(self.log(part), lines)

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """One `up` or `down` of this home at a time; a second one is refused rather than kept waiting."""
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LocalStackError(
                    "stack-busy", f"Another `up` or `down` of {self.path} is running.", "Wait for it to end.", True
                ) from error
            yield


def own_folder(path: Path) -> Path:
    """Make a folder that only we may enter. Raises LocalStackError if somebody else has one under that name."""
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.lstat().st_uid != os.geteuid():
        raise LocalStackError(
            "short-folder", f"{path} belongs to somebody else.", "Remove it, or choose another --home."
        )
    return path


def tail(path: Path, lines: int) -> str:
    """The last lines of a text file, reading at most its last 64 KiB; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - (64 << 10)))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none. Raises LocalStackError for one that is broken."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (ValueError, OSError) as error:
        raise LocalStackError(
            "state-broken", f"{path} cannot be read: {error}.", "Restore the file, or start with another --home."
        ) from error


def write_secret(path: Path, text: str) -> None:
    """Replace a file at once, readable by this user only."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def write_json(path: Path, value: dict[str, Any]) -> None:
    write_secret(path, json.dumps(value, indent=2) + "\n")
