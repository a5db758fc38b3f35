"""Exports on the command line: what is asked, the file that comes and what it is checked against, what a person reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from content.exports.options import FORMATS, PACKAGINGS, REPORTS, Options
from serve_app.cli import exits
from serve_app.device import download
from serve_app.models import exports as models
from tests.support.answers import Answers, Run, problem

PACKAGE, EXPORT, JOB = (f"{kind}_{'0f8k2m4q6s8u0a2c4e6g8i0k2m'}" for kind in ("pkg", "exp", "job"))
ZIP = b"PK not really a zip" * 1000
AT = "2026-01-31T12:00:00.123456Z"
ROW: dict[str, Any] = {
    "export_id": EXPORT, "package_id": PACKAGE, "version": 12, "format": "scorm2004-4th", "state": "ready", "job_id": JOB,
    "published": False,
    "options": {"report": "passed-incomplete", "mastery": 0.8, "packaging": "unit", "languages": ["en", "ar"],
                "profile": "phone", "video": False},
    "size_bytes": len(ZIP), "digest": f"sha256:{hashlib.sha256(ZIP).hexdigest()}", "problem": None, "created_at": AT,
    "ready_at": AT, "withdrawn_at": None,
}  # fmt: skip
SHOWN = {
    **ROW,
    "passport": {
        "checks": [
            {"name": "schema", "result": "passed", "detail": "It agrees with the schemas of its edition."},
            {"name": "network-blocked-play", "result": "not-run", "detail": "Measured in a browser; not done for these versions."},
        ],
        "findings": [{"pointer": "/units/0", "code": "no-points", "message": "No quiz gives points.", "severity": "warning"}],
    },
    "download": {"url": "https://edge.test/x.zip?Policy=1", "file_name": "first-aid-v12-scorm2004-4th.zip", "expires_in_s": 60},
    "site": None,
}  # fmt: skip
DONE = {"job_id": JOB, "state": "succeeded", "progress": 1.0, "message": "done", "updated_at": AT, "problem": None}


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], list[httpx.Request]]:
    """Have the edge serve these bytes; what it was asked."""

    def serving(body: bytes) -> list[httpx.Request]:
        asked: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return httpx.Response(200, stream=httpx.ByteStream(body))

        made = lambda: httpx.Client(transport=httpx.MockTransport(answer))  # noqa: E731
        monkeypatch.setattr(download, "edge_client", made)
        return asked

    return serving


def api(**more: Any) -> Answers:
    planned = {**ROW, "state": "planned", "size_bytes": None, "digest": None, "ready_at": None}
    return Answers(
        {"POST /v1/exports": planned, f"GET /v1/jobs/{JOB}": DONE, f"GET /v1/exports/{EXPORT}": SHOWN, **more}
    )


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_is_asked_for_waited_for_downloaded_and_checked(run: Run, edge: Any, here: Path) -> None:
    asked, answers = edge(ZIP), api()
    code, out, err = run(
        "export", PACKAGE, "--format", "scorm2004-4th", "-o", "course.zip", "--version", "12", "--report", "passed-incomplete",
        "--mastery", "0.8", "--packaging", "unit", "--language", "en", "--language", "ar", "--profile", "phone", "--no-video",
        api=answers,
    )  # fmt: skip
    assert (code, (here / "course.zip").read_bytes()) == (0, ZIP), err
    assert [path.name for path in here.iterdir()] == ["course.zip"]
    assert answers.bodies("/v1/exports") == [
        {
            "package_id": PACKAGE, "format": "scorm2004-4th", "version": 12, "report": "passed-incomplete", "mastery": 0.8,
            "packaging": "unit", "languages": ["en", "ar"], "profile": "phone", "video": False,
        }
    ]  # fmt: skip
    assert [str(request.url) for request in asked] == [SHOWN["download"]["url"]]
    assert all(len(line) <= 80 for line in out.splitlines()), out
    assert EXPORT in out and ROW["digest"] in out and "course.zip  19,000 bytes" in out
    assert "checks: 1 not-run, 1 passed" in out and "No quiz gives points." in out


def test_what_is_there_already_is_not_waited_for_and_has_its_own_name(run: Run, edge: Any, here: Path) -> None:
    edge(ZIP)
    answers = api(**{"POST /v1/exports": ROW})
    code, out, _ = run("export", PACKAGE, "--format", "html", "--json", api=answers)
    assert code == 0
    assert json.loads(out) == {**SHOWN, "output": "first-aid-v12-scorm2004-4th.zip"}
    assert (here / "first-aid-v12-scorm2004-4th.zip").read_bytes() == ZIP
    assert [request.url.path for request in answers.asked] == ["/v1/exports", f"/v1/exports/{EXPORT}"]
    (sent,) = answers.bodies("/v1/exports")
    assert "languages" not in sent and "version" not in sent and sent["video"] is True


def test_another_file_than_the_one_that_was_made_is_not_kept(run: Run, edge: Any, here: Path) -> None:
    edge(b"x" * len(ZIP))
    code, _, err = run("export", PACKAGE, "--format", "html", "-o", "course.zip", api=api())
    assert (code, err.splitlines()[-2][:15]) == (exits.AGAIN, "download-digest")
    assert list(here.iterdir()) == []


def test_nothing_is_overwritten_unless_it_is_asked_for(run: Run, edge: Any, here: Path) -> None:
    edge(ZIP)
    (here / "course.zip").write_text("mine")
    answers = api()
    code, _, err = run("export", PACKAGE, "--format", "html", "-o", "course.zip", api=answers)
    assert code == exits.FAILED and "output-exists" in err and answers.asked == []
    assert (here / "course.zip").read_text() == "mine"
    assert run("export", PACKAGE, "--format", "html", "-o", "course.zip", "--force", api=answers)[0] == 0
    assert (here / "course.zip").read_bytes() == ZIP
    (here / "folder").mkdir()
    assert "output-folder" in run("export", PACKAGE, "--format", "html", "-o", "folder", api=answers)[2]
    assert "output-folder" in run("export", PACKAGE, "--format", "html", "-o", "none/x.zip", api=answers)[2]


def test_what_cannot_be_made_says_why(run: Run, here: Path) -> None:
    failed = {
        **DONE,
        "state": "failed",
        "problem": {"code": "export-language", "title": "It is not there in fr.", "detail": "Use en."},
    }
    code, _, err = run("export", PACKAGE, "--format", "html", api=api(**{f"GET /v1/jobs/{JOB}": failed}))
    assert code == exits.FAILED and "export-language" in err and "Use en." in err
    refused = problem(422, "export-option", "There is no “zip”.", "Use one of those.")
    code, _, err = run("export", PACKAGE, "--format", "zip", api=api(**{"POST /v1/exports": refused}))
    assert code == exits.FAILED and "Use one of those." in err
    assert list(here.iterdir()) == []


def test_one_export_is_read_in_80_columns(run: Run) -> None:
    code, out, _ = run("exports", "show", EXPORT, api=api())
    assert code == 0
    assert all(len(line) <= 80 for line in out.splitlines()), out
    for words in (
        "scorm2004-4th, ready",
        "mastery 80%",
        "en, ar",
        "without films",
        ROW["digest"],
        "network-blocked-play  not-run",
        "No quiz gives points.",
    ):
        assert words in out
    withdrawn = {**SHOWN, "state": "withdrawn", "withdrawn_at": AT, "download": None, "passport": None}
    assert (
        "withdrawn 2026-01-31 12:00"
        in run("exports", "show", EXPORT, api=api(**{f"GET /v1/exports/{EXPORT}": withdrawn}))[1]
    )


def test_an_export_is_removed(run: Run) -> None:
    answers = api(**{f"DELETE /v1/exports/{EXPORT}": httpx.Response(204)})
    code, out, _ = run("exports", "delete", EXPORT, api=answers)
    assert (code, out) == (0, f"{EXPORT} is removed.\n")
    code, _, err = run("exports", "delete", "exp_none", api=answers)
    assert code == exits.FAILED and "`content-service exports list` shows which there are." in err


def test_the_api_takes_just_the_values_that_the_exporter_knows() -> None:
    assert get_args(models.Format) == FORMATS
    assert get_args(models.ReportKind) == REPORTS
    assert get_args(models.Packaging) == PACKAGINGS
    defaults = models.NewExport(package_id="p", format="html").model_dump(exclude={"package_id", "version", "publish"})
    assert Options(**defaults) == Options("html")


def test_a_published_site_is_told_by_its_link(run: Run, edge: Any) -> None:
    edge(ZIP)
    link = "http://acme.localhost:1/exports/acme/x/site/index.html?Policy=1"
    shown = {**SHOWN, "published": True, "site": {"url": link.partition("?")[0], "link": link, "expires_in_s": 60}}
    answers = api(**{f"GET /v1/exports/{EXPORT}": shown})
    code, out, _ = run("export", PACKAGE, "--format", "html", "--publish", api=answers)
    assert (code, answers.bodies("/v1/exports")[0]["publish"]) == (0, True)
    assert link in out.splitlines()


def test_a_tenant_says_who_may_frame_its_sites_and_leaves_it_to_the_service_again(run: Run) -> None:
    shown = {
        "tenant": "acme", "region": "eu", "policy": None, "limits": {}, "keys": [],
        "settings": {"cors_origins": [], "drill": False, "site_csp": "frame-ancestors https://lms.example"},
    }  # fmt: skip
    for told, sent in (("frame-ancestors https://lms.example",) * 2, ("default", None)):
        tagged = httpx.Response(200, json=shown, headers={"ETag": '"1"'})
        answers = Answers({"GET /v1/tenants/acme": tagged, "PATCH /v1/tenants/acme": shown})
        code, out, err = run("tenant", "set", "acme", "--site-csp", told, api=answers)
        assert code == 0, err
        assert answers.bodies("/v1/tenants/acme") == [{"settings": {"site_csp": sent}}]
        assert "site_csp: frame-ancestors https://lms.example" in out
    shown["settings"] = {"cors_origins": [], "drill": False, "site_csp": None}
    assert "site_csp: default" in run("tenant", "show", "acme", api=Answers({"GET /v1/tenants/acme": shown}))[1]
