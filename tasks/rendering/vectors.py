"""Vector pictures: an SVG read by lxml under limits and written anew with what `content.media.svg` keeps.

Nothing is fetched and no entity is replaced; a document that declares entities is refused unread. What comes out is a
tree of our own making, so nothing of the original's that was not looked at can be in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]  # it has no stubs

from content.errors import ContentError
from content.media import MediaLimits, Probe
from content.media.svg import (
    ATTRIBUTES,
    ELEMENTS,
    NAMESPACE,
    SILENT,
    XLINK,
    XML,
    clean_stylesheet,
    clean_value,
    references,
)

MAX_DEPTH = 100
REPEATED = 10  # how many times more elements there may be once every `use` is followed
_SIZE = re.compile(r"\s*\+?(\d+(?:\.\d*)?|\.\d+)\s*(px|pt|pc|mm|cm|in|em|ex|q)?\s*", re.IGNORECASE)
_PIXELS = {"pt": 4 / 3, "pc": 16, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96, "em": 16, "ex": 8, "q": 96 / 101.6}
# Encodings in which a declaration of entities would be written with other bytes than in ASCII are not taken.
_ENCODING = re.compile(rb"""^<\?xml[^>]*?encoding\s*=\s*["']([\w.-]+)["']""", re.IGNORECASE)
_ENCODINGS = re.compile(
    rb"utf-?8|utf-?16(le|be)?|us-ascii|ascii|iso-8859-\d+|windows-125\d|gb2312|gbk|shift_jis|euc-(jp|kr)|big5|koi8-r",
    re.IGNORECASE,
)
_DEFAULT_SIZE = (300, 150)  # of a replaced element without a size of its own, CSS 2.2 §10.3.2


@dataclass
class _Cleaning:
    """One pass over a document: what was counted and what was left out, by name."""

    limits: MediaLimits
    elements: int = 0
    removed: dict[str, None] = field(default_factory=dict[str, None])


def probe_svg(path: Path, limits: MediaLimits, asset: str) -> Probe:
    """Size as shown, and in `removed` what the author will miss. Raises as `render_svg`."""
    root, cleaning = _cleaned(path, limits, asset)
    width, height = _size(root)
    return Probe(
        kind="image",
        media_type="image/svg+xml",
        width=width,
        height=height,
        frames=1,
        has_alpha=True,
        codec="svg",
        size_bytes=path.stat().st_size,
        removed=", ".join(sorted(cleaning.removed)),
    )


def render_svg(path: Path, target: Path, limits: MediaLimits, asset: str) -> None:
    """Write the cleaned picture. Raises ContentError `media-unreadable`, `media-unsupported` or `media-too-large`."""
    root, _ = _cleaned(path, limits, asset)
    etree.cleanup_namespaces(root)
    target.write_bytes(etree.tostring(root, encoding="utf-8", xml_declaration=False) + b"\n")


def _cleaned(path: Path, limits: MediaLimits, asset: str) -> tuple[Any, _Cleaning]:
    root = _parsed(path, limits, asset)
    if etree.QName(root).localname != "svg" or etree.QName(root).namespace not in (None, NAMESPACE):
        raise _unreadable(asset, "it is an XML document, but no SVG picture")
    cleaning = _Cleaning(limits)
    try:
        kept = _kept(root, cleaning, 0)
    except OverflowError as error:
        raise _too_large(asset, str(error)) from error
    assert kept is not None  # the root is an svg element
    _limit_repetition(kept, limits, asset)
    if kept.get("viewBox") is None:
        width, height = _size(kept)
        kept.set("viewBox", f"0 0 {width} {height}")  # so that it can be shown at another size
    return kept, cleaning


def _parsed(path: Path, limits: MediaLimits, asset: str) -> Any:
    if path.stat().st_size > limits.svg_bytes:
        raise _too_large(asset, f"it is larger than {limits.svg_bytes >> 10} KiB")
    data = path.read_bytes()
    plain = data.replace(b"\0", b"")
    declared = _ENCODING.match(plain.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n"))
    if declared and not _ENCODINGS.fullmatch(declared[1]):
        raise _unreadable(asset, f"its encoding “{declared[1].decode()}” is not taken; save it as UTF-8")
    if b"<!entity" in plain.lower():
        message = f"The picture “{asset}” declares XML entities, which are not taken here."
        raise ContentError("media-unsupported", message, "Save it as plain SVG and upload it anew.")
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=False,
    )
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _unreadable(asset, str(error)) from error


def _kept(element: Any, cleaning: _Cleaning, depth: int) -> Any | None:
    """A new element with what may stay of this one, or None."""
    cleaning.elements += 1
    if cleaning.elements > cleaning.limits.svg_elements:
        raise OverflowError(f"it has more than {cleaning.limits.svg_elements} elements")
    if depth > MAX_DEPTH:
        raise OverflowError(f"it is nested deeper than {MAX_DEPTH} levels")
    if not isinstance(element.tag, str):
        return None  # an entity reference
    name, namespace = etree.QName(element).localname, etree.QName(element).namespace
    if namespace not in (None, NAMESPACE):
        return None  # an editor's own
    if name == "a":
        name = "g"  # what a link shows stays, the link does not
        cleaning.removed["a"] = None
    if name not in ELEMENTS:
        if name not in SILENT:
            cleaning.removed[name] = None
        return None
    made = etree.Element(f"{{{NAMESPACE}}}{name}", nsmap={None: NAMESPACE} if depth == 0 else None)
    for attribute, value in sorted(element.attrib.items()):
        _keep_attribute(made, attribute, value, cleaning)
    if name == "style":
        text = clean_stylesheet("".join(element.itertext()))
        if text is None:
            cleaning.removed["style"] = None
            return None
        made.text = text
        return made
    made.text, last = element.text, None
    for child in element:
        if (kept := _kept(child, cleaning, depth + 1)) is not None:
            made.append(kept)
            kept.tail, last = child.tail, kept
        elif child.tail and last is not None:
            last.tail = (last.tail or "") + child.tail
        elif child.tail:
            made.text = (made.text or "") + child.tail
    return made


def _keep_attribute(made: Any, attribute: str, value: str, cleaning: _Cleaning) -> None:
    namespace, name = etree.QName(attribute).namespace, etree.QName(attribute).localname
    if name == "href" and namespace in (None, XLINK):
        if value.strip().startswith("#"):
            made.set("href", value.strip())
        return
    if namespace == XML and name in ("space", "lang"):
        made.set(attribute, value)
    elif namespace is None and name in ATTRIBUTES:
        clean = clean_value(name, value)
        if clean is not None:
            made.set(name, clean)
        elif value.strip():
            cleaning.removed[name] = None
    elif namespace is None and name.startswith("on"):
        cleaning.removed[name] = None


def _limit_repetition(root: Any, limits: MediaLimits, asset: str) -> None:
    """A few elements that use each other can stand for millions. Raises `media-too-large`."""
    by_id = {each.get("id"): each for each in root.iter() if each.get("id")}
    weights: dict[Any, int] = {}
    limit = REPEATED * limits.svg_elements

    def weigh(element: Any, above: frozenset[Any]) -> int:
        if element in above:
            raise _too_large(asset, "it repeats itself without an end")
        if len(above) > 2 * MAX_DEPTH:
            raise _too_large(asset, "its parts refer to each other too deeply")
        if element not in weights:
            below = above | {element}
            total = 1 + sum(weigh(each, below) for each in _parts(element, by_id))
            if total > limit:
                raise _too_large(asset, "it repeats itself too often")
            weights[element] = total
        return weights[element]

    weigh(root, frozenset())


def _parts(element: Any, by_id: dict[str, Any]) -> Iterator[Any]:
    yield from element
    for name, value in element.attrib.items():
        for target in [value[1:]] if name == "href" else references(value):
            if target in by_id:
                yield by_id[target]


def _size(root: Any) -> tuple[int, int]:
    width, height = _length(root.get("width")), _length(root.get("height"))
    box = [float(each) for each in re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)", root.get("viewBox") or "")]
    if len(box) == 4 and box[2] > 0 and box[3] > 0:
        ratio = box[3] / box[2]
        if not width and not height:
            width = box[2]
        width, height = width or cast("float", height) / ratio, height or cast("float", width) * ratio
    width, height = width or _DEFAULT_SIZE[0], height or _DEFAULT_SIZE[1]
    return min(max(round(width), 1), 1 << 20), min(max(round(height), 1), 1 << 20)


def _length(value: str | None) -> float | None:
    found = _SIZE.fullmatch(value or "")
    return float(found[1]) * _PIXELS.get((found[2] or "").lower(), 1) or None if found else None


def _unreadable(asset: str, why: str) -> ContentError:
    remedy = "Save it as plain SVG, or export it as PNG, and upload it anew."
    return ContentError("media-unreadable", f"The picture “{asset}” cannot be read: {why}.", remedy)


def _too_large(asset: str, why: str) -> ContentError:
    remedy = "Simplify it, or export it as PNG, and upload it anew."
    return ContentError("media-too-large", f"The picture “{asset}” is too large: {why}.", remedy)
