from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from content.drafts.schema import schema_text
from content.errors import ContentError
from serve_app.demo_course import make_demo_course

ROOT = Path(__file__).parents[3]


def test_published_schema_is_the_models():
    published = (ROOT / "docs/draft.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(), "run: python -m content.drafts.schema > docs/draft.schema.json"


def test_schema_accepts_the_demo_and_refuses_what_the_model_refuses(tmp_path: Path):
    try:
        demo = make_demo_course(tmp_path)
    except ContentError as error:
        pytest.skip(str(error))
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    validator.validate(demo.draft)
    assert not validator.is_valid({**demo.draft, "language": 3})
    assert not validator.is_valid(
        {**demo.draft, "units": [{"id": "u", "title": {"en": "U"}, "blocks": [{"type": "?"}]}]}
    )
