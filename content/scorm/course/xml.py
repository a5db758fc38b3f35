"""XML of strangers as a tree of nodes: strict about structure, tolerant about letters and namespaces, bounded in everything.

Expat on a text that was decoded and mended before: no document type ever reaches it, so there are no entities, and it opens
neither files nor addresses. Limits are checked while it reads, so nothing grows first: depth, elements, attributes, the length
of one piece. Comments and processing instructions are dropped.
Before: `archive.read`. After: whoever knows what the document means; `keeping` keeps parts of it.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from content.scorm.course import namespaces
from content.scorm.course.encoding import decode
from content.scorm.course.mending import mend
from content.scorm.course.nodes import Document, Node
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits

MAX_PIECE = 1 << 20
MAX_ATTRIBUTES = 500
_NEWER = re.compile(r"2004|CAM\s*1\.3|imscp_v1p|adlcp_v1p3")


_NONE: dict[str, str] = {}


def parse(data: bytes, path: str, limits: ImportLimits, found: Findings) -> Document:
    """Raises PackageRefused with what is wrong and where."""
    text = decode(data, path, found)
    _check_sizes(text, path, limits, found)
    text = mend(text, path, found)
    if not text.strip():
        _refuse(found, "xml-malformed", path, f"{path} is empty.")
    family: namespaces.Family = "2004" if _NEWER.search(text) else "1.2"
    builder = _Builder(path, family, limits, found)
    encoded = text.encode("utf-8")
    del text
    try:
        builder.parse(encoded)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code) or "it cannot be read"
        message = (
            f"{path} is not well-formed XML ({reason}, line {error.lineno}). Export the package again or mend the file."
        )
        _refuse(found, "xml-malformed", f"{path}:{error.lineno}", message)
    assert builder.root is not None
    return Document(path, builder.root, family, builder.spaces)


def _refuse(found: Findings, code: str, place: str, message: str) -> None:
    found.error(code, place, message)
    raise found.refuse()


def _check_sizes(text: str, path: str, limits: ImportLimits, found: Findings) -> None:
    """What is over the limits by far is known before anything is built."""
    if text.count("<") > 4 * limits.xml_elements:
        _refuse(found, "xml-limits", path, f"{path} has more than {limits.xml_elements} elements.")
    if text.count("&") > limits.xml_elements:
        _refuse(found, "xml-limits", path, f"{path} has more than {limits.xml_elements} references (“&”).")
    half = MAX_PIECE // 2
    for at in range(0, len(text) - half, half):  # a piece of more than a MiB covers at least one of these whole
        if text.find("<", at, at + half) < 0:
            place = f"{path}:{text.count(chr(10), 0, at) + 1}"
            _refuse(
                found, "xml-limits", place, f"{path} has one piece of text or one tag of more than {half >> 10} KiB."
            )


class _Builder:
    """What expat calls. This is where the time goes, so `start` does nothing that one element does not need."""

    def __init__(self, path: str, family: namespaces.Family, limits: ImportLimits, found: Findings) -> None:
        self._path, self._limits, self._found = path, limits, found
        self._family: namespaces.Family = family
        self.root: Node | None = None
        self._open: list[Node] = []
        self._spaces: list[dict[str, str]] = [{"xml": namespaces.XML}]
        self._elements = self._attributes = 0
        self._names: dict[tuple[str, str], tuple[str, str]] = {}
        self._undeclared: dict[str, str] = {}
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def parse(self, data: bytes) -> None:
        """Raises expat.ExpatError."""
        self._parser.Parse(data, True)

    @property
    def spaces(self) -> frozenset[str]:
        return frozenset(space for space, _ in self._names)

    def _doctype(self, *_: object) -> None:
        """One that `mending` did not take out. Nothing of it is ever read: attributes could come from there, too."""
        message = (
            f"{self._path} declares a document type where there can be none, which no course package needs. Remove it."
        )
        _refuse(self._found, "xml-dtd", f"{self._path}:{self._parser.CurrentLineNumber}", message)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        opened, line = self._open, self._parser.CurrentLineNumber
        self._elements += 1
        self._attributes += len(attributes)
        if (
            self._elements > self._limits.xml_elements
            or len(opened) >= self._limits.xml_depth
            or len(attributes) > MAX_ATTRIBUTES
            or self._attributes > 4 * self._limits.xml_elements
        ):
            self._refuse_size(len(attributes), line)
        spaces = self._spaces[-1]
        if attributes:
            plain: dict[str, str] = {}
            qualified: list[str] = []
            for key, value in attributes.items():
                if key[:5] == "xmlns" and key[5:6] in ("", ":"):
                    if spaces is self._spaces[-1]:
                        spaces = dict(spaces)
                    spaces[key[6:]] = value.strip()
                elif ":" in key:
                    qualified.append(key)
                else:
                    plain[key] = value
            for key in qualified:  # only now: a declaration may stand behind its use
                plain[self._resolve(key, spaces, line)[1]] = attributes[key]
        else:
            plain = _NONE
        self._spaces.append(spaces)
        space, clark, local = self._resolve(name, spaces, line)
        if space == namespaces.XINCLUDE:
            message = (
                f"{self._path} asks to include another document, which is not done. Put its content there instead."
            )
            _refuse(self._found, "xml-xinclude", f"{self._path}:{line}", message)
        node = Node(clark, local, space, plain, line)
        if opened:
            parent = opened[-1]
            if isinstance(parent.children, list):
                parent.children.append(node)
            else:  # half of a tree are leaves, which need no list
                parent.children = [node]
        else:
            self.root = node
        opened.append(node)

    def _end(self, _name: str) -> None:
        self._open.pop()
        self._spaces.pop()

    def _text(self, data: str) -> None:
        node = self._open[-1]
        if not node.children:
            node.text += data
        elif not data.isspace() or node.children[-1].tail:
            node.children[-1].tail += data

    def _refuse_size(self, attributes: int, line: int) -> None:
        limits = self._limits
        what = (
            f"more than {limits.xml_elements} elements"
            if self._elements > limits.xml_elements
            else f"elements nested more than {limits.xml_depth} deep"
            if len(self._open) >= limits.xml_depth
            else f"an element with more than {MAX_ATTRIBUTES} attributes"
            if attributes > MAX_ATTRIBUTES
            else f"more than {4 * limits.xml_elements} attributes"
        )
        _refuse(self._found, "xml-limits", f"{self._path}:{line}", f"{self._path} has {what}.")

    def _resolve(self, raw: str, spaces: dict[str, str], line: int) -> tuple[str, str, str]:
        """Namespace, Clark name and lower-case local name."""
        prefix, _, local = raw.rpartition(":")
        space = spaces.get(prefix)
        if space is None:
            space = self._of_undeclared(prefix, line) if prefix else ""
        known = self._names.get((space, local))
        if known is None:  # the same few names again and again: kept once
            known = self._names[space, local] = (f"{{{space}}}{local}" if space else local, local.lower())
        return space, *known

    def _of_undeclared(self, prefix: str, line: int) -> str:
        known = self._undeclared.get(prefix)
        if known is None:
            known = self._undeclared[prefix] = namespaces.of_prefix(prefix, self._family)
            message = f"The prefix “{prefix}” is used but not declared; it was read as “{known}”."
            self._found.warn("xml-prefix", f"{self._path}:{line}", message)
        return known
