"""The JSON Schema of a draft, as published in docs/draft.schema.json.

`python -m content.drafts.schema > docs/draft.schema.json` makes it again; a test compares. The schema says what has
the right form; what `content.drafts.checks` finds (references, languages) no schema can say.
"""

from __future__ import annotations

import json
import sys

from content.drafts.course import Draft


def schema_text() -> str:
    """The schema as indented JSON with a final newline."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Draft.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
