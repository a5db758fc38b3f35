"""The limits under which a package is read; each is a setting (`import_…`)."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class ImportLimits:
    """Sizes in bytes. `ratio`: unpacked against packed, of each file over `ratio_from_bytes`, and of the whole package if that
    unpacks to more than `ratio_package_from_bytes`: a silent sound or a white picture packs well and is no harm."""

    zip_bytes: int = 5120 * MIB
    unpacked_bytes: int = 10240 * MIB
    file_bytes: int = 4096 * MIB
    ratio: float = 200.0
    ratio_from_bytes: int = 32 * MIB
    ratio_package_from_bytes: int = 8 * MIB
    entries: int = 50_000
    name_bytes: int = 512
    name_depth: int = 32
    manifest_bytes: int = 8 * MIB
    xml_depth: int = 100
    xml_elements: int = 200_000
    findings: int = 50
