"""The manifest of a package, shape 1: one canonical JSON document, the same bytes for the same inputs.

    type "manifest", shape 1, tenant, package_id, version
    source      course, draft, revision, digest and publication time of the draft
    inputs      digests of the answers of other services that went in
    assistant   settings of the assistant and the digest of ai-gateway's answer, or null
    toolchain   the encoders
    metadata    titles, languages with direction, licence, authors, completion, theme
    structure   units and their blocks; texts are safe HTML for each language
    assets      for each original: kind, credits, source digest, renditions

A manifest with `"kind": "scorm"` is of an imported package (`content.scorm.package`): its structure is what its own manifest
said, and its assets are its files, by their paths. Absent is `course`.

Before: `content.packages.build`, `content.scorm.package`. After: it is signed, stored, and read by bundler, exporter and player.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from content import canonical
from content.errors import ContentError
from content.media.choose import choose
from content.media.renditions import Rendition
from content.packages.assets import AssetFile

SHAPE = 1
COURSE, SCORM = "course", "scorm"
MAX_BYTES = 32 << 20
_FIELDS: dict[str, type] = {
    "tenant": str,
    "package_id": str,
    "version": int,
    "source": dict,
    "inputs": dict,
    "toolchain": str,
    "metadata": dict,
    "structure": dict,
    "assets": dict,
}


@dataclass(frozen=True)
class Manifest:
    """A manifest; `document` is not to be changed."""

    document: Mapping[str, Any]

    @property
    def tenant(self) -> str:
        return self.document["tenant"]

    @property
    def package_id(self) -> str:
        return self.document["package_id"]

    @property
    def version(self) -> int:
        return self.document["version"]

    @property
    def kind(self) -> str:
        return self.document.get("kind", COURSE)

    @property
    def units(self) -> Sequence[Mapping[str, Any]]:
        """The units of a course, in their order; an imported package has none."""
        return self.document["structure"].get("units", ())

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(each["tag"] for each in self.document["metadata"]["languages"])

    def to_bytes(self) -> bytes:
        """RFC 8785 bytes: what is stored and signed."""
        return canonical.canonical(self.document)

    @property
    def digest(self) -> str:
        return canonical.digest(self.to_bytes())

    def renditions(self, asset: str) -> tuple[Rendition, ...]:
        """The renditions of one asset. Raises KeyError."""
        return tuple(Rendition.from_dict(each) for each in self.document["assets"][asset]["renditions"])

    def asset_files(self) -> tuple[AssetFile, ...]:
        """Every rendition of every asset, sorted by asset, in the manifest's order."""
        return self._files({asset: self.renditions(asset) for asset in self.document["assets"]})

    def files_for(self, profile: str) -> tuple[AssetFile, ...]:
        """What a device of this profile gets: one rendition per asset and role (`content.media.choose`)."""
        return self._files({asset: choose(self.renditions(asset), profile) for asset in self.document["assets"]})

    @property
    def size_bytes(self) -> int:
        """All stored files, each digest once."""
        return sum({file.digest: file.size_bytes for file in self.asset_files()}.values())

    def _files(self, chosen: Mapping[str, tuple[Rendition, ...]]) -> tuple[AssetFile, ...]:
        return tuple(
            AssetFile(asset, each.role, each.media_type, each.digest, each.size_bytes)
            for asset in sorted(chosen)
            for each in chosen[asset]
        )


def parse(data: bytes) -> Manifest:
    """A manifest from its canonical bytes. Raises ContentError `manifest-invalid`."""
    if len(data) > MAX_BYTES:
        raise _invalid(f"it is larger than {MAX_BYTES >> 20} MiB")
    try:
        loaded = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _invalid("it is not JSON") from error
    if not isinstance(loaded, dict):
        raise _invalid("it is not a JSON object")
    document = cast("dict[str, Any]", loaded)
    if document.get("type") != "manifest" or document.get("shape") != SHAPE or document.get("shape") is True:
        raise _invalid(f"it is not of type manifest and shape {SHAPE}")
    for name, kind in _FIELDS.items():
        if type(document.get(name)) is not kind:
            raise _invalid(f"“{name}” is missing or of the wrong type")
    manifest = Manifest(document)
    # A course does not say so, so that there is one document for it.
    if "kind" in document and document["kind"] != SCORM:
        raise _invalid("it is of a kind that is not known here")
    member, kind = ("units", list) if manifest.kind == COURSE else ("scorm", dict)
    if not isinstance(document["structure"].get(member), kind):
        raise _invalid(f"its structure has no “{member}”")
    try:
        same = manifest.to_bytes() == data
        _ = manifest.files_for("desktop"), manifest.languages
    except (ContentError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise _invalid("an asset or language in it is not written as it must be") from error
    if not same:
        raise _invalid("it is not in canonical form")
    return manifest


def _invalid(why: str) -> ContentError:
    return ContentError("manifest-invalid", f"This is no manifest: {why}.")
