"""An XML text made well-formed where only one thing can have been meant; each mend is told.

Before: `encoding`. After: `xml`, whose parser is strict. Line numbers stay. Every pass is linear in the text's length, however
it was made: nothing searches twice for an end that is not there.
"""

from __future__ import annotations

import re
from html.entities import html5

from content.scorm.findings import Findings

_DECLARATION = re.compile(r"\s*<\?xml(?=[\s?])[^>]{0,1000}\?>", re.IGNORECASE)
_PROLOG = re.compile(r"(?:\s++|<!--.*?-->|<\?.*?\?>)*+", re.DOTALL)
_EXTERNAL = re.compile(r"\b(?:SYSTEM|PUBLIC)\b")
_DOCTYPE = re.compile(r"""<!DOCTYPE(?:[^\[>"']++|"[^"]*+"|'[^']*+')*+([\[>])""")
# What no XML 1.0 document may hold, not even written as a number.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_LOOSE = re.compile(r"&(?!#[0-9]{1,7};|#x[0-9a-fA-F]{1,6};|(?:amp|lt|gt|quot|apos);)")
_TOKEN = re.compile(r"<!--|<!\[CDATA\[|<\?|&(?:#[0-9]{1,8};|#[xX][0-9a-fA-F]{1,8};|[A-Za-z][A-Za-z0-9]{0,31};)?")
_ENDS = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}
_XML_NAMES = frozenset(("&amp;", "&lt;", "&gt;", "&quot;", "&apos;"))


def mend(text: str, document: str, found: Findings) -> str:
    """The text without declaration, document type, control characters and loose `&`. Raises PackageRefused for a document
    type that declares something: entities are how XML is made to blow up or to read files."""
    text = _CONTROL.sub("", text) if _tell_controls(text, document, found) else text
    declared = _DECLARATION.match(text)
    if declared:
        if declared[0][0] != "<":
            message = "The XML declaration is not at the very beginning, where it must stand; it was read all the same."
            found.warn("xml-declaration", f"{document}:1", message)
        text = "\n" * declared[0].count("\n") + text[declared.end() :]
    text = _without_doctype(text, document, found)
    if _LOOSE.search(text) or "&#" in text:
        text = _with_references(text, document, found)
    return text


def _tell_controls(text: str, document: str, found: Findings) -> bool:
    first = _CONTROL.search(text)
    if first:
        message = "There are control characters, which XML does not allow; they were left out."
        found.warn("xml-characters", _place(document, text, first.start()), message)
    return first is not None


def _without_doctype(text: str, document: str, found: Findings) -> str:
    prolog = _PROLOG.match(text)
    start = prolog.end() if prolog else 0
    if not text.startswith("<!DOCTYPE", start):
        return text
    place = _place(document, text, start)
    doctype = _DOCTYPE.match(text, start)
    if not doctype:
        found.error("xml-malformed", place, f"The document type of {document} has no end, so it cannot be read as XML.")
        raise found.refuse()
    if doctype[1] == "[":
        end = text.find("]>", start)
        inside = text[doctype.end() : end if end > 0 else len(text)]
        entities = "<!ENTITY" in inside or "%" in inside
        found.error(
            "xml-entities" if entities else "xml-dtd",
            place,
            f"{document} declares {'entities' if entities else 'a document type of its own'}, which no course package needs"
            " and which can be used for attacks. Remove everything from “<!DOCTYPE” to “]>”.",
        )
        raise found.refuse()
    if _EXTERNAL.search(doctype[0]):
        message = (
            f"{document} takes a document type from somewhere else, which no course package needs and which is never fetched."
            " Remove everything from “<!DOCTYPE” to “>”."
        )
        found.error("xml-dtd", place, message)
        raise found.refuse()
    found.warn("xml-doctype", place, "A document type stands there; it was ignored and nothing was fetched for it.")
    return text[:start] + "\n" * doctype[0].count("\n") + text[doctype.end() :]


def _with_references(text: str, document: str, found: Findings) -> str:
    """Each `&` outside comments, CDATA and instructions: a reference that XML knows, or the letter that was meant."""
    parts: list[str] = []
    first: dict[str, tuple[int, str]] = {}
    at = 0
    while match := _TOKEN.search(text, at):
        token = match[0]
        end = _ENDS.get(token)
        if end:
            close = text.find(end, match.end())
            if close < 0:
                break  # the parser says where
            parts.append(text[at : close + len(end)])
            at = close + len(end)
            continue
        written, code = _reference(token)
        if code and code not in first:
            first[code] = (match.start(), token)
        parts.append(text[at : match.start()])
        parts.append(written)
        at = match.end()
    for code, (
        where,
        token,
    ) in first.items():  # of each kind the first: counting the lines of all would be a pass for each
        found.warn(code, _place(document, text, where), _MENDED[code].format(token=token))
    return "".join((*parts, text[at:]))


_MENDED = {
    "xml-characters": "“{token}” is a control character, which XML does not allow; it was left out.",
    "xml-entity-name": "“{token}” is a name of HTML, not of XML; it was read as HTML means it.",
    "xml-ampersand": "A “&” stands alone; it must be written as “&amp;” and was read as that.",
}


def _reference(token: str) -> tuple[str, str]:
    """What it is in XML, and the code of what was mended."""
    if token in _XML_NAMES:
        return token, ""
    if token.startswith("&#"):
        number = int(token[3:-1], 16) if token[2] in "xX" else int(token[2:-1])
        if number > 0x10FFFF or _CONTROL.match(chr(number)):
            return "", "xml-characters"
        return f"&#{number};", ""
    letters = html5.get(token[1:], "") if token.endswith(";") else ""
    if letters:
        return "".join(f"&#{ord(each)};" for each in letters), "xml-entity-name"
    return f"&amp;{token[1:]}", "xml-ampersand"


def _place(document: str, text: str, at: int) -> str:
    return f"{document}:{text.count(chr(10), 0, at) + 1}"
