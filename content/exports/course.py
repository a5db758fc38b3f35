"""From a manifest and options to what is played: the course document (`course.js`) and the renditions it names.

    shape 1, package_id, version
    metadata    of the manifest, in the chosen languages; `completion` agrees with the mastery that was chosen
    structure   units and blocks, without what only the platform itself can show (`assistant`, in a preview `embed`); an embedded
                package has the path of its page
    assets      kind, credits, renditions with their path in the zip; of a package none, since its own page knows its files
    tracking    report, mastery, activity (IRI), in packaging “unit” `units`: the tests that have a mark of their own, and of a
                draft `preview`: true

A film whose asset has no rendition of role `video` was left out on purpose: poster, captions and transcript stand in its
place. After: the formats of this package, and the player.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from content.drafts.languages import direction
from content.errors import ContentError, Problem
from content.exports.course_media import chosen_renditions, media_path, rendition_document
from content.exports.entries import Stored
from content.exports.export_course import ExportCourse, activity, logo_of, uses
from content.exports.imported.site import CONTENT
from content.exports.narrow import Narrowing
from content.exports.options import Options
from content.exports.pages import INDEX
from content.packages.embedded import KIND as PACKAGE
from content.packages.manifest import Manifest

SHAPE = 1
DEFAULT_MASTERY = 0.8
_LEFT_OUT = {"assistant": "It needs the platform's own helper, so it is left out of an export."}
_NOT_PREVIEWED = {"embed": "It holds a package that others made, which is not shown on the origin of previews."}
EMBEDDED = "embed/"


def make_course(manifest: Manifest, options: Options, *, preview: bool = False) -> ExportCourse:
    """A `preview` says of itself that it is one.

    Raises ContentError `export-language` for a language that the course does not have.
    """
    languages = _languages(manifest, options.languages)
    given = manifest.document
    narrowing = Narrowing(languages, given["metadata"]["language"])
    findings: list[Problem] = []
    out = _LEFT_OUT | (_NOT_PREVIEWED if preview else {})
    units = [
        _unit(at, unit, narrowing, languages, out, findings) for at, unit in enumerate(given["structure"]["units"])
    ]
    metadata = _metadata(given["metadata"], narrowing, languages, units, options)
    used = {asset for unit in units for block in unit["blocks"] for asset in uses(block)} | logo_of(metadata)
    assets, media = _assets(manifest, sorted(used), options)
    findings += _film_findings(units, assets)
    if narrowing.untranslated:
        message = (
            f"{narrowing.untranslated} texts are in none of the chosen languages ({', '.join(languages)}); "
            f"they stay in “{narrowing.own}”."
        )
        findings.append(Problem("/languages", "export-untranslated", message, "warning"))
    document = {
        "shape": SHAPE,
        "package_id": manifest.package_id,
        "version": manifest.version,
        "metadata": metadata,
        "structure": {"units": units},
        "assets": assets,
        "tracking": _tracking(manifest.package_id, metadata, options) | ({"preview": True} if preview else {}),
    }
    packages = {
        block["asset"]: block["course"]
        for unit in given["structure"]["units"]
        for block in unit["blocks"]
        if block["type"] == "embed" and block["asset"] in assets
    }
    return ExportCourse(document, media, tuple(findings), packages)


def _languages(manifest: Manifest, wanted: tuple[str, ...]) -> tuple[str, ...]:
    missing = [tag for tag in wanted if tag not in manifest.languages]
    if missing:
        known = ", ".join(f"“{tag}”" for tag in manifest.languages)
        message = f"The course is not in {', '.join(f'“{tag}”' for tag in missing)}."
        raise ContentError("export-language", message, f"It is in {known}.")
    return wanted or manifest.languages


def _unit(
    at: int,
    unit: Mapping[str, Any],
    narrowing: Narrowing,
    languages: Sequence[str],
    out: Mapping[str, str],
    findings: list[Problem],
) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = []
    for index, block in enumerate(unit["blocks"]):
        if reason := out.get(block["type"]):
            pointer = f"/structure/units/{at}/blocks/{index}"
            message = f"The block “{block['id']}” is of the type “{block['type']}”. {reason}"
            findings.append(Problem(pointer, "export-block-left-out", message, "warning"))
            continue
        narrowed = narrowing.document({name: value for name, value in block.items() if name != "course"})
        if block["type"] == "embed":
            narrowed["page"] = f"{embedded_folder(block['asset'])}{INDEX}"
        if tracks := block.get("captions"):
            # Captions in another language are better than none.
            narrowed["captions"] = [each for each in tracks if each["language"] in languages] or tracks
        blocks.append(narrowed)
    return narrowing.document({name: value for name, value in unit.items() if name != "blocks"}) | {"blocks": blocks}


def _metadata(
    given: Mapping[str, Any],
    narrowing: Narrowing,
    languages: Sequence[str],
    units: Sequence[Mapping[str, Any]],
    options: Options,
) -> dict[str, Any]:
    metadata = narrowing.document(given)
    metadata["language"] = languages[0]
    metadata["languages"] = [{"tag": tag, "direction": direction(tag)} for tag in languages]
    completion = metadata["completion"]
    if completion["rule"] == "blocks":
        there = {block["id"] for unit in units for block in unit["blocks"]}
        named = [block for block in completion["blocks"] if block in there]
        metadata["completion"] = {"rule": "blocks", "blocks": named} if named else {"rule": "all"}
    if completion["rule"] == "score" and options.mastery is not None:
        metadata["completion"] = {"rule": "score", "mastery": options.mastery}
    return metadata


def _tracking(package_id: str, metadata: Mapping[str, Any], options: Options) -> dict[str, Any]:
    mastery = options.mastery
    if mastery is None:
        mastery = metadata["completion"].get("mastery", DEFAULT_MASTERY)
    tracking = {"report": options.report, "mastery": mastery, "activity": activity(package_id)}
    tests = {test["unit"]: test["mastery"] for test in _tests(metadata)}
    if options.packaging == "unit" and tests:
        # A test decides what opens next, so the platform has to be told whether it was passed, whatever the report is.
        tracking["units"] = {unit: {"report": "passed-failed", "mastery": share} for unit, share in tests.items()}
    return tracking


def _tests(metadata: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    sequencing = metadata.get("sequencing", {})
    yield from (sequencing[name] for name in ("pretest", "posttest") if name in sequencing)


def _assets(manifest: Manifest, used: Sequence[str], options: Options) -> tuple[dict[str, Any], dict[str, Stored]]:
    documents: dict[str, Any] = {}
    media: dict[str, Stored] = {}
    for asset in used:
        renditions: list[dict[str, Any]] = []
        given = manifest.document["assets"][asset]
        if given["kind"] == PACKAGE:
            folder = f"{embedded_folder(asset)}{CONTENT}"
            files = manifest.renditions(asset)
            media |= {f"{folder}{each.package_path}": Stored(each.digest, each.size_bytes) for each in files}
            documents[asset] = {"kind": PACKAGE, "package": given["package"], "renditions": []}
            continue
        for each in chosen_renditions(manifest.renditions(asset), options):
            path = media_path(each)
            media[path] = Stored(each.digest, each.size_bytes)
            renditions.append(rendition_document(each, path))
        credits_ = {name: given[name] for name in ("license", "credit", "source_url") if name in given}
        documents[asset] = {"kind": given["kind"], **credits_, "renditions": renditions}
    return documents, media


def embedded_folder(asset: str) -> str:
    """Where an embedded package lies in an export: a site of its own."""
    return f"{EMBEDDED}{asset}/"


def _film_findings(units: Sequence[Mapping[str, Any]], assets: Mapping[str, Any]) -> Iterator[Problem]:
    for at, unit in enumerate(units):
        for index, block in enumerate(unit["blocks"]):
            if block["type"] != "video" or any(
                each["role"] == "video" for each in assets[block["asset"]]["renditions"]
            ):
                continue
            if not block.get("transcript") and not block.get("captions"):
                pointer = f"/structure/units/{at}/blocks/{index}"
                message = (
                    f"The film “{block['id']}” is left out, and nothing tells what is said in it: it has no transcript."
                )
                yield Problem(pointer, "export-film-without-text", message, "warning")
