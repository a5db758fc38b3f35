"""The JSON Schemas of what the neighbours answer, as published in docs/neighbours/.

`python -m cluster.neighbour_schema docs/neighbours` writes them again; a test compares. A draft's schema is
docs/draft.schema.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cluster.neighbours import (
    AssistantRequest,
    AssistantSettings,
    Contract,
    HeardEvents,
    Holdings,
    HoldingsRequest,
    Listing,
    OriginalFacts,
)

CONTRACTS: dict[str, type[Contract]] = {
    "catalog.listing": Listing,
    "media.original-facts": OriginalFacts,
    "ai-gateway.assistant-request": AssistantRequest,
    "ai-gateway.assistant-settings": AssistantSettings,
    "sync.heard-events": HeardEvents,
    "sync.holdings-request": HoldingsRequest,
    "sync.holdings": Holdings,
}


def schema_texts() -> dict[str, str]:
    """File name → schema as indented JSON with a final newline."""
    return {
        f"{name}.schema.json": json.dumps(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema(mode="validation")},
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
        for name, model in CONTRACTS.items()
    }


if __name__ == "__main__":
    for file_name, text in schema_texts().items():
        (Path(sys.argv[1]) / file_name).write_text(text, encoding="utf-8")
