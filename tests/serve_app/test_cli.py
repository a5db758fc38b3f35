"""The command line against an API in memory: what it asks, what it prints in 80 columns, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from serve_app.cli import app, exits
from serve_app.cli.findings import place
from tests.support.answers import Answers, Run, problem, token

DEVICE = "Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OWFiY2RlZmdoaWo"
PACKAGE, BUNDLE, JOB, EXPORT, IMPORT = (
    f"{kind}_{'0f8k2m4q6s8u0a2c4e6g8i0k2m'}" for kind in ("pkg", "bnd", "job", "exp", "imp")
)
COURSE, LEARNER, ENROLMENT = "first-aid-for-everybody", "6f1ed002-ab59-4f5c-a0ef-3f1b7c1d2a90", "enr-2026-0000000017"
WEBHOOK, EVENT = "whk_5f1c0a9b2d3e4f60", "e3b0c442-98fc-4c14-9afb-f4c8996fb924"
URL = "https://lms.a-school-with-a-name.example/hooks/content"
AT = "2026-01-31T12:00:00.123456Z"
ROW = {
    "created_at": AT, "published_at": AT, "registered_at": AT, "at": AT, "updated_at": AT, "withdrawn_at": None,
    "package_id": PACKAGE, "course_id": COURSE, "learner_id": LEARNER, "enrollment_id": ENROLMENT, "device_id": DEVICE,
    "bundle_id": BUNDLE, "export_id": EXPORT, "import_id": IMPORT, "edition": "2004-4th", "file_name": "first-aid-for-everybody.zip", "format": "scorm2004-4th", "size_bytes": 123_456_789, "job_id": JOB, "version": 12, "revision": 7, "draft_id": f"draft-of-{COURSE}",
    "total_bytes": 123_456_789, "profile": "tablet", "problem": None, "kind": "build", "progress": 0.41, "attempt": 1,
    "message": "film-of-the-recovery-position: video-480 41%", "subject": {"package_id": PACKAGE, "version": 12},
    "tenant": "a-tenant-with-a-rather-long-name-of-39", "region": "eu", "policy": "device", "name": "build",
    "n": 1234, "actor": "an-operator@example.org", "action": "version.withdrawn", "previous": "", "hash": "",
    "details": {"package_id": PACKAGE, "version": 12, "reason": "The dosage on page 3 is wrong, see the erratum."},
    "paused_at": None, "waiting": 3, "running": 1, "failed": 0, "held": 0, "oldest": AT, "result": None,
    "webhook_id": WEBHOOK, "url": URL, "types": ["content.play_package.published.v1", "content.job.finished.v1"],
    "event_id": EVENT, "type": "content.job.finished.v1", "attempts": 3, "next_attempt_at": AT,
    "cause": "operator", "revoked_at": AT, "listed": [12, 345], "received_at": AT, "source": "device",
    "code": "segment-digest", "healed": None, "path": f"{BUNDLE}/0123456789abcdef/0.part",
    "log": [{"at": AT, "status": None, "error": "no answer within 15 seconds", "duration_ms": 15000}],
}  # fmt: skip
LISTS = {
    "packages list": ("/v1/packages", "active", (PACKAGE, COURSE)),
    f"packages versions {PACKAGE}": (f"/v1/packages/{PACKAGE}/versions", "superseded", (f"draft-of-{COURSE}",)),
    "bundles list": ("/v1/bundles", "superseded", (BUNDLE, PACKAGE, DEVICE, LEARNER)),
    "exports list": ("/v1/exports", "withdrawn", (EXPORT, PACKAGE)),
    "imports list": ("/v1/imports", "superseded", (IMPORT,)),
    "enrolments list": ("/v1/enrolments", "cancelled", (ENROLMENT, LEARNER, COURSE)),
    "devices list": ("/v1/devices", "revoked", (DEVICE, LEARNER)),
    "jobs list": ("/v1/jobs", "cancelling", (JOB,)),
    "jobs failed": ("/v1/jobs", "failed", (JOB,)),
    "jobs queues": ("/v1/queues", "", ("build",)),
    "tenant list": ("/v1/tenants", "", ("a-tenant-with-a-rather-long-name-of-39",)),
    "audit list": ("/v1/audit", "", (PACKAGE,)),
    "revocations list": ("/v1/revocations", "", ("operator", "12.345")),
    "tamper list": ("/v1/tamper-reports", "", (BUNDLE, DEVICE)),
    "webhooks list": ("/v1/webhooks", "disabled", (WEBHOOK, URL)),
    f"webhooks deliveries {WEBHOOK}": (f"/v1/webhooks/{WEBHOOK}/deliveries", "pending", (EVENT,)),
}


# -- lists ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", LISTS)
def test_a_list_fits_80_columns_with_every_id_whole(run: Run, command: str) -> None:
    path, state, ids = LISTS[command]
    failed = {"problem": {"code": "worker-died", "title": "A worker died three times while it did this alone."}}
    rows = [{**ROW, "state": state}, {**ROW, "state": state, **failed}]
    code, out, err = run(*command.split(), api=Answers({f"GET {path}": rows}))
    assert (code, err) == (0, "")
    assert all(len(line) <= 80 for line in out.splitlines()), out
    words = [word.strip(",") for word in out.split()]
    assert all(each in words for each in ids), out


@pytest.mark.parametrize("command", LISTS)
def test_a_list_for_a_program_is_one_document(run: Run, command: str) -> None:
    path, _, _ = LISTS[command]
    code, out, _ = run(*command.split(), "--json", api=Answers({f"GET {path}": [ROW]}))
    assert (code, json.loads(out)) == (0, {"items": [ROW]})


@pytest.mark.parametrize("command", LISTS)
def test_a_list_without_rows_says_so(run: Run, command: str) -> None:
    code, out, _ = run(*command.split(), api=Answers({f"GET {LISTS[command][0]}": []}))
    assert code == 0
    assert out.strip().endswith((".", "it.", "one."))


def test_filters_and_limit_reach_the_api(run: Run) -> None:
    api = Answers({"GET /v1/bundles": [ROW | {"state": "ready"}] * 3})
    code, out, _ = run("bundles", "list", "--state", "ready", "--learner", "ada", "--limit", "2", "--json", api=api)
    assert (code, len(json.loads(out)["items"])) == (0, 2)
    assert dict(api.asked[0].url.params) == {"state": "ready", "learner_id": "ada"}


# -- errors and ends --------------------------------------------------------------------------------------------------


def test_an_error_is_what_happened_and_what_to_do(run: Run) -> None:
    api = Answers({"GET /v1/me": problem(403, "forbidden", "This needs the scope x.", "Ask for a token with it.")})
    code, out, err = run("whoami", api=api)
    assert (code, out) == (exits.FAILED, "")
    assert err.splitlines() == [
        "forbidden: This needs the scope x.",
        "  → Ask for a token with it.",
        "  request req-0123456789",
    ]


def test_an_error_for_a_program_is_one_document(run: Run) -> None:
    api = Answers({"GET /v1/me": problem(403, "forbidden", "No.", "Ask.")})
    code, out, err = run("whoami", "--json", api=api)
    assert (code, err) == (exits.FAILED, "")
    assert json.loads(out) == {
        "error": {
            "code": "forbidden", "message": "No.", "remedy": "Ask.", "retryable": False, "request_id": "req-0123456789",
        }
    }  # fmt: skip


@pytest.mark.parametrize(
    ("command", "lists"),
    [
        ("packages show pkg_1", "packages list"),
        ("bundles show bnd_1", "bundles list"),
        ("jobs show job_1", "jobs list"),
        ("jobs pause nothing", "jobs queues"),
        ("enrolments show e1", "enrolments list"),
        ("devices show d1", "devices list"),
        ("devices foresight d1", "devices list"),
        ("tenant show t1", "tenant list"),
    ],
)
def test_an_unknown_id_is_told_with_the_command_that_lists_them(run: Run, command: str, lists: str) -> None:
    code, _, err = run(*command.split())
    assert code == exits.FAILED
    assert f"→ `content-service {lists}` shows which there are." in err


def test_what_a_sync_will_do_is_read_in_80_columns(run: Run) -> None:
    update = {"bundle_id": BUNDLE, "package_id": PACKAGE, "version": 12, "new": True, "fetch": 1_234_567, "size": 123_456_789}  # fmt: skip
    found = {
        "bundles": [update, {**update, "fetch": 0, "new": False}], "fetch": 1_234_567, "now": 122_000_000,
        "peak": 123_234_567, "after": 123_000_000, "deletes": [f"sea_{'0' * 26}/0123456789abcdef/index.json"],
        "holds": [BUNDLE], "unknown": [f"bnd_{'1' * 26}"],
    }  # fmt: skip
    api = Answers({f"GET /v1/devices/{DEVICE}/foresight": found})
    code, out, err = run("devices", "foresight", DEVICE, "--holds", BUNDLE, "--holds", f"bnd_{'1' * 26}", api=api)
    assert (code, err) == (0, "")
    assert all(len(line) <= 80 for line in out.splitlines()), out
    assert api.asked[0].url.params.get_list("holds") == [BUNDLE, f"bnd_{'1' * 26}"]
    told = " ".join(out.split())
    assert f"{BUNDLE} version 12 1,234,567 of 123,456,789 bytes to fetch" in told
    assert f"{BUNDLE} version 12 up to date" in told
    assert "122,000,000 now, 123,234,567 at the fullest, 123,000,000 afterwards." in told
    assert f"bnd_{'1' * 26} was never made for this device" in told
    code, out, _ = run("devices", "foresight", DEVICE, "--json", api=api)
    assert (code, json.loads(out)) == (0, found)


def test_what_changed_is_read_in_80_columns_and_by_default_of_the_newest(run: Run) -> None:
    found = {
        "package_id": PACKAGE, "older": 2, "newer": 12, "same": False, "metadata": ["title", "theme"],
        "units": [{"id": "bleeding", "change": "added", "members": []}],
        "blocks": [{"id": "recovery-position", "unit": "unconscious", "type": "quiz", "change": "changed", "members": ["questions"]}],
        "assets": [{"id": "film-of-the-recovery-position", "change": "changed", "source": False, "before": 123_456_789, "after": 98_765_432}],
        "fetches": [{"profile": "phone", "update": 1_234_567, "whole": 123_456_789}],
    }  # fmt: skip
    versions = [{**ROW, "version": 12}, {**ROW, "version": 2}]
    routes = {
        f"GET /v1/packages/{PACKAGE}/versions": versions,
        f"GET /v1/packages/{PACKAGE}/versions/2...12": found,
        f"GET /v1/packages/{PACKAGE}/versions/1...12": {**found, "same": True},
    }
    code, out, err = run("packages", "changes", PACKAGE, api=Answers(routes))
    assert (code, err) == (0, "")
    assert all(len(line) <= 80 for line in out.splitlines()), out
    for line in (
        "~ course: title, theme",
        "+ unit bleeding",
        "~ quiz recovery-position in unconscious: questions",
        "phone: 1,234,567 bytes to fetch, 123,456,789 for a device without any",
    ):
        assert line in out.splitlines()
    code, out, _ = run("packages", "changes", PACKAGE, "1", api=Answers(routes))
    assert (code, "Nothing changed" in out) == (0, True)
    code, out, _ = run("packages", "changes", PACKAGE, "2", "12", "--json", api=Answers(routes))
    assert (code, json.loads(out)) == (0, found)


def test_what_may_be_tried_again_has_an_exit_code_of_its_own(run: Run) -> None:
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    code, _, err = run("whoami", api=Answers({"GET /v1/me": away}))
    assert code == exits.AGAIN
    assert "api-unreachable" in err
    busy = problem(429, "rate-limited", "Too many requests.", "Wait.")
    assert run("whoami", api=Answers({"GET /v1/me": busy}))[0] == exits.AGAIN


def test_a_command_that_is_not_understood(run: Run) -> None:
    for arguments in (("fly",), ("packages", "list", "--fly"), ("packages", "withdraw", "pkg_1", "x")):
        code, out, err = run(*arguments)
        assert (code, out) == (exits.USAGE, "")
        assert "Usage: content-service" in err


def test_without_a_stack_it_says_how_to_begin(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CONTENT_TOKEN")
    monkeypatch.delenv("CONTENT_API_URL")
    code, _, err = run("whoami", "--home", str(tmp_path / "none"))
    assert code == exits.NO_STACK
    assert "`content-service up` starts one here; for another deployment give --api and --token-file." in err


def test_ctrl_c_ends_quietly(run: Run) -> None:
    def pressed(_: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    code, out, err = run("whoami", api=Answers({"GET /v1/me": pressed}))
    assert (code, out) == (exits.STOPPED, "")
    assert "Traceback" not in err


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = [sys.executable, "-c", "from serve_app.cli import main; main()", "settings", "--markdown"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == exits.FAILED


# -- who asks ---------------------------------------------------------------------------------------------------------


def test_a_token_comes_from_a_file_too(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CONTENT_TOKEN")
    (tmp_path / "token").write_text(token("other") + "\n")
    api = Answers({"GET /v1/me": {"tenant": "other", "subject": "s", "scopes": [], "device_id": None}})
    code, _, _ = run("whoami", "--token-file", str(tmp_path / "token"), api=api)
    assert code == 0
    assert api.asked[0].headers["authorization"] == f"Bearer {token('other')}"
    assert run("whoami", "--token-file", str(tmp_path / "none"))[2].startswith("token-file:")


def test_a_token_of_another_tenant_is_not_taken_for_the_one_that_was_named(run: Run) -> None:
    code, _, err = run("packages", "list", "--tenant", "other")
    assert code == exits.FAILED
    assert "The token is of the tenant acme, not of other." in err


def test_an_api_without_a_token_is_not_asked(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CONTENT_TOKEN")
    monkeypatch.setenv("CONTENT_HOME", str(tmp_path / "none"))
    assert "token-missing" in run("whoami")[2]
    assert "token-malformed" in run("whoami", "--token", "abc")[2]


@pytest.mark.parametrize("command", ["enrol ada first-aid", "enrolments cancel e1"])
def test_what_only_a_neighbour_does_is_refused_elsewhere(run: Run, command: str) -> None:
    code, _, err = run(*command.split())
    assert code == exits.FAILED
    assert "local-stack-only" in err


# -- drafts -----------------------------------------------------------------------------------------------------------

DRAFT: dict[str, Any] = {
    "shape": 1, "course_id": "c1", "draft_id": "d1", "revision": 3,
    "units": [{"id": "breathing", "blocks": [{"id": "chart", "type": "image", "asset": "chart"}]}],
}  # fmt: skip
FOUND = {
    "pointer": "/units/0/blocks/0/alt", "code": "alt-missing", "severity": "error",
    "message": "Say in “alt” what the picture shows, or mark it as decorative.",
}  # fmt: skip
MADE = {"job_id": JOB, "package_id": PACKAGE, "version": 12}


@pytest.fixture
def draft(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "draft.json"
    path.write_text(json.dumps(DRAFT))
    yield str(path)


def judged(*errors: dict[str, str], warnings: tuple[dict[str, str], ...] = ()) -> Answers:
    found = {"valid": not errors, "errors": list(errors), "warnings": list(warnings)}
    return Answers({"POST /v1/drafts/validate": found})


def test_a_mistake_is_told_with_its_place_and_what_to_do(run: Run, draft: str) -> None:
    code, out, _ = run("validate", draft, api=judged(FOUND))
    assert code == exits.FAILED
    assert out.splitlines() == [
        "error unit 1 “breathing”, block 1 “chart”, alt",
        "  Say in “alt” what the picture shows, or mark it as decorative.",
        "  alt-missing at /units/0/blocks/0/alt",
        "It would not be built: 1 error, 0 warnings.",
    ]


def test_warnings_alone_are_no_failure(run: Run, draft: str) -> None:
    code, out, _ = run("validate", draft, api=judged(warnings=({**FOUND, "severity": "warning"},)))
    assert code == exits.DONE
    assert out.startswith("warning unit 1") and "It would be built: 0 errors, 1 warning." in out


def test_a_judgement_for_a_program_is_the_apis_own(run: Run, draft: str) -> None:
    code, out, _ = run("validate", draft, "--json", api=judged(FOUND))
    assert (code, json.loads(out)) == (exits.FAILED, {"valid": False, "errors": [FOUND], "warnings": []})


@pytest.mark.parametrize("text", ["{", "[]", "\udcff"])
def test_what_is_no_draft_is_told_before_anything_is_asked(run: Run, tmp_path: Path, text: str) -> None:
    path = tmp_path / "draft.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    api = Answers({})
    code, _, err = run("validate", str(path), api=api)
    assert (code, api.asked) == (exits.FAILED, [])
    assert "draft-unreadable" in err


def test_publishing_elsewhere_asks_for_the_build_and_nothing_else(run: Run, draft: str) -> None:
    api = Answers({"POST /v1/packages": MADE})
    code, out, _ = run("publish", draft, "--revision", "4", "--json", api=api)
    assert (code, json.loads(out)) == (0, MADE)
    assert api.bodies("/v1/packages") == [{"course_id": "c1", "draft_id": "d1", "revision": 4}]
    assert [request.method for request in api.asked] == ["POST"]
    code, _, err = run("publish", draft, "--media", ".", api=api)
    assert (code, "local-stack-only" in err) == (exits.FAILED, True)


def ending(state: str, **members: Any) -> Answers:
    version = {**ROW, "state": "published", "report": {"problems": [], "made": 3, "reused": 1}}
    return Answers({
        "POST /v1/packages": MADE,
        f"GET /v1/jobs/{JOB}": {**ROW, "state": state, **members},
        f"GET /v1/packages/{PACKAGE}/versions/12": version,
        f"GET /v1/packages/{PACKAGE}/versions/12/report": {"problems": [FOUND]},
    })  # fmt: skip


def test_a_build_that_is_waited_for(run: Run, draft: str) -> None:
    code, out, err = run("publish", draft, "--wait", api=ending("succeeded"))
    assert code == 0
    assert out.splitlines() == [
        f"{PACKAGE} version 12 is published: 123,456,789 bytes.",
        "3 renditions made, 1 reused.",
    ]
    assert err.splitlines() == [" 41%  film-of-the-recovery-position: video-480 41%"], (
        "no bar where there is no terminal"
    )
    assert run("publish", draft, "--wait", "--quiet", api=ending("succeeded"))[2] == ""


def test_a_build_that_fails_is_told_with_every_problem(run: Run, draft: str) -> None:
    refused = {"code": "draft-invalid", "title": "The draft has 1 mistake.", "detail": "Correct it."}
    code, out, err = run("publish", draft, "--wait", api=ending("failed", problem=refused))
    assert code == exits.FAILED
    assert "draft-invalid: The draft has 1 mistake." in err
    assert "error unit 1 “breathing”, block 1 “chart”, alt" in out
    code, out, _ = run("publish", draft, "--wait", "--json", api=ending("failed", problem=refused))
    document = json.loads(out)
    assert (code, document["error"]["code"], document["job_id"]) == (exits.FAILED, "draft-invalid", JOB)
    assert [each["pointer"] for each in document["error"]["problems"]] == [FOUND["pointer"]]


def test_a_build_that_takes_too_long_goes_on_without_us(run: Run, draft: str) -> None:
    code, _, err = run("publish", draft, "--wait", "--timeout", "0", api=ending("running"))
    assert code == exits.AGAIN
    assert f"→ It goes on without you: `content-service jobs watch {JOB}`." in err


def test_a_place_is_told_in_an_authors_words() -> None:
    assert place(DRAFT, "") == "the draft"
    assert place(DRAFT, "/title/en") == "title, en"
    assert place(DRAFT, "/units/7/blocks/2") == "unit 8, block 3"
    assert place(None, "/a~1b/c~0d") == "a/b, c~d"


# -- the tree ---------------------------------------------------------------------------------------------------------


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in node.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


LEAVES = dict(leaves(typer.main.get_command(app)))


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_says_what_it_does_with_an_example_of_itself(name: str) -> None:
    command = LEAVES[name]
    assert command.help and command.help.split("\n")[0].endswith((".", "."))
    assert f"content-service {name}" in command.epilog
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{parameter.name} has no help"


@pytest.mark.parametrize("name", LEAVES)
def test_help_fits_80_columns(run: Run, name: str) -> None:
    code, out, _ = run(*name.split(), "--help")
    assert code == 0
    assert all(len(line.rstrip()) <= 80 for line in out.splitlines()), out


def test_what_prints_facts_prints_them_for_a_program_too() -> None:
    without = {name for name, command in LEAVES.items() if "as_json" not in {each.name for each in command.params}}
    assert without == {"down", "edge tell", "logs"}, "progress, lines of logs, and what runs for ever alone"


def test_the_help_of_all_names_the_exit_codes(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for number, meaning in exits.MEANINGS.items():
        assert f"{number:>4}  {meaning}" in out


def test_help_loads_nothing_heavy() -> None:
    heavy = {"ray", "fastapi", "httpx", "nats", "boto3", "psycopg", "pydantic", "joserfc", "PIL", "cluster", "tasks"}
    program = f"import serve_app.cli, sys; print(sorted({heavy!r} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert found.stdout.strip() == "[]"


def test_the_exit_codes_of_errors() -> None:
    from content.errors import ContentError

    assert exits.code_of(ContentError("x", "y")) == exits.FAILED
    assert exits.code_of(ContentError("x", "y", "", True)) == exits.AGAIN
    assert exits.code_of(ContentError("stack-unknown", "y")) == exits.NO_STACK
