"""Draft and renditions to manifest: pure, so that the same inputs give the same bytes on every machine.

The only time in a manifest is the draft's publication. With ai-gateway away the manifest differs in one member,
`assistant`, which is null. Before: `content.drafts.parse`, the renditions of every original. After: signing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from content.canonical import canonical, digest, parse_rfc3339
from content.drafts.course import Draft, Sequencing
from content.drafts.languages import direction
from content.drafts.markup import one_course
from content.errors import ContentError
from content.packages.assets import AssetResult
from content.packages.blocks import block_document
from content.packages.embedded import Embedded
from content.packages.manifest import MAX_BYTES, SHAPE, Manifest


@dataclass(frozen=True)
class Source:
    """Which draft a package was built from. `digest` is of the draft's canonical JSON, `published_at` RFC 3339."""

    course_id: str
    draft_id: str
    revision: int
    digest: str
    published_at: str


def build_manifest(
    *,
    tenant: str,
    package_id: str,
    version: int,
    draft: Draft,
    source: Source,
    assets: Mapping[str, AssetResult],
    listing: Mapping[str, Any],
    assistant: Mapping[str, Any] | None,
    toolchain: str,
    packages: Mapping[str, Embedded] | None = None,
) -> Manifest:
    """The manifest of one package version.

    `assets` is keyed by the draft's asset ids; `listing` is catalog-service's answer and `assistant` ai-gateway's (its
    settings as they are; None if it was away), both named by the digest of their canonical JSON; `packages` are the versions of
    the packages that the draft embeds, by id. Raises ContentError `asset-not-rendered`, `asset-is-package`,
    `block-not-buildable`, `manifest-too-large`, `bad-time`.
    """
    parse_rfc3339(source.published_at)
    document: dict[str, Any] = {
        "type": "manifest",
        "shape": SHAPE,
        "tenant": tenant,
        "package_id": package_id,
        "version": version,
        "source": asdict(source),
        "inputs": {"catalog": digest(canonical(dict(listing))), **_packages(packages)},
        "assistant": _assistant(draft, assistant),
        "toolchain": toolchain,
        "metadata": _metadata(draft),
        "structure": {"units": _units(draft, packages)},
        "assets": _with_packages(_assets(draft, assets), packages),
    }
    manifest = Manifest(document)
    if packages and len(manifest.to_bytes()) > MAX_BYTES:
        message = (
            f"With the packages that it embeds, the description of the course takes more than {MAX_BYTES >> 20} MiB."
        )
        raise ContentError("manifest-too-large", message, "Embed fewer packages, or ones of fewer files.")
    return manifest


def _units(draft: Draft, packages: Mapping[str, Embedded] | None) -> list[dict[str, Any]]:
    with one_course():
        return [
            {
                "id": unit.id,
                "title": dict(unit.title),
                "blocks": [block_document(block, packages) for block in unit.blocks],
            }
            for unit in draft.units
        ]


def _packages(packages: Mapping[str, Embedded] | None) -> dict[str, Any]:
    """Only where there are some, so that packages built before they were known keep their bytes."""
    return {"packages": {name: each.input() for name, each in packages.items()}} if packages else {}


def _with_packages(assets: dict[str, Any], packages: Mapping[str, Embedded] | None) -> dict[str, Any]:
    for name, each in (packages or {}).items():
        if name in assets:
            message = f"“{name}” is the id of a package and of a file of this course."
            raise ContentError("asset-is-package", message, "Call the file otherwise.")
        assets[name] = each.asset()
    return assets


def _assistant(draft: Draft, answer: Mapping[str, Any] | None) -> dict[str, Any] | None:
    wanted = any(block.type == "assistant" for unit in draft.units for block in unit.blocks)
    if answer is None or not wanted:
        return None
    return {"settings": dict(answer), "answer": digest(canonical(dict(answer)))}


def _metadata(draft: Draft) -> dict[str, Any]:
    theme = draft.theme
    return {
        "title": dict(draft.title),
        "description": dict(draft.description),
        "language": draft.language,
        "languages": [{"tag": tag, "direction": direction(tag)} for tag in draft.languages()],
        "license": draft.license,
        "authors": [{"name": each.name} | ({"url": each.url} if each.url else {}) for each in draft.authors],
        "completion": draft.completion.model_dump(mode="json", include=set(type(draft.completion).model_fields)),
        **_sequencing(draft.sequencing),
        "theme": {
            "logo": theme.logo if theme else None,
            "logo_alt": dict(theme.logo_alt) if theme and theme.logo_alt else None,
            "colours": {
                "text": theme.colours.text,
                "background": theme.colours.background,
                "accent": theme.colours.accent,
            }
            if theme and theme.colours
            else None,
        },
    }


def _sequencing(given: Sequencing | None) -> dict[str, Any]:
    """Only where given, so that packages built before it was known keep their bytes."""
    if given is None:
        return {}
    document: dict[str, Any] = {"order": given.order}
    if given.pretest:
        document["pretest"] = {
            "unit": given.pretest.unit,
            "skips": list(given.pretest.skips),
            "mastery": given.pretest.mastery,
        }
    if given.posttest:
        document["posttest"] = {"unit": given.posttest.unit, "mastery": given.posttest.mastery}
    return {"sequencing": document}


def _assets(draft: Draft, results: Mapping[str, AssetResult]) -> dict[str, Any]:
    documents: dict[str, Any] = {}
    for original in draft.originals():
        result = results.get(original.asset)
        if result is None or not result.renditions:
            message = f"Nothing was made of “{original.asset}”, which the draft names at {original.pointers[0]}."
            raise ContentError("asset-not-rendered", message)
        entry = (draft.assets or {}).get(original.asset)
        credits_ = {"license": entry.license, "credit": entry.credit, "source_url": entry.source} if entry else {}
        documents[original.asset] = {
            "kind": original.kind,
            **{name: value for name, value in credits_.items() if value is not None},
            **result.as_dict(),
        }
    return documents
