"""What is said of a draft that was sent to be judged."""

from __future__ import annotations

from serve_app.models.base import Answer, Finding


class Judgement(Answer):
    """Every finding at once; with an error the draft would not be built."""

    valid: bool
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


class SchemaRow(Answer):
    """A published JSON Schema."""

    name: str
    title: str
    url: str
