"""Assets of a package: what became of each original of the draft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from content.media.renditions import Rendition


@dataclass(frozen=True)
class AssetResult:
    """An original, by digest and size in bytes, and its renditions."""

    digest: str
    size_bytes: int
    renditions: tuple[Rendition, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON; renditions in the order of role, size and name, whatever order they were finished in."""
        ordered = sorted(self.renditions, key=lambda each: (each.role, each.width or 0, each.size_bytes, each.recipe))
        return {
            "source": {"digest": self.digest, "size_bytes": self.size_bytes},
            "renditions": [each.as_dict() for each in ordered],
        }


@dataclass(frozen=True)
class AssetFile:
    """One stored file of a package: where it belongs, and the key it is stored under (its digest)."""

    asset: str
    role: str
    media_type: str
    digest: str
    size_bytes: int
