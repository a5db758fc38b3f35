"""SCORM 1.2: imsmanifest.xml with prerequisites where units open in an order.

`adlcp:masteryscore` makes a platform decide between passed and failed by itself, over whatever the content said. So it is
written only where that is what was asked for: in the report passed-failed, and for a test that decides what opens next.
Prerequisites are a script of AICC (`&`, `|`, `=`, parentheses) of at most 200 characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from content.errors import Problem
from content.exports.export_course import deciding_mastery
from content.exports.lom import IMSMD, add_imsmd
from content.exports.scorm import (
    Edition,
    Package,
    add_organization,
    add_resources,
    manifest_identifier,
    unit_number,
)
from content.exports.unit_order import Done, Fact, order_of
from content.exports.xml import XSI, add, etree, schema_locations, to_bytes

EDITION = Edition(
    name="scorm12",
    schema_version="1.2",
    namespace="http://www.imsproject.org/xsd/imscp_rootv1p1p2",
    adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2",
    scorm_type="scormtype",
    title_chars=200,
)
SCHEMAS = (
    (EDITION.namespace, "imscp_rootv1p1p2.xsd"),
    (EDITION.adlcp, "adlcp_rootv1p2.xsd"),
    (IMSMD, "imsmd_rootv1p2p1.xsd"),
)
MAX_PREREQUISITES_CHARS = 200


def write_manifest(package: Package) -> tuple[bytes, list[Problem]]:
    """The manifest, and a finding for each condition that does not fit into it."""
    root = etree.Element(
        f"{{{EDITION.namespace}}}manifest",
        {"identifier": manifest_identifier(package.course), "version": str(package.course.version)},
        nsmap={None: EDITION.namespace, "adlcp": EDITION.adlcp, "xsi": XSI},
    )
    root.set(f"{{{XSI}}}schemaLocation", schema_locations(SCHEMAS))
    metadata = add(root, "metadata")
    add(metadata, "schema", "ADL SCORM")
    add(metadata, "schemaversion", EDITION.schema_version)
    add_imsmd(metadata, package.course)
    _, items = add_organization(root, EDITION, package)
    findings: list[Problem] = []
    for page, item in zip(package.pages, items, strict=True):
        if page.unit is not None:
            findings += _add_prerequisites(item, package, page.unit)
        mastery = deciding_mastery(package.course.document, page.unit)
        if mastery is not None:
            # A whole number of percent: some platforms read no others.
            add(item, f"{{{EDITION.adlcp}}}masteryscore", str(round(mastery * 100)))
    add_resources(root, EDITION, package)
    return to_bytes(root), findings


def _add_prerequisites(item: Any, package: Package, unit: Mapping[str, Any]) -> list[Problem]:
    script = prerequisites(package, unit["id"])
    if len(script) > MAX_PREREQUISITES_CHARS:
        message = (
            f"The unit “{unit['id']}” waits for more units than SCORM 1.2 can name, so a platform opens it from the "
            "beginning. SCORM 2004 has no such limit."
        )
        pointer = f"/structure/units/{unit_number(package.course, unit['id']) - 1}"
        return [Problem(pointer, "export-prerequisites", message, "warning")]
    if script:
        add(item, f"{{{EDITION.adlcp}}}prerequisites", script, type="aicc_script")
    return []


def prerequisites(package: Package, unit: str) -> str:
    """What must be done before this unit opens; empty if nothing must."""
    order = order_of(package.course)
    names = {each: f"U{number}" for number, each in enumerate(order.units, start=1)}

    def term(fact: Fact) -> str:
        return names[fact.unit] if isinstance(fact, Done) else f'{names[order.pretest or ""]}="passed"'

    terms = ["|".join(term(fact) for fact in facts) for facts in order.conditions(unit)]
    return terms[0] if len(terms) == 1 else "&".join(f"({each})" if "|" in each else each for each in terms)
