"""What a device found changed, written down at once and sent when there is a network again.

    reports/<digest>.jws     signed by the device; removed when the service has it

Only damage to bytes is reported: a licence that has expired, or lists that are stale, is nobody's crime.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from content.bundles.index import Index, IndexFile
from content.bundles.licence import Licence
from content.bundles.open import ReadRange
from content.bundles.state import EPOCH
from content.bundles.stream import segment_range
from content.canonical import DIGEST_PREFIX, digest
from content.devices.tamper import Evidence, TamperReport, sign_report
from content.errors import ContentError
from serve_app.client import Client
from serve_app.device.files import write_atomically
from serve_app.device.folder import DeviceFolder

DAMAGED = frozenset(
    ("segment-size", "segment-digest", "segment-tag", "stream-header", "plaintext-digest", "index-digest")
)
"""Codes that mean: these are not the bytes that were signed."""
MOST_WAITING = 50


def note(folder: DeviceFolder, licence: Licence, code: str, now: datetime, evidence: tuple[Evidence, ...] = ()) -> bool:
    """Write a report down if the code means damage; False if it does not, or if many wait already."""
    if code not in DAMAGED:
        return False
    place = folder.path / "reports"
    place.mkdir(mode=0o700, exist_ok=True)
    if len(list(place.glob("*.jws"))) >= MOST_WAITING:
        return False
    report = TamperReport(licence.tenant, licence.bundle_id, licence.issue, code, now.replace(microsecond=0), evidence)
    # Found again while it waits, it is the same finding: the time does not count.
    finding = digest(TamperReport(licence.tenant, licence.bundle_id, licence.issue, code, EPOCH, evidence).to_bytes())
    path = place / f"{finding.removeprefix(DIGEST_PREFIX)[:32]}.jws"
    if not path.exists():
        write_atomically(path, sign_report(folder.identity, report).encode())
    return True


def find(index: Index, file: IndexFile, read: ReadRange) -> tuple[Evidence, ...]:
    """The first segment of a file that is not what the index says."""
    path = index.parts[file.part].path
    for i in range(len(file.segments) // 32):
        offset, length = segment_range(file.size, i)
        found = hashlib.sha256(read(path, file.offset + offset, length)).digest()
        if found != file.segments[32 * i : 32 * i + 32]:
            return (Evidence(path, file.offset + offset, length, DIGEST_PREFIX + found.hex()),)
    return ()


def send(folder: DeviceFolder, api: Client, tell: Callable[[str], None] = lambda _: None) -> int:
    """Send what waits; returns how many the service has now. What it refuses for good is dropped, the rest waits on."""
    sent = 0
    for path in sorted((folder.path / "reports").glob("*.jws")):
        try:
            api.report_tampering(path.read_text())
        except ContentError as error:
            tell(f"a report was not taken: {error.code}")
            if error.retryable or error.code == "api-unreachable":
                return sent
        else:
            sent += 1
        path.unlink()
    return sent
