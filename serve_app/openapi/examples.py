"""Examples out of schemas: each field's own example, default or first value, put together into one that is valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEXT = "text"
BY_TYPE: dict[str, Any] = {"boolean": True, "null": None}


def example_of(schema: Any, schemas: Mapping[str, Any]) -> Any:
    """A value that the schema describes; `schemas` are the document's components, by name."""
    if not isinstance(schema, Mapping):
        return {}
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for name in ("example", "const", "default"):
        if schema.get(name) is not None:
            return schema[name]
    for name in ("examples", "enum", "anyOf", "oneOf", "allOf"):
        if several := schema.get(name):
            return example_of(several[0], schemas) if name.endswith("Of") else several[0]
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            members = schema.get("properties", {})
            return {name: example_of(member, schemas) for name, member in members.items()}
        case "array":
            return [example_of(schema.get("items"), schemas)]
        case "string":
            return _text(schema)
        case "integer" | "number":
            return max(1, schema.get("minimum", 0))
        case other:
            return BY_TYPE.get(str(other), {})


def _text(schema: Mapping[str, Any]) -> str:
    if schema.get("format") == "date-time":
        return "2026-01-31T12:00:00Z"
    return TEXT + "-" * max(0, schema.get("minLength", 0) - len(TEXT))
