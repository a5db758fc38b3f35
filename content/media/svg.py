"""What of an SVG picture is kept: shapes, text, paints and filters. Nothing that runs, moves, loads or links.

An allow-list: what is not named here is left out. Before: `tasks.rendering.vectors` has parsed the XML. After: it writes
what was kept.
"""

from __future__ import annotations

import re

NAMESPACE = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
XML = "http://www.w3.org/XML/1998/namespace"

_STRUCTURE = "svg g defs symbol use switch title desc"
_SHAPES = "path rect circle ellipse line polyline polygon text tspan textPath marker"
_PAINTS = "linearGradient radialGradient stop pattern clipPath mask"
_FILTERS = (
    "filter feBlend feColorMatrix feComponentTransfer feComposite feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR "
    "feGaussianBlur feMerge feMergeNode feMorphology feOffset feTile"
)
ELEMENTS = frozenset(f"{_STRUCTURE} {_SHAPES} {_PAINTS} {_FILTERS} style".split())
# Left out without a word to the author: editors' notes on the document, which show nothing.
SILENT = frozenset(("metadata", "view", "cursor"))

_PRESENTATION = (
    "alignment-baseline baseline-shift clip-path clip-rule color color-interpolation color-interpolation-filters "
    "direction display dominant-baseline fill fill-opacity fill-rule filter flood-color flood-opacity font-family "
    "font-size font-size-adjust font-stretch font-style font-variant font-weight image-rendering isolation "
    "letter-spacing marker-end marker-mid marker-start mask mix-blend-mode opacity overflow paint-order "
    "pointer-events shape-rendering stop-color stop-opacity stroke stroke-dasharray stroke-dashoffset stroke-linecap "
    "stroke-linejoin stroke-miterlimit stroke-opacity stroke-width text-anchor text-decoration text-rendering "
    "transform transform-origin unicode-bidi vector-effect visibility white-space word-spacing writing-mode"
)
_GEOMETRY = (
    "x y x1 x2 y1 y2 cx cy r rx ry fx fy fr d points width height viewBox preserveAspectRatio dx dy rotate textLength "
    "lengthAdjust pathLength startOffset method spacing side offset gradientUnits gradientTransform spreadMethod "
    "patternUnits patternContentUnits patternTransform clipPathUnits maskUnits maskContentUnits markerUnits "
    "markerWidth markerHeight refX refY orient"
)
_FILTERING = (
    "filterUnits primitiveUnits in in2 result mode type values tableValues slope intercept amplitude exponent operator "
    "k1 k2 k3 k4 stdDeviation edgeMode radius"
)
_OTHERS = "id class style lang role aria-label aria-hidden requiredFeatures systemLanguage version"
ATTRIBUTES = frozenset(f"{_PRESENTATION} {_GEOMETRY} {_FILTERING} {_OTHERS}".split())
_PROPERTIES = frozenset(_PRESENTATION.split())

_LOCAL_URL = re.compile(r"""url\(\s*(["']?)#([^()"'\s\\]+)\1\s*\)""", re.IGNORECASE)
_DANGEROUS = re.compile(
    r"url\s*\(|expression\s*\(|image\s*\(|image-set|src\s*\(|javascript:|@import|\\|[<{}]", re.IGNORECASE
)
_SELECTOR = re.compile(r"[\w\s.#*,>+~:()-]+")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"([^{}]*)\{([^{}]*)\}")


def clean_value(name: str, value: str) -> str | None:
    """The attribute's value if it may stay, else None. References go to elements of the same picture only."""
    if name == "style":
        return clean_declarations(value)
    return value if _harmless(value) else None


def clean_declarations(text: str) -> str | None:
    """A list of CSS declarations with those that may stay, or None if none is left."""
    kept: list[str] = []
    for declaration in _COMMENT.sub(" ", text).split(";"):
        name, colon, value = declaration.partition(":")
        name, value = name.strip().lower(), value.strip()
        if colon and value and name in _PROPERTIES and _harmless(value):
            kept.append(f"{name}:{value}")
    return ";".join(kept) or None


def clean_stylesheet(text: str) -> str | None:
    """A style sheet of plain rules with what may stay. None if nothing is left, or if it holds more than plain rules."""
    text = _COMMENT.sub(" ", text).replace("<!--", " ").replace("-->", " ")
    if "@" in text or "\\" in text or _RULE.sub("", text).strip():
        return None
    kept: list[str] = []
    for selector, declarations in _RULE.findall(text):
        body = clean_declarations(declarations)
        if body and _SELECTOR.fullmatch(selector.strip()):
            kept.append(f"{' '.join(selector.split())}{{{body}}}")
    return "\n".join(kept) or None


def references(value: str) -> list[str]:
    """The ids of the same picture that a value paints with."""
    return [found[1] for found in _LOCAL_URL.findall(value)]


def _harmless(value: str) -> bool:
    return not _DANGEROUS.search(_LOCAL_URL.sub("", value))
