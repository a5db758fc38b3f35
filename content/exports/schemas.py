"""A manifest against the control documents of its edition, from bytes alone: nothing is read from disk or network.

libxml2 refuses two of SCORM 1.2's documents as they were published, so they are mended before: `ims_xml.xsd` makes the xml
namespace its default, which XML forbids, and `imsmd_rootv1p2p1.xsd` allows “any element” where its own elements may follow,
which XML Schema forbids. `xml.xsd` would be fetched from the W3C. The zip carries them unmended.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from content.exports.xml import etree

_DRIVER = "http://localhost.invalid/driver.xsd"
_XML_NAMESPACE = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
 targetNamespace="http://www.w3.org/XML/1998/namespace">
<xs:attribute name="lang" type="xs:string"/><xs:attribute name="base" type="xs:anyURI"/>
<xs:attribute name="space" type="xs:string"/></xs:schema>"""
_XML_FILES = ("xml.xsd", "ims_xml.xsd")
_ANY_GROUP = b'<xsd:group ref="grp.any"/>'
MAX_ERRORS = 5


class _Bytes(etree.Resolver):
    """Answers every request of libxml2 with bytes that are there, and what is not there with nothing."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.files = files

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:
        name = system_url.rpartition("/")[2]
        if name in _XML_FILES:
            return self.resolve_string(_XML_NAMESPACE, context, base_url=system_url)
        data = self.files.get(name, b"")
        if name.startswith("imsmd_"):
            data = data.replace(_ANY_GROUP, b"")
        return self.resolve_string(data, context, base_url=system_url)


def schema_errors(document: bytes, files: Mapping[str, bytes], roots: Sequence[tuple[str, str]]) -> list[str]:
    """What in the document does not agree with the schemas: the first few, each with its line.

    `roots` are (namespace, name of the file in `files`). A schema that cannot be read is an error, too.
    """
    try:
        schema = _schema(tuple(sorted(files.items())), tuple(roots))
        tree = etree.fromstring(document, _parser())
    except etree.LxmlError as error:
        return [str(error)]
    if schema.validate(tree):
        return []
    return [f"line {each.line}: {each.message}" for each in schema.error_log][:MAX_ERRORS]


@functools.lru_cache(maxsize=8)
def _schema(files: tuple[tuple[str, bytes], ...], roots: tuple[tuple[str, str], ...]) -> Any:
    parser = _parser()
    parser.resolvers.add(_Bytes(dict(files)))
    imports = "".join(f'<xs:import namespace="{space}" schemaLocation="{name}"/>' for space, name in roots)
    driver = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    return etree.XMLSchema(etree.fromstring(driver.encode(), parser, base_url=_DRIVER))


def _parser() -> Any:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
