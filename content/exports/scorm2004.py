"""SCORM 2004, 3rd and 4th edition: imsmanifest.xml with sequencing.

The two differ in `schemaversion` and control documents; what is used of sequencing is the same in both. A score decides by
itself (`satisfiedByMeasure`) only where failing is to be told, in the report passed-failed and for tests; in the others the
content says passed when it is so, and nothing before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from content.errors import Problem
from content.exports.export_course import deciding_mastery
from content.exports.scorm import (
    Edition,
    Package,
    add_organization,
    add_resources,
    manifest_identifier,
)
from content.exports.sequencing import ADLSEQ, IMSSS, add_ordered_sco, add_root, add_sco
from content.exports.unit_order import order_of, weights
from content.exports.xml import XSI, add, etree, schema_locations, to_bytes

IMSCP = "http://www.imsglobal.org/xsd/imscp_v1p1"
ADLCP = "http://www.adlnet.org/xsd/adlcp_v1p3"
ADLNAV = "http://www.adlnet.org/xsd/adlnav_v1p3"
EDITIONS = {
    f"scorm2004-{edition}": Edition(
        name=f"scorm2004-{edition}",
        schema_version=f"2004 {edition} Edition",
        namespace=IMSCP,
        adlcp=ADLCP,
        scorm_type="scormType",
        title_chars=None,
    )
    for edition in ("3rd", "4th")
}
SCHEMAS = (
    (IMSCP, "imscp_v1p1.xsd"),
    (ADLCP, "adlcp_v1p3.xsd"),
    (ADLSEQ, "adlseq_v1p3.xsd"),
    (ADLNAV, "adlnav_v1p3.xsd"),
    (IMSSS, "imsss_v1p0.xsd"),
)
METADATA = (
    "metadata.xml"  # by itself: the 3rd edition's schema takes nothing inside a manifest whose schema is not there
)
_SPACES = {None: IMSCP, "adlcp": ADLCP, "adlseq": ADLSEQ, "adlnav": ADLNAV, "imsss": IMSSS, "xsi": XSI}


def write_manifest(package: Package, edition: Edition) -> tuple[bytes, list[Problem]]:
    """The manifest; there is nothing that it cannot hold."""
    course = package.course
    root = etree.Element(
        f"{{{IMSCP}}}manifest",
        {"identifier": manifest_identifier(course), "version": str(course.version)},
        nsmap=_SPACES,
    )
    root.set(f"{{{XSI}}}schemaLocation", schema_locations(SCHEMAS))
    metadata = add(root, "metadata")
    add(metadata, "schema", "ADL SCORM")
    add(metadata, "schemaversion", edition.schema_version)
    add(metadata, f"{{{ADLCP}}}location", METADATA)
    organization, items = add_organization(root, edition, package)
    # What units share is a learner's own and ends with the attempt.
    organization.set(f"{{{ADLSEQ}}}objectivesGlobalToSystem", "false")
    if package.pages[0].unit is None:
        add_sco(items[0], deciding_mastery(course.document), 1)
        _hide_steps(items[0])
        add(add(organization, f"{{{IMSSS}}}sequencing"), "controlMode", choice="true", flow="true")
    else:
        _sequence_units(package, items)
        add_root(organization, course)
    add_resources(root, edition, package)
    return to_bytes(root), []


def _hide_steps(item: Any) -> None:
    """A platform's own “previous” and “continue” would lead nowhere in a course that is one SCO."""
    presentation = add(item, f"{{{ADLNAV}}}presentation")
    interface = add(presentation, "navigationInterface")
    for name in ("previous", "continue"):
        add(interface, "hideLMSUI", name)


def _sequence_units(package: Package, items: list[Any]) -> None:
    course = package.course
    order, shares = order_of(course), weights(course)
    for page, item in zip(package.pages, items, strict=True):
        unit: Mapping[str, Any] = page.unit or {}
        mastery = deciding_mastery(course.document, unit)
        if order.waits:
            add_ordered_sco(item, unit["id"], order, course, mastery)
        else:
            add_sco(item, mastery, shares[unit["id"]])
