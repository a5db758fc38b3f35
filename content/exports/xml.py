"""XML as exports write it: lxml escapes, and what XML cannot hold is replaced before.

Identifiers are made here, as xs:ID wants them: a letter, then letters, digits, `-`, `_` and `.`. They follow from a
unit's place or id and are short, because SCORM 1.2 allows prerequisites 200 characters in all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import lxml.etree as _lxml  # pyright: ignore[reportMissingTypeStubs]

etree: Any = _lxml  # has no types; everything here takes its elements as they are
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# What is no Char of XML 1.0 (section 2.2); half surrogate pairs are among it.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_ID = re.compile(r"[^A-Za-z0-9_.-]")


def text(value: str, limit: int | None = None) -> str:
    """A line of text that XML can hold, cut to `limit` characters with an ellipsis."""
    line = " ".join(_NOT_XML.sub("\ufffd", value).split())
    return line if limit is None or len(line) <= limit else line[: limit - 1].rstrip() + "…"


def identifier(prefix: str, name: str | int) -> str:
    """An xs:ID; different names give different identifiers."""
    clean = _NOT_ID.sub("_", str(name))
    if clean != str(name) or len(clean) > 64:
        clean = f"{clean[:40]}-{hashlib.sha256(str(name).encode()).hexdigest()[:12]}"
    return f"{prefix}{clean}"


def in_language(texts: Mapping[str, str], language: str) -> str:
    """The text in this language; where it is missing, in the first that there is."""
    return texts.get(language) or next(iter(texts.values()), "")


def add(parent: Any, name: str, content: str | None = None, **attributes: str) -> Any:
    """A child in the parent's own namespace, or in the one that `name` begins with (`{…}`)."""
    if not name.startswith("{"):
        name = f"{{{etree.QName(parent).namespace}}}{name}"
    child = etree.SubElement(parent, name, attributes)
    child.text = content
    return child


def schema_locations(pairs: Iterable[tuple[str, str]]) -> str:
    """The value of xsi:schemaLocation: namespaces with a file beside the document, never an address."""
    return " ".join(f"{namespace} {name}" for namespace, name in pairs)


def to_bytes(root: Any) -> bytes:
    """The document in UTF-8, indented; attributes stand in the order in which they were given."""
    etree.indent(root, "  ")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"
