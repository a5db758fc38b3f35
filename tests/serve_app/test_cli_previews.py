"""Previews on the command line: what is asked, what an author reads, and how it ends where a draft cannot be built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from serve_app.cli import exits
from serve_app.models.previews import PreviewShown
from tests.support.answers import Answers, Run, problem

PREVIEW, JOB = (f"{kind}_0f8k2m4q6s8u0a2c4e6g8i0k2m" for kind in ("prv", "job"))
AT = "2026-01-31T12:00:00.123456Z"
URL = f"http://acme.localhost:1/previews/acme/{PREVIEW}/0f/site/index.html?Policy=1&Signature=2&Key-Pair-Id=3"
ROW: dict[str, Any] = {
    "preview_id": PREVIEW, "draft_id": "draft-of-first-aid-for-everybody", "revision": 4, "state": "ready", "job_id": JOB,
    "draft_digest": "sha256:" + "0a" * 32, "problem": None, "created_at": AT, "expires_at": AT, "links": {},
}  # fmt: skip
WARNING = {"pointer": "/units/0/blocks/1", "code": "captions-missing", "message": "Nobody who is deaf can follow it.", "severity": "warning"}  # fmt: skip
REFUSED = {"pointer": "/units/0", "code": "heading-skipped", "message": "A heading is left out.", "severity": "error"}
SHOWN = {**ROW, "url": URL, "report": {"problems": [WARNING], "made": 2, "reused": 7, "refused": [REFUSED]}}
PLANNED = {**ROW, "state": "planned", "draft_digest": None, "expires_at": None}
DONE = {"job_id": JOB, "state": "succeeded", "progress": 1.0, "message": "done", "updated_at": AT, "problem": None}
ASKED = ("drafts", "preview", "draft-of-first-aid-for-everybody", "--revision", "4")


def api(**more: Any) -> Answers:
    known = {"POST /v1/previews": PLANNED, f"GET /v1/jobs/{JOB}": DONE, f"GET /v1/previews/{PREVIEW}": SHOWN}
    return Answers({**known, **more})


def test_it_is_asked_for_waited_for_and_told_by_its_link(run: Run) -> None:
    answers = api()
    code, out, err = run(*ASKED, api=answers)
    assert code == 0, err
    assert answers.bodies("/v1/previews") == [{"draft_id": "draft-of-first-aid-for-everybody", "revision": 4}]
    lines = out.splitlines()
    assert lines[-1] == URL, "a link that is broken over lines opens nothing"
    assert all(len(line) <= 80 for line in lines[:-1]), out
    for words in (
        "Nobody who is deaf",
        "would stop a build",
        "A heading is left out.",
        PREVIEW,
        "2 renditions made, 7 reused",
    ):
        assert words in out
    assert "open until 2026-01-31 12:00" in out


def test_what_is_there_already_is_not_waited_for(run: Run) -> None:
    answers = api(**{"POST /v1/previews": ROW})
    code, out, _ = run(*ASKED, "--json", api=answers)
    assert (code, json.loads(out)) == (0, SHOWN)
    assert [request.url.path for request in answers.asked] == ["/v1/previews", f"/v1/previews/{PREVIEW}"]


def test_it_is_opened_only_where_that_is_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(typer, "launch", opened.append)
    assert run(*ASKED, api=api())[0] == 0
    assert opened == []
    assert run(*ASKED, "--open", api=api())[0] == 0
    assert opened == [URL]


def test_a_draft_that_cannot_be_built_is_told_with_every_problem(run: Run) -> None:
    told = {
        "code": "draft-invalid", "title": "The draft cannot be built.", "detail": "Mend what is named.",
        "problems": [{"pointer": "/units/0/blocks/0/alt", "code": "alt-missing", "message": "Say what it shows.", "severity": "error"}],
    }  # fmt: skip
    shown = {**PLANNED, "state": "failed", "problem": told, "report": None, "url": None}
    job = {**DONE, "state": "failed", "message": "failed", "problem": told}
    failed = api(**{f"GET /v1/jobs/{JOB}": job, f"GET /v1/previews/{PREVIEW}": shown})
    code, out, err = run(*ASKED, api=failed)
    assert (code, out) == (exits.FAILED, "")
    assert (
        "draft-invalid" in err and "/units/0/blocks/0/alt: Say what it shows." in err and "Mend what is named." in err
    )


def test_one_that_ended_meanwhile_is_asked_for_again(run: Run) -> None:
    over = {**SHOWN, "state": "expired", "url": None}
    code, _, err = run(*ASKED, api=api(**{f"GET /v1/previews/{PREVIEW}": over}))
    assert code == exits.AGAIN and "The preview is expired." in err


def test_a_service_that_shows_no_pages_says_so(run: Run) -> None:
    refused = problem(501, "sites-not-served", "This service shows no pages.", "Have the setting site_url set.")
    code, _, err = run(*ASKED, api=api(**{"POST /v1/previews": refused}))
    assert code == exits.FAILED and "site_url" in err


def test_drafts_are_laid_down_in_a_local_stack_alone(run: Run, tmp_path: Path) -> None:
    draft = tmp_path / "draft.json"
    draft.write_text(json.dumps({"course_id": "c", "draft_id": "d", "revision": 1}))
    code, _, err = run("drafts", "put", str(draft), api=api())
    assert code == exits.FAILED and "local-stack-only" in err


def test_the_answer_holds_what_a_row_has() -> None:
    report = {"problems": [], "made": 0, "reused": 1, "quality": {"shape": 1}, "refused": [REFUSED]}
    shown = PreviewShown.model_validate({**SHOWN, "report": report}).model_dump(mode="json")
    assert shown["report"] == {**report, "problems": []} and shown["url"] == URL
    assert PreviewShown.model_validate({**PLANNED, "report": None, "url": None}).report is None
