"""A manifest without what no control document of its edition describes, so that the rest can be held against them.

Authors' tools put elements of their own and descriptions of other standards into manifests, which is allowed; but libxml2 refuses
what it has no schema of. After: `content.exports.schemas`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from content.exports.xml import XSI, etree

_XML = "http://www.w3.org/XML/1998/namespace"


def known_part(document: bytes, spaces: Collection[str]) -> bytes:
    """The document with elements and attributes of these namespaces only. The document is of our own writing."""
    root = etree.fromstring(
        document, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    )
    for element in list(root.iter()):
        if _space(element.tag) not in spaces:
            if element.getparent() is not None:
                element.getparent().remove(element)
            continue
        for name in list(element.attrib):
            if _space(name) not in ("", _XML, XSI, *spaces):
                del element.attrib[name]
    return etree.tostring(root)


def _space(name: Any) -> str:
    return etree.QName(name).namespace or ""
