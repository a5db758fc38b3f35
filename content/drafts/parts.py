"""A draft's JSON taken apart and each part judged by itself, so that one broken block hides nothing.

Before: any JSON value. After: the parts that are well formed, each with its JSON pointer (`Parts`), and a problem for
each thing that is not. What concerns several parts at once (ids, references, languages) is `content.drafts.checks`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from content.drafts.base import Model
from content.drafts.blocks import BLOCK_TYPES
from content.drafts.course import CourseHead, UnitHead
from content.drafts.limits import MAX_BLOCKS, MAX_UNIT_BLOCKS, MAX_UNITS
from content.errors import Problem

M = TypeVar("M", bound=Model)
# The fields whose value pydantic puts into an error's location though it is no step in the document.
_TAG_FIELDS = ("kind", "rule")

_SENTENCES = {
    "missing": "“{name}” is missing here.",
    "string_type": "“{name}” must be text.",
    "int_type": "“{name}” must be a whole number.",
    "float_type": "“{name}” must be a number.",
    "bool_type": "“{name}” must be true or false.",
    "dict_type": "“{name}” must be an object, such as one text for each language.",
    "model_type": "“{name}” must be an object.",
    "model_attributes_type": "“{name}” must be an object.",
    "tuple_type": "“{name}” must be a list.",
    "string_too_long": "“{name}” is longer than {max_length} characters.",
    "string_too_short": "“{name}” is empty.",
    "string_pattern_mismatch": "“{name}” is not written as it must be.",
    "too_long": "“{name}” has more than {max_length} entries.",
    "too_short": "“{name}” needs at least {min_length} entries.",
    "literal_error": "“{name}” must be {expected}.",
    "union_tag_invalid": "“{tag}” is not one of {expected_tags}.",
    "union_tag_not_found": "“{name}” does not say of which sort it is.",
}
_CODES = {
    "missing": "missing",
    "string_too_long": "too-long",
    "too_long": "too-long",
    "string_too_short": "too-short",
    "too_short": "too-short",
    "union_tag_invalid": "unknown-kind",
    "union_tag_not_found": "missing",
}


@dataclass
class Parts:
    """What of a draft is well formed. Pointers lead to the place in the document."""

    head: CourseHead | None = None
    units: list[tuple[str, UnitHead]] = field(default_factory=list[tuple[str, UnitHead]])
    blocks: list[tuple[str, Model]] = field(default_factory=list[tuple[str, Model]])
    problems: list[Problem] = field(default_factory=list[Problem])


def take_apart(document: dict[str, Any]) -> Parts:
    """Judge head, units and blocks one by one. The document is JSON of allowed depth and size."""
    parts = Parts()
    units = document.get("units")
    head = {name: value for name, value in document.items() if name != "units"}
    parts.head = _judge(CourseHead, head, "", parts.problems)
    if not isinstance(units, list) or not units:
        parts.problems.append(Problem("/units", "units-missing", "A course needs at least one unit."))
        return parts
    units = cast("list[Any]", units)
    if len(units) > MAX_UNITS:
        parts.problems.append(Problem("/units", "too-long", f"A course may have {MAX_UNITS} units, not {len(units)}."))
    for at, unit in enumerate(units[:MAX_UNITS]):
        _take_unit(unit, f"/units/{at}", parts)
    return parts


def _take_unit(unit: Any, pointer: str, parts: Parts) -> None:
    if not isinstance(unit, dict):
        parts.problems.append(Problem(pointer, "wrong-type", "A unit must be an object."))
        return
    unit = cast("dict[str, Any]", unit)
    head = {name: value for name, value in unit.items() if name != "blocks"}
    if (parsed := _judge(UnitHead, head, pointer, parts.problems)) is not None:
        parts.units.append((pointer, parsed))
    blocks = unit.get("blocks")
    if not isinstance(blocks, list):
        parts.problems.append(Problem(f"{pointer}/blocks", "missing", "A unit needs a list of blocks."))
        return
    blocks = cast("list[Any]", blocks)
    if len(blocks) > MAX_UNIT_BLOCKS:
        message = f"A unit may have {MAX_UNIT_BLOCKS} blocks, not {len(blocks)}."
        parts.problems.append(Problem(f"{pointer}/blocks", "too-long", message))
    if len(parts.blocks) + len(blocks) > MAX_BLOCKS:
        parts.problems.append(Problem(pointer, "too-long", f"A course may have {MAX_BLOCKS} blocks in all."))
        return
    for index, block in enumerate(blocks[:MAX_UNIT_BLOCKS]):
        _take_block(block, f"{pointer}/blocks/{index}", parts)


def _take_block(block: Any, pointer: str, parts: Parts) -> None:
    if not isinstance(block, dict):
        parts.problems.append(Problem(pointer, "wrong-type", "A block must be an object."))
        return
    block = cast("dict[str, Any]", block)
    sort = block.get("type")
    model = BLOCK_TYPES.get(sort) if isinstance(sort, str) else None
    if model is None:
        known = ", ".join(BLOCK_TYPES)
        parts.problems.append(
            Problem(f"{pointer}/type", "unknown-block-type", f"“{sort}” is no type of block; there are {known}.")
        )
    elif (parsed := _judge(model, block, pointer, parts.problems)) is not None:
        parts.blocks.append((pointer, parsed))


def _judge(model: type[M], value: dict[str, Any], pointer: str, problems: list[Problem]) -> M | None:
    try:
        # Through JSON text: only there does strict mode take a list for a tuple.
        return model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        problems += [_problem(detail, value, pointer) for detail in details if not _echo(detail, value)]
        return None


def _problem(detail: ErrorDetails, value: Any, pointer: str) -> Problem:
    steps = _steps(detail["loc"], value)
    name = str(steps[-1]) if steps else "this"
    kind = detail["type"]
    message = _SENTENCES.get(kind, "").format_map({"name": name, **detail.get("ctx", {})}) or detail["msg"]
    code = _CODES.get(kind) or (kind if "-" in kind else "wrong-type" if kind.endswith("_type") else "bad-value")
    return Problem(pointer + "".join(f"/{escape(step)}" for step in steps), code, message)


def _echo(detail: ErrorDetails, value: Any) -> bool:
    """Whether a list is called too short only because some of its entries are broken, which is told already."""
    if detail["type"] != "too_short":
        return False
    for step in _steps(detail["loc"], value):
        value = _at(value, step)
    return len(value) >= detail.get("ctx", {}).get("min_length", 0)


def _steps(location: tuple[int | str, ...], value: Any) -> list[int | str]:
    """The location without the union tags and key markers that pydantic mixes in."""
    steps: list[int | str] = []
    tagged = False
    for step in location:
        if step == "[key]":
            continue
        if isinstance(value, dict) and not tagged and step in [cast("Any", value).get(name) for name in _TAG_FIELDS]:
            tagged = True
            continue
        tagged = False
        steps.append(step)
        value = _at(value, step)
    return steps


def _at(value: Any, step: int | str) -> Any:
    if isinstance(value, dict):
        return cast("dict[Any, Any]", value).get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(cast("list[Any]", value)):
        return cast("list[Any]", value)[step]
    return None


def escape(step: int | str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return str(step).replace("~", "~0").replace("/", "~1")
