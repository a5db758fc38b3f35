"""A rendition: one file made of an original, as the database keeps it and the manifest names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Rendition:
    """Sizes in pixels and bytes, bit rate in bit/s, duration in seconds; None where the medium has no such thing.

    `role` is what it is for (`image`, `video`, `poster`, `audio`, `captions`, `file`, `thumbnail`,
    `still`: of a film at `at_s`), `recipe` the recipe's name. `package_path`: of a file of an embedded package, where it lies in
    that; JSON calls it `path`.
    """

    role: str
    recipe: str
    media_type: str
    digest: str
    size_bytes: int
    codecs: str | None = None
    width: int | None = None
    height: int | None = None
    bitrate: int | None = None
    duration_s: float | None = None
    at_s: float | None = None
    package_path: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON without the fields that say nothing."""
        named = {name: getattr(self, field) for field, name in _MEMBERS}
        return {name: value for name, value in named.items() if value is not None}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Rendition:
        """The reverse of `as_dict`; further fields are left aside."""
        return cls(**{field: document[name] for field, name in _MEMBERS if name in document})


_MEMBERS = tuple((each.name, {"package_path": "path"}.get(each.name, each.name)) for each in fields(Rendition))
