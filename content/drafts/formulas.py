"""Formulas in LaTeX to MathML, which players show without a script.

latex2mathml reads the formula; what it made is written out here, so that an author's angle brackets stay text. It is
lenient, and its faults are of many types, so whatever it cannot read for certain is `FormulaUnreadable`. Macros are
refused: a few of them can stand for any amount of work. Before: `content.drafts.formula_marks` has found the formula.
After: `content.drafts.markup` cleans what came of it like everything else.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from content.drafts.limits import MAX_FORMULA_CHARS, MAX_FORMULA_DEPTH

_MACROS = (
    "def edef gdef xdef let futurelet global newcommand renewcommand providecommand DeclareMathOperator newenvironment "
    "renewenvironment newtheorem csname expandafter catcode require include input"
)
MACROS = frozenset(_MACROS.split())
# What the library does not know by this name, or knows and numbers: every formula would begin again at (1).
_ENVIRONMENTS = {
    **dict.fromkeys(("align", "aligned", "eqnarray", "eqnarray*"), "align*"),
    **dict.fromkeys(("gather", "gather*", "gathered", "multline", "multline*"), "matrix"),
    **dict.fromkeys(("equation", "equation*", "displaymath", "math"), ""),
    "dcases": "cases",
}
_MATRICES = ("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix")
_KNOWN = frozenset(
    (*_MATRICES, *(f"{name}*" for name in _MATRICES), "align*", "array", "cases", "smallmatrix", "split")
)
_LIMITS = frozenset(("lim", "max", "min", "sup", "inf", "det", "gcd", "Pr", "lim&#x02006;inf", "lim&#x02006;sup"))
_CHILDREN = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "mover": 2, "munder": 2, "msubsup": 3, "munderover": 3}
_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{([A-Za-z]+\*?)\}")
_WORD = re.compile(r"\\(?:([A-Za-z]+)|.)|[{}%]", re.DOTALL)
_UNKNOWN = re.compile(r"\\[A-Za-z]+")
_MAX_ELEMENTS_DEEP = 4 * MAX_FORMULA_DEPTH  # a fraction in braces is a row in a fraction in a row
# Names that MathML Core no longer knows, and browsers take for nothing.
_LENGTHS = {
    "negativethinmathspace": "-0.167em",
    "negativemediummathspace": "-0.222em",
    "negativethickmathspace": "-0.278em",
    "thinmathspace": "0.167em",
    "thickmathspace": "0.278em",
}


class FormulaUnreadable(ValueError):
    """What is wrong with a formula, in words for its author."""


@functools.lru_cache(maxsize=256)
def mathml(latex: str, *, block: bool = False) -> str:
    """A `math` element for a formula without its dollars; `block`: on a line of its own. Raises FormulaUnreadable."""
    _refuse(latex)
    # Here and not above: it reads a table of symbols, and few processes ever see a formula.
    from latex2mathml.converter import convert_to_element

    latex = _ENVIRONMENT.sub(_environment, latex)
    try:
        made = convert_to_element(latex, display="block" if block else "inline")
    except (Exception, RecursionError) as error:  # noqa: BLE001 - a dozen types of its own, and whatever slipped through
        name = type(error).__name__
        raise FormulaUnreadable(_REASONS.get(name, _INCOMPLETE)) from None
    _refuse_result(made)
    if block:
        _set_below(made)
    made.attrib = {"display": "block"} if block else {}
    return "".join(_written(made))


def _environment(found: re.Match[str]) -> str:
    name = _ENVIRONMENTS.get(found[2], found[2])
    if not name:
        return "{" if found[1] == "begin" else "}"
    if name not in _KNOWN:
        raise FormulaUnreadable(f"the environment “{found[2]}” is not known here")
    return f"\\{found[1]}{{{name}}}"


_INCOMPLETE = "it is not complete, or not written as LaTeX writes it"
_REASONS = {
    "ExtraLeftOrMissingRightError": "a \\left has no \\right, or the other way round",
    "MissingEndError": "a \\begin has no \\end",
    "DoubleSubscriptsError": "two indices follow each other; put them into braces",
    "DoubleSuperscriptsError": "two exponents follow each other; put them into braces",
    "MissingSuperScriptOrSubscriptError": "after ^ or _ something is missing",
    "DenominatorNotFoundError": "a fraction has no denominator",
    "NumeratorNotFoundError": "a fraction has no numerator",
}


def _refuse(latex: str) -> None:
    if not latex.strip():
        raise FormulaUnreadable("it is empty")
    if len(latex) > MAX_FORMULA_CHARS:
        raise FormulaUnreadable(f"it is longer than {MAX_FORMULA_CHARS} characters")
    depth = 0
    for found in _WORD.finditer(latex):
        word = found[1]
        if found[0] == "%":
            raise FormulaUnreadable("a % hides what follows it; write \\%")
        if word in MACROS:
            raise FormulaUnreadable(f"macros such as \\{word} are not taken; write out what it stands for")
        depth += 1 if found[0] == "{" or word in ("left", "begin") else 0
        depth -= 1 if found[0] == "}" or word in ("right", "end") else 0
        if depth < 0:
            raise FormulaUnreadable("it closes more than it opens")
        if depth > MAX_FORMULA_DEPTH:
            raise FormulaUnreadable(f"it is nested deeper than {MAX_FORMULA_DEPTH} levels")
    if depth:
        raise FormulaUnreadable("something is opened and not closed")


def _refuse_result(made: Element) -> None:
    """A command that is not known comes out as its own name; what was nested without braces shows only now."""
    level = [made]
    for _ in range(_MAX_ELEMENTS_DEEP):
        level = [child for element in level for child in element]
        for element in level:
            if len(element) != _CHILDREN.get(element.tag, len(element)):
                raise FormulaUnreadable(_INCOMPLETE)
            if element.tag == "mi" and (unknown := _UNKNOWN.match(element.text or "")):
                raise FormulaUnreadable(f"{unknown[0]} is not known here")
            if element.tag == "mi" and element.text == "&":
                raise FormulaUnreadable("an & stands outside of a table; write \\&")
        if not level:
            return
    raise FormulaUnreadable(f"it is nested deeper than {MAX_FORMULA_DEPTH} levels")


def _set_below(made: Element) -> None:
    """What stands under `lim` and its like stands below it where there is room; the library sets only sums so."""
    for name, below in (("msub", "munder"), ("msubsup", "munderover")):
        for element in list(made.iter(name)):
            if element[0].tag == "mo" and element[0].text in _LIMITS:
                element.tag = below


def _written(element: Element) -> Iterator[str]:
    given = "".join(f' {name}="{html.escape(_LENGTHS.get(value, value))}"' for name, value in element.attrib.items())
    yield f"<{element.tag}{given}>"
    # The library writes characters as references, which it means to be read.
    yield html.escape(html.unescape(element.text or ""), quote=False)
    for child in element:
        yield from _written(child)
    yield f"</{element.tag}>"
