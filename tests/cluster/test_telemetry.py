"""Lines, spans and numbers of a process that is on its own: what stands in them, what never does, and that it costs little."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog

from cluster import telemetry
from cluster.settings import Settings
from cluster.telemetry import logs, metrics, redaction, traces
from content.errors import ContentError, InvalidInput, Problem

ROOT = Path(__file__).parents[2]
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n"


def told(tmp_path: Path, program: str, **settings: Any) -> list[dict[str, Any]]:
    """The lines of a process of its own that begins as `content-api` and then does as it is told."""
    values = {"log_folder": str(tmp_path / "logs"), **settings}
    (tmp_path / "settings.json").write_text(json.dumps(values))
    begin = "import logging, structlog\nfrom cluster import telemetry\nfrom cluster.settings import Settings\n"
    begin += "telemetry.begin('content-api', Settings.load())\nlog = structlog.get_logger()\n"
    environment = {**os.environ, "CONTENT_SETTINGS": str(tmp_path / "settings.json")}
    subprocess.run([sys.executable, "-c", begin + program], check=True, cwd=ROOT, env=environment, timeout=60)
    return [json.loads(line) for line in (tmp_path / "logs" / "content-api.log").read_text().splitlines()]


# -- lines --------------------------------------------------------------------------------------------------------------


def test_lines_for_people_go_where_standard_error_is_by_then(tmp_path: Path) -> None:
    """A test of a command, or a supervisor, may put another stream there and close it."""
    program = (
        "import io, sys, structlog\nfrom cluster.telemetry import logs\n"
        "own, sys.stderr = sys.stderr, io.StringIO()\nlogs.for_people()\nsys.stderr.close()\nsys.stderr = own\n"
        "structlog.get_logger().warning('heard')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert "warning heard" in done.stderr


def test_a_logger_that_was_used_before_goes_where_the_process_says_now(tmp_path: Path) -> None:
    log = structlog.get_logger()
    for part in ("a", "b"):
        logs.configure("content-api", Settings(log_folder=tmp_path / part, workspace=tmp_path))
        log.info(f"to {part}")
    said = [(tmp_path / part / "content-api.log").read_text() for part in ("a", "b")]
    assert ["to a" in said[0], "to b" in said[0], "to b" in said[1]] == [True, False, True]


def test_a_line_says_when_what_where_and_about_what(tmp_path: Path) -> None:
    program = f"""
with telemetry.bound(tenant="acme", job="job_1", attempt=2), telemetry.span("work", parent="{PARENT}"):
    log.info("done", made=3)
log.debug("not told")
"""
    (line,) = told(tmp_path, program, region="me")
    assert line.pop("time").endswith("Z")
    assert len(line.pop("span_id")) == 16
    assert line == {
        "level": "info", "event": "done", "service": "content-api", "region": "me", "tenant": "acme", "job": "job_1",
        "attempt": 2, "made": 3, "trace_id": PARENT.split("-")[1],
    }  # fmt: skip


def test_libraries_say_it_the_same_way_and_only_what_matters(tmp_path: Path) -> None:
    program = """
logging.getLogger("botocore.hooks").info("not told")
logging.getLogger("uvicorn.access").warning('127.0.0.1 "GET /v1/devices?learner_id=l-1 HTTP/1.1" 200')
logging.getLogger("nats.aio.client").error("lost %s", "postgresql://u:opensesame@db/x")
"""
    (line,) = told(tmp_path, program)
    assert (line["logger"], line["level"], line["service"]) == ("nats.aio.client", "error", "content-api")
    assert line["event"] == "lost postgresql://[redacted]@db/x"


def test_an_exception_is_fields_without_what_the_code_held(tmp_path: Path) -> None:
    program = """
def inner(local):
    raise ValueError("first line\\nDETAIL: Key (learner_id)=(learner-77) already exists.")
try:
    try:
        inner("a-local-value")
    except ValueError as error:
        from content.errors import ContentError
        raise ContentError("storage-unavailable", "Asset “portrait of Jo” is away.", "Try again.", True) from error
except ContentError:
    log.exception("failed")
"""
    (line,) = told(tmp_path, program)
    found = line["exception"]
    assert (found["error"], found["code"], found["text"]) == (
        "ContentError", "storage-unavailable", "Asset “…” is away.",
    )  # fmt: skip
    assert found["cause"]["text"] == "first line"
    assert [frame.split()[-1] for frame in found["cause"]["frames"]] == ["<module>", "inner"]
    assert not [word for word in ("learner-77", "a-local-value", "Jo") if word in json.dumps(line)]


def test_a_failed_ray_task_tells_what_was_raised_there(tmp_path: Path) -> None:
    program = """
from ray.exceptions import RayTaskError
def work():
    return {}.missing
try:
    try:
        work()
    except AttributeError as error:
        raise RayTaskError("make", "a traceback\\nwith values", error)
except RayTaskError:
    log.exception("failed")
"""
    (line,) = told(tmp_path, program)
    found = line["exception"]
    assert (found["error"], found["cause"]["error"]) == ("RayTaskError", "AttributeError")
    assert found["cause"]["text"] == "'dict' object has no attribute 'missing'"


def test_a_file_is_turned_over_before_it_grows_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "KEEP_BYTES", 1000)
    monkeypatch.setattr(logs, "LOOK_S", 0.0)
    out, other = logs.Lines(tmp_path / "a.log"), logs.Lines(tmp_path / "a.log")
    for number in range(40):
        (out, other)[number % 2].msg(f"{number:03} " + "x" * 60)
    kept = [line for name in ("a.log.1", "a.log") for line in (tmp_path / name).read_text().splitlines()]
    assert [int(line[:3]) for line in kept] == list(range(40 - len(kept), 40))
    assert len(kept) > 15
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1"]


# -- what never stands in a line -----------------------------------------------------------------------------------------

SECRETS = {
    "a token": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJsZWFybmVyIn0.c2lnbmF0dXJl",
    "a key": PEM.replace("\n", "\\n"),
    "a password in an address": "opensesame",
    "a signed address": "MEUCIQDx-3Kq~",
    "a header": "c2VjcmV0LXRva2Vu",
    "the key service's token": "s.abcdefghijklmnopqrstuvwx",
    "a wrapped key": "vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==",
    "a webhook's secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "a mail address": "jo.doe@example.org",
}
LINES = {
    "a password in an address": "lost postgresql://worker:{}@db:5432/content",
    "a signed address": "GET https://edge/x?Policy=eyJ0&Signature={}&Key-Pair-Id=K1",
    "a header": "Authorization: Bearer {} refused",
}


@pytest.mark.parametrize("what", SECRETS)
def test_what_looks_like_a_secret_is_cut(what: str) -> None:
    line = json.dumps({"event": LINES.get(what, "said {} here").format("MARK")}).replace("MARK", SECRETS[what])
    cut = redaction.clean(line)
    assert SECRETS[what] not in cut
    assert redaction.CUT in json.loads(cut)["event"]


def test_what_is_no_secret_stays() -> None:
    line = "batch served trace_id=0af7651916cd43dd8448eb211c80319c package=pkg_ibp3e8974bjkhkj9i3qhtjg8ug /v1/devices/{device_id}"
    assert redaction.clean(line) == line


def test_the_settings_own_secrets_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", ())
    redaction.know(Settings(postgres_api="postgresql://api:tr0ub4dor@db/x", s3_secret_key="plainwords"))  # pyright: ignore[reportArgumentType]
    assert redaction.clean("tr0ub4dor and plainwords") == "[redacted] and [redacted]"


@pytest.mark.parametrize(
    "name", ["authorization", "DPoP", "access_token", "postgres_password", "learner_id", "author", "email"]
)
def test_fields_of_these_names_are_cut_at_any_depth(name: str) -> None:
    event: dict[str, Any] = {name: "x", "inner": [{name: "x", "job": "job_1"}]}
    assert redaction.fields(None, "", event) == {name: redaction.CUT, "inner": [{name: redaction.CUT, "job": "job_1"}]}


@pytest.mark.parametrize(
    "name", ["tenant", "device", "job", "attempt", "route", "event", "bundles", "trace_id", "code", "text"]
)
def test_fields_that_operators_need_are_not(name: str) -> None:
    assert not redaction.forbidden(name)


def test_the_caller_is_hidden_until_the_next_one_comes() -> None:
    telemetry.hide("learner-4711", "x")
    assert redaction.clean("learner-4711 takes x") == "[redacted] takes x"
    redaction.begin()
    assert redaction.clean("learner-4711") == "learner-4711"


def test_mistakes_in_somebodys_input_are_counted_not_told() -> None:
    error = InvalidInput("draft-invalid", "First: Jo is no date.", "", False, (Problem("/a", "b", "Jo"),))
    assert telemetry.describe(error) == {"error": "InvalidInput", "code": "draft-invalid", "text": "1 problems"}


# -- spans --------------------------------------------------------------------------------------------------------------


def test_a_trace_goes_on_where_its_parent_is_named() -> None:
    with telemetry.span("one", parent=PARENT):
        handed_on = telemetry.traceparent()
        assert handed_on is not None
        assert handed_on.split("-")[1] == PARENT.split("-")[1]
        assert traces.ids()["trace_id"] == PARENT.split("-")[1]
    assert telemetry.traceparent() is None


@pytest.mark.parametrize("bad", ["", "x", "00-zz-11-01", f"{PARENT}-more", "00-" + "0" * 32 + "-b7ad6b7169203331-01"])
def test_what_is_no_traceparent_begins_a_new_trace(bad: str) -> None:
    with telemetry.span("one", parent=bad):
        found = telemetry.traceparent()
    assert found is None or found.split("-")[1] != PARENT.split("-")[1]


def test_spans_are_written_as_they_end_with_codes_and_without_texts(tmp_path: Path) -> None:
    program = f"""
from content.errors import ContentError
try:
    with telemetry.span("work", parent="{PARENT}", job="job_1", kind=telemetry.SpanKind.SERVER):
        raise ContentError("keys-unavailable", "learner-77 has no luck.", "", True)
except ContentError:
    log.info("x")
"""
    told(tmp_path, program, trace_exporter="file", trace_folder=str(tmp_path / "traces"))
    (file,) = (tmp_path / "traces").iterdir()
    (text,) = file.read_text().splitlines()
    span = json.loads(text)
    assert span["attributes"] == {"content.job": "job_1", "error.type": "keys-unavailable"}
    assert span["status"] == {"status_code": "ERROR"}
    assert "learner-77" not in text


def test_with_none_recorded_ids_are_made_and_handed_on(tmp_path: Path) -> None:
    first, second = told(
        tmp_path, "with telemetry.span('a'):\n    log.info('x')\nwith telemetry.span('b'):\n    log.info('y')\n"
    )
    assert len(first["trace_id"]) == 32
    assert first["trace_id"] != second["trace_id"]
    assert not (tmp_path / "traces").exists()


def test_links_name_each_trace_once() -> None:
    other = PARENT.replace("0af7", "1bf8")
    assert len(traces.link([PARENT, None, PARENT, other, "nonsense"])) == 2


# -- numbers ------------------------------------------------------------------------------------------------------------


def test_without_ray_numbers_do_nothing() -> None:
    metrics.POOL_DEPTH.set(3, pool="x")
    metrics.BUNDLES.add(2, result="ready")
    with pytest.raises(ContentError), metrics.STORAGE.timed(action="put"):
        raise ContentError("storage-unavailable", "", "", True)
    assert metrics.STORAGE._made == []


def test_every_number_has_a_help_text_and_no_label_that_grows_with_tenants() -> None:
    names = [metric.name for metric in metrics.METRICS]
    assert len(names) == len(set(names)) > 20
    for metric in metrics.METRICS:
        assert metric.name.startswith("content_") and metric.help.endswith(".")
        assert not {"tenant", "job", "device", "learner", "path"} & set(metric.labels)
        assert (metric.kind == "histogram") == bool(metric.bounds)


def test_the_page_has_the_table_of_the_code() -> None:
    assert metrics.table() in (ROOT / "docs/telemetry.md").read_text()


def test_a_line_of_a_library_without_our_fields_is_formatted() -> None:
    formatter = logs.Formatter(logs._chain({"service": "x"}), logs.json_line)
    record = logging.LogRecord("a.b", logging.WARNING, "f", 1, "said %s", ("it",), None)
    line = json.loads(formatter.format(record))
    assert (line["event"], line["logger"], line["level"], line["service"]) == ("said it", "a.b", "warning", "x")
