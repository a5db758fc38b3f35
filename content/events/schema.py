"""The JSON Schemas of all events, as published in docs/events/. `python -m content.events.schema docs/events` writes
them again; a test compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from content.events.types import EVENT_TYPES


def schema_texts() -> dict[str, str]:
    """File name → schema as indented JSON with a final newline."""
    return {
        f"{name}.schema.json": json.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                **model.model_json_schema(mode="validation"),
            },
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
        for name, model in EVENT_TYPES.items()
    }


if __name__ == "__main__":
    for file_name, text in schema_texts().items():
        (Path(sys.argv[1]) / file_name).write_text(text, encoding="utf-8")
