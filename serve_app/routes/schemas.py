"""The JSON Schemas of drafts and events, as they stand in docs/; public, and the same until the next release."""

from __future__ import annotations

import functools
import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from content.canonical import digest
from content.drafts.schema import schema_text
from content.events.schema import schema_texts
from serve_app.auth import Public
from serve_app.conditions import UNCHANGED, not_modified
from serve_app.models.base import Page
from serve_app.models.drafts import SchemaRow
from serve_app.problems import not_found

router = APIRouter(prefix="/v1/schemas", tags=["schemas"], dependencies=[Public])
MEDIA_TYPE = "application/schema+json"


@functools.cache
def texts() -> dict[str, str]:
    """Name → schema: `draft`, and each event's type."""
    events = {name.removesuffix(".schema.json"): text for name, text in schema_texts().items()}
    return {"draft": schema_text(), **dict(sorted(events.items()))}


@router.get("", summary="Every schema (public)")
async def list_schemas() -> Page[SchemaRow]:
    rows = [
        SchemaRow(name=name, title=json.loads(text).get("title", name), url=f"/v1/schemas/{name}")
        for name, text in texts().items()
    ]
    return Page[SchemaRow](items=tuple(rows), next=None)


@router.get(
    "/{name}",
    summary="One schema (public)",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "object"}}}, "description": "JSON Schema, draft 2020-12."},
        **UNCHANGED,
    },
)
async def show(name: Annotated[str, Path(max_length=128, examples=["draft"])], request: Request) -> Any:
    text = texts().get(name)
    if text is None:
        raise not_found("schema")
    headers = {"ETag": f'"{digest(text.encode()).removeprefix("sha256:")}"', "Cache-Control": "public, max-age=3600"}
    return not_modified(request, headers) or Response(text, media_type=MEDIA_TYPE, headers=headers)
