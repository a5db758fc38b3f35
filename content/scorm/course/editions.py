"""Which edition of SCORM a manifest is of: by its schemaversion, else by namespaces and schema locations, else by content."""

from __future__ import annotations

import re
from collections.abc import Iterator

from content.scorm.course.namespaces import XSI
from content.scorm.course.nodes import Node
from content.scorm.findings import Findings
from content.scorm.model import Edition

_TRACES_12 = ("imscp_rootv1p1", "adlcp_rootv1p", "imsproject.org")
_TRACES_2004 = ("adlcp_v1p", "adlseq_v1p3", "adlnav_v1p3", "imsglobal.org/xsd/imsss", "imscp_v1p1")
_ORDINALS: tuple[tuple[Edition, re.Pattern[str]], ...] = (
    ("2004-2nd", re.compile(r"2\s*nd|second|2e\b|ed(ition)?\W*2\b")),
    ("2004-3rd", re.compile(r"3\s*rd|third|3e\b|ed(ition)?\W*3\b")),
    ("2004-4th", re.compile(r"4\s*th|fourth|4e\b|ed(ition)?\W*4\b")),
)
_ONLY_12 = frozenset(("prerequisites", "maxtimeallowed", "masteryscore"))
_ONLY_2004 = frozenset(("sequencing", "presentation", "completionthreshold", "sequencingcollection"))


def edition_of(manifest: Node, schema_version: str, place: str, found: Findings) -> Edition:
    """Warns where nothing or something contradictory is said."""
    said = by_version(schema_version)
    space = by_namespaces(manifest)
    if said == "1.2" or said == "2004-2nd" or said == "2004-3rd" or said == "2004-4th":
        if space and (space == "1.2") != (said == "1.2"):
            message = (
                f"The schemaversion says {schema_version}, the namespaces are those of SCORM {space}; the first counts."
            )
            found.warn("schema-mismatch", place, message)
        return said
    family = space or ("2004" if said == "2004" else by_content(manifest))
    edition: Edition = "1.2" if family == "1.2" and said != "2004" else _edition_of_2004(manifest)
    why = f"The schemaversion “{schema_version}” names no edition" if schema_version else "There is no schemaversion"
    name = edition if edition == "1.2" else f"{edition.replace('-', ' ')} Edition"
    found.warn(
        "schemaversion-unknown" if schema_version else "schemaversion-missing", place, f"{why}; read as SCORM {name}."
    )
    return edition


def by_version(version: str) -> str:
    """`2004` where only that is said; empty where nothing is known."""
    text = " ".join(version.lower().split())
    if "2004" in text or "cam" in text or re.fullmatch(r"(v(ersion)?\W*)?1\.3(\.\d)?", text):
        rest = text.replace("2004", " ")
        for edition, pattern in _ORDINALS:
            if pattern.search(rest):
                return edition
        if "1.3.1" in text:  # the numbers of the documents: 1.3 is of 2004, 1.3.1 of the second edition, …
            return "2004-2nd"
        if "1.3.2" in text or "1.3.3" in text:
            return "2004-3rd" if "1.3.2" in text else "2004-4th"
        return "2004-2nd" if "1.3" in text else "2004"
    return "1.2" if re.search(r"(?<![\d.])1[.,]\s?2(?!\d)", text) else ""


def by_namespaces(manifest: Node) -> str:
    """`1.2`, `2004`, or empty; where both are used, what the manifest itself stands in counts."""
    if any(trace in manifest.space for trace in _TRACES_12):
        return "1.2"
    if any(trace in manifest.space for trace in _TRACES_2004):
        return "2004"
    places = manifest.attributes.get(f"{{{XSI}}}schemaLocation", "")
    spaces = " ".join((places, *{name.partition("}")[0] for name in _names(manifest)}))
    for family, traces in (("2004", _TRACES_2004), ("1.2", _TRACES_12)):
        if any(trace in spaces for trace in traces):
            return family
    return ""


def by_content(manifest: Node) -> str:
    """What only one of them has; 1.2 where nothing tells, since it asks for least."""
    locals_ = {node.local for node in _nodes(manifest)}
    if locals_ & _ONLY_12:
        return "1.2"
    if locals_ & _ONLY_2004:
        return "2004"
    return "2004" if any("scormType" in name.rpartition("}")[2] for name in _names(manifest)) else "1.2"


def _edition_of_2004(manifest: Node) -> Edition:
    """The earliest that has everything that is used."""
    edition: Edition = "2004-2nd"
    for node in _nodes(manifest):
        if node.local == "completionthreshold" and node.attributes:
            return "2004-4th"
        if node.local in ("objectives", "objective") and "adlseq" in node.space:
            return "2004-4th"
        if node.local == "map" or node.get("shareddataglobaltosystem") is not None:
            return "2004-4th"
        if node.local == "hidelmsui" and node.text.strip() in ("exitAll", "abandonAll", "suspendAll"):
            edition = "2004-3rd"
    return edition


def _nodes(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(reversed(each.children))


def _names(manifest: Node) -> Iterator[str]:
    for node in _nodes(manifest):
        yield node.name
        yield from node.attributes
