"""`python -m serve_app.openapi docs/openapi.json` writes the OpenAPI document."""

import json
import sys
from pathlib import Path
from typing import Any

from serve_app.api import create_app


def text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(create_app().openapi()))
