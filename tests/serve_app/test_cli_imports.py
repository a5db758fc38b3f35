"""Imports on the command line: what is sent where, what a break leaves, what a person reads, how a script can tell."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from content.scorm.findings import Finding
from content.scorm.report import Report, Sizes, Tree, refused
from serve_app.cli import exits
from serve_app.client import uploading
from tests.support.answers import Answers, Run, problem

IMPORT, JOB, PACKAGE = (f"{kind}_{'0f8k2m4q6s8u0a2c4e6g8i0k2m'}" for kind in ("imp", "job", "pkg"))
AT = "2026-01-31T12:00:00.123456Z"
PIECE = 5 << 20
FILE = b"a" * PIECE + b"b" * PIECE + b"c" * 100
PIECES = [FILE[at : at + PIECE] for at in range(0, len(FILE), PIECE)]
ROW: dict[str, Any] = {
    "import_id": IMPORT, "file_name": "course.zip", "size_bytes": len(FILE), "digest": None, "course_id": "safety",
    "state": "uploading", "job_id": None, "edition": None, "title": None, "package_id": None, "version": None, "problem": None,
    "created_at": AT, "completed_at": None, "ended_at": None, "removed_at": None, "links": {"self": f"/v1/imports/{IMPORT}"},
}  # fmt: skip
DONE = {"job_id": JOB, "state": "succeeded", "progress": 1.0, "message": "done", "updated_at": AT, "problem": None}
GOOD = Report(
    True, "1.2", ("index.html",), 1, title="Safety", tree=(Tree("o", "Safety", True),), sizes=Sizes(len(FILE), 9, 2),
    warnings=(Finding("file-missing", "imsmanifest.xml:7", "A file is missing."),), sandbox="bubblewrap 0.11",
)  # fmt: skip


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class World:
    """The service and the store, each as far as an upload needs them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, report: Report) -> None:
        self.stored: dict[int, bytes] = {}
        self.refuse: dict[int, list[int]] = {}
        self.digests: dict[int, str] = {}
        self.puts: list[httpx.Request] = []
        self.completed = False
        self.report = report
        client = lambda: httpx.Client(transport=httpx.MockTransport(self._store))  # noqa: E731
        monkeypatch.setattr(uploading, "store_client", client)
        monkeypatch.setattr(uploading, "FIRST_WAIT_S", 0.001)
        path = f"/v1/imports/{IMPORT}"
        self.api = Answers(
            {
                "POST /v1/imports": {**ROW, "upload": self._upload(), "parts": [], "expires_in_s": 60},
                f"GET {path}": lambda _: self._shown(),
                f"POST {path}/parts": self._parts,
                f"POST {path}/complete": self._complete,
                f"GET {path}/report": lambda _: self.report.document(),
                f"GET {path}/report.html": httpx.Response(200, text="<h1>Report</h1>"),
                f"GET /v1/jobs/{JOB}": DONE,
            }
        )

    def _upload(self) -> dict[str, Any]:
        there = [
            {"number": n, "size_bytes": len(data), "digest": self.digests.get(n)}
            for n, data in sorted(self.stored.items())
        ]
        return {"piece_bytes": PIECE, "pieces": len(PIECES), "uploaded": there}

    def _shown(self) -> dict[str, Any]:
        if not self.completed:
            return {**ROW, "upload": self._upload()}
        state = "accepted" if self.report.accepted else "refused"
        links = {**ROW["links"], "report": f"/v1/imports/{IMPORT}/report"}
        came = {"package_id": PACKAGE, "version": 3} if self.report.accepted else {}
        return {**ROW, "state": state, "job_id": JOB, "upload": None, "links": links, **came}

    def _parts(self, request: httpx.Request) -> Any:
        pieces = json.loads(request.content)["pieces"]
        self.digests |= {each["number"]: each["digest"] for each in pieces}
        parts = [
            {"number": each["number"], "size_bytes": 0, "url": f"https://store.test/{each['number']}", "headers": {"x-sum": "1"}}
            for each in pieces
        ]  # fmt: skip
        return {"parts": parts, "expires_in_s": 60}

    def _complete(self, request: httpx.Request) -> Any:
        assert json.loads(request.content) == {"digest": digest(FILE)}
        assert [self.stored[n] for n in sorted(self.stored)] == PIECES
        self.completed = True
        return {**ROW, "state": "importing", "job_id": JOB}

    def _store(self, request: httpx.Request) -> httpx.Response:
        number = int(request.url.path[1:])
        self.puts.append(request)
        if self.refuse.get(number):
            return httpx.Response(self.refuse[number].pop(0))
        assert request.headers["x-sum"] == "1" and "authorization" not in request.headers
        self.stored[number] = request.content
        return httpx.Response(200)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "course.zip"
    path.write_bytes(FILE)
    return path


@pytest.fixture
def command(file: Path, tmp_path: Path) -> list[str]:
    return ["import", str(file), "--course", "safety", "--state", str(tmp_path / "noted")]


def test_a_file_goes_piece_by_piece_and_its_report_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str], tmp_path: Path
) -> None:
    world = World(monkeypatch, GOOD)
    code, out, _ = run(*command, "--wait", api=world.api)
    assert code == exits.DONE
    assert world.api.bodies("/v1/imports") == [
        {"file_name": "course.zip", "size_bytes": len(FILE), "course_id": "safety"}
    ]
    assert world.digests == {n: digest(data) for n, data in enumerate(PIECES, 1)}
    assert all(text in out for text in (IMPORT, "accepted", f"{PACKAGE} version 3", "SCORM 1.2", "imsmanifest.xml:7"))
    assert all(len(line) <= 80 for line in out.splitlines()), out
    assert list((tmp_path / "noted").iterdir()) == [], "nothing broke off"


def test_without_waiting_the_job_is_named(run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    world = World(monkeypatch, GOOD)
    code, out, _ = run(*command, api=world.api)
    assert code == exits.DONE and JOB in out
    world = World(monkeypatch, GOOD)
    code, out, _ = run(*command, "--json", api=world.api)
    assert json.loads(out)["job_id"] == JOB


def test_a_refused_package_is_told_by_the_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    world = World(monkeypatch, refused(Finding("web-site", "", "It is a web site.")))
    code, out, _ = run(*command, "--wait", "--json", api=world.api)
    document = json.loads(out)
    assert code == exits.FAILED
    assert (document["state"], document["report"]["errors"][0]["code"]) == ("refused", "web-site")


def test_what_is_there_is_not_sent_again(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str], tmp_path: Path
) -> None:
    world = World(monkeypatch, GOOD)
    monkeypatch.setattr(uploading, "PATIENCE_S", 0.0)
    world.refuse[2] = [500]
    code, _, err = run(*command, api=world.api)
    assert code == exits.AGAIN and "Run the same command again" in err
    assert len(list((tmp_path / "noted").iterdir())) == 1
    sent = {int(put.url.path[1:]) for put in world.puts}
    world.puts.clear()
    world.stored[1] = PIECES[1]  # and its digest is the one of before, so it is sent
    world.digests[1] = digest(b"of another file")
    code, _, err = run(*command, api=world.api)
    assert code == exits.DONE and "going on: " in err and {1, 2} <= sent | {1}
    assert sorted(int(put.url.path[1:]) for put in world.puts) == sorted({1, 2} | ({1, 2, 3} - sent))
    assert len(world.api.bodies("/v1/imports")) == 1


def test_a_file_that_has_changed_begins_anew(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str], file: Path
) -> None:
    world = World(monkeypatch, GOOD)
    monkeypatch.setattr(uploading, "PATIENCE_S", 0.0)
    world.refuse[2] = [500]
    assert run(*command, api=world.api)[0] == exits.AGAIN
    file.write_bytes(FILE)  # the same bytes, but who knows
    assert run(*command, api=world.api)[0] == exits.DONE
    assert len(world.api.bodies("/v1/imports")) == 2


def test_an_address_that_has_expired_is_made_anew(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    world = World(monkeypatch, GOOD)
    world.refuse[1] = [403, 503]
    assert run(*command, api=world.api)[0] == exits.DONE
    asked = [each["number"] for body in world.api.bodies(f"/v1/imports/{IMPORT}/parts") for each in body["pieces"]]
    assert sorted(asked) == [1, 1, 2, 3]


def test_an_empty_file_and_a_course_of_drafts_are_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str], file: Path
) -> None:
    world = World(monkeypatch, GOOD)
    world.api.routes = {
        "POST /v1/imports": problem(409, "course-built", "The course is built from drafts.", "Use another.")
    }
    code, _, err = run(*command, api=world.api)
    assert code == exits.FAILED and "course-built" in err
    file.write_bytes(b"")
    code, _, err = run(*command, api=world.api)
    assert code == exits.FAILED and "file-empty" in err


def test_an_import_is_shown_and_its_page_written(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = World(monkeypatch, GOOD)
    code, out, _ = run("imports", "show", IMPORT, api=world.api)
    assert code == exits.DONE and "uploading" in out
    world.completed = True
    page = tmp_path / "report.html"
    assert run("imports", "show", IMPORT, "--html", str(page), api=world.api)[0] == exits.DONE
    assert page.read_text() == "<h1>Report</h1>"
    code, out, _ = run("imports", "show", IMPORT, "--json", api=world.api)
    assert json.loads(out)["report"]["accepted"] is True
