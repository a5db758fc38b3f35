"""What a device holds as one file: a course with this device's licence, or the lists alone. Never uses the network.

Everything is verified to the last byte before it is written, so that nobody carries a damaged course to a place without a
network. After: `importing.py` takes such a file in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from content.bundles.container_write import Course
from content.bundles.index import IndexFile
from serve_app.device.folder import DeviceFolder
from serve_app.device.installed import Installed
from serve_app.device.reading import open_offline, verify
from serve_app.device.stick import carried, write_file


@dataclass(frozen=True)
class Exported:
    """A file of `bytes` bytes; without a bundle it holds lists alone."""

    file: str
    bytes: int
    trust_version: int
    revocations: tuple[int, int]
    bundle_id: str | None = None
    package_id: str | None = None
    version: int | None = None
    devices: int = 0
    parts: int = 0


def export_bundle(
    folder: DeviceFolder,
    installed: Installed,
    out: Path,
    now: datetime,
    tell: Callable[[int], None] = lambda _: None,
) -> Exported:
    """Write a bundle that is here. `tell` hears of bytes, `export_work` of them in all.

    Raises ContentError: the code of the check that failed, or those of `write_file`.
    """

    def verified(file: IndexFile) -> None:
        tell(file.sealed_size)

    with open_offline(folder, installed, now) as bundle:
        verify(bundle, verified)
        course = Course([(installed.licence_bytes, installed.signature)], folder.shelf.index(installed))
        parts = [folder.shelf.blob(part.path) for part in bundle.index.parts]
        size = write_file(out, carried(folder.lists), course, parts, tell)
    state, licence = folder.state, bundle.licence
    return Exported(
        str(out), size, state.trust.version if state.trust else 0, state.revocations,
        licence.bundle_id, licence.package_id, licence.version, 1, len(parts),
    )  # fmt: skip


def export_work(folder: DeviceFolder, installed: Installed) -> int:
    """About how many bytes `export_bundle` will tell of: one reading to verify, two to write."""
    blobs = (folder.shelf.blob(path) for path in folder.shelf.blobs_of(installed) if path.endswith(".part"))
    return 3 * sum(blob.stat().st_size for blob in blobs if blob.is_file())


def export_lists(folder: DeviceFolder, out: Path, now: datetime) -> Exported:
    """Write the lists that this device believes. Raises as `export_bundle`."""
    lists = folder.lists
    accepted = folder.accept(lists, now)
    size = write_file(out, carried(lists))
    return Exported(str(out), size, accepted.trust.version, accepted.revocations.version)
