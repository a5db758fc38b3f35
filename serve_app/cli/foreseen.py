"""What a device's next sync would do, as a person reads it: the same for the device and for who looks after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Of a foresight as the API and `device sync --dry-run --json` give it; sizes in bytes."""
    for each in found["bundles"]:
        yield f"{each['bundle_id']}  version {each['version']}"
        yield f"  {each['fetch']:,} of {each['size']:,} bytes to fetch" if each["fetch"] else "  up to date"
    yield f"{found['fetch']:,} bytes to fetch; the disk holds {found['now']:,} now,"
    yield f"{found['peak']:,} at the fullest, {found['after']:,} afterwards."
    yield from (f"will be deleted: {path}" for path in found["deletes"])
