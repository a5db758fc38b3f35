"""What a device keeps: its keys, who it is registered as, the lists it believes, and what it has seen.

    keys.json      tenant and both private keys (0600); never changes
    device.json    where and as whom it is registered
    lists.json     the chain of trust lists and the newest revocation list
    state.json     ReaderState: what stops a rollback
    bundles/, blobs/   see installed.py

Every file is replaced as a whole. Lists are written before the state that they lead to: a state ahead of its lists would
refuse them as a rollback, lists ahead of the state are only accepted again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from content.bundles.lists import AcceptedLists, accept_lists
from content.bundles.state import ReaderState
from content.devices.identity import DeviceIdentity
from content.errors import ContentError
from serve_app.client import SignedDocument, TrustLists
from serve_app.device.files import write_atomically
from serve_app.device.installed import Shelf

T = TypeVar("T")
REGISTER = "Register it: content-service device register DIR --learner L."
SYNC = "Go online once: content-service device sync DIR."


@dataclass(frozen=True)
class Registered:
    """Where and as whom a device is registered. `pinned_root` is the root key's thumbprint, if one was given."""

    api_url: str
    learner_id: str
    profile: str
    registered_at: str
    pinned_root: str | None = None


class DeviceFolder:
    """One device's folder. Nothing is read before it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shelf = Shelf(path)

    @classmethod
    def create(cls, path: Path, tenant: str) -> DeviceFolder:
        """A new device with new keys. Raises ContentError `device-exists`."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        if (path / "keys.json").exists():
            raise ContentError("device-exists", f"There is a device in {path}.", "Choose another folder.")
        folder = cls(path)
        folder._write("keys.json", DeviceIdentity.generate(tenant, os.urandom).to_secret())
        return folder

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """One process at a time may change this device. Raises ContentError `device-missing` or `device-busy`."""
        if not (self.path / "keys.json").exists():
            raise self._missing()
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                message = f"Another command is using the device in {self.path}."
                raise ContentError("device-busy", message, "Wait for it to end.", True) from error
            yield

    @property
    def identity(self) -> DeviceIdentity:
        """Raises ContentError `device-missing` or `device-damaged`."""
        return self._read("keys.json", DeviceIdentity.from_secret, self._missing())

    @property
    def registered(self) -> Registered:
        """Raises ContentError `device-not-registered` or `device-damaged`."""
        missing = ContentError("device-not-registered", f"The device in {self.path} is not registered.", REGISTER)
        return self._read("device.json", lambda members: Registered(**members), missing)

    def save_registered(self, registered: Registered) -> None:
        self._write("device.json", asdict(registered))

    @property
    def pinned_root(self) -> str | None:
        return self.registered.pinned_root

    @property
    def state(self) -> ReaderState:
        """What this device has seen; nothing, for a new one. Raises DocumentRefused `reader-state-…`."""
        try:
            return ReaderState.parse((self.path / "state.json").read_bytes())
        except FileNotFoundError:
            return ReaderState()

    def save_state(self, state: ReaderState) -> None:
        if state != self.state:
            write_atomically(self.path / "state.json", state.to_bytes())

    @property
    def lists(self) -> TrustLists:
        """Raises ContentError `device-no-lists` or `device-damaged`."""

        def parse(members: dict[str, Any]) -> TrustLists:
            signed = members["revocations"]
            revocations = SignedDocument(document=str(signed["document"]), signature=dict(signed["signature"]))
            return TrustLists(chain=list(members["chain"]), revocations=revocations)

        missing = ContentError("device-no-lists", f"The device in {self.path} has no trust lists yet.", SYNC)
        return self._read("lists.json", parse, missing)

    def accept(self, lists: TrustLists, now: datetime) -> AcceptedLists:
        """Check the lists against what this device has seen; keep the state that follows, whatever comes afterwards.

        Raises ContentError subclasses with the code of the check that failed; nothing is kept then.
        """
        accepted = accept_lists(
            self.state,
            lists["chain"],
            lists["revocations"]["document"].encode(),
            lists["revocations"]["signature"],
            tenant=self.identity.tenant,
            now=now,
            pinned_root=self.pinned_root,
        )
        text = json.dumps(lists).encode()
        path = self.path / "lists.json"
        if not path.exists() or path.read_bytes() != text:
            write_atomically(path, text)
        self.save_state(accepted.state)
        return accepted

    def _missing(self) -> ContentError:
        remedy = "Make one: content-service device new DIR --tenant T."
        return ContentError("device-missing", f"There is no device in {self.path}.", remedy)

    def _read(self, name: str, parse: Callable[[dict[str, Any]], T], missing: ContentError) -> T:
        try:
            text = (self.path / name).read_text()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise missing from error
        try:
            return parse(json.loads(text))
        except (ValueError, TypeError, KeyError, ContentError) as error:
            raise ContentError("device-damaged", f"{self.path / name} cannot be read.", "Restore it.") from error

    def _write(self, name: str, members: dict[str, Any]) -> None:
        write_atomically(self.path / name, json.dumps(members, indent=1).encode() + b"\n")
