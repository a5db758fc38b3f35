"""Drafts to be judged before they are published: everything that is wrong at once, without a job."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import APIRouter, Request

from content.drafts import validate
from content.errors import ContentError
from serve_app.auth import Authenticated
from serve_app.models.base import Finding
from serve_app.models.drafts import Judgement

router = APIRouter(prefix="/v1/drafts", tags=["drafts"])
PATH = "/v1/drafts/validate"
AT_ONCE = asyncio.Semaphore(2)
"""A large draft keeps a core busy for a while; the others wait without holding up anything else."""
BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"type": "object", "description": "A draft; its schema is `/v1/schemas/draft`."},
            "example": {"shape": 1, "course_id": "first-aid", "draft_id": "d1", "revision": 1, "language": "en"},
        }
    },
}


@router.post("/validate", summary="Judge a draft", openapi_extra={"requestBody": BODY})
async def judge(request: Request, caller: Authenticated) -> Judgement:
    """The draft itself is the body, up to the setting `draft_max_bytes`. Answers 200 whatever is found: `valid` says whether
    it would be built, `errors` why not, `warnings` what a learner would miss. Each finding has a JSON pointer. What only the
    media or packages that it embeds can show (a truncated film, say) is found by the build. Nothing is stored."""
    caller.require("content:read")
    body = await request.body()
    async with AT_ONCE:
        return await asyncio.to_thread(_judge, body)


def _judge(body: bytes) -> Judgement:
    report = validate(_document(body))
    return Judgement(valid=not report.errors, errors=_findings(report.errors), warnings=_findings(report.warnings))


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except RecursionError:
        return json.loads("[" * 30 + "]" * 30)  # judged as what it is: nested too deeply
    except ValueError as error:
        raise ContentError("json-malformed", "The body is not JSON.", "Send one JSON document, in UTF-8.") from error


def _findings(problems: Any) -> tuple[Finding, ...]:
    return tuple(Finding.model_validate(problem.as_dict()) for problem in problems)
