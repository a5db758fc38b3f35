"""The demo's own checks must be able to fail."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from content.drafts import parse
from content.errors import ContentError
from serve_app.demo import checks, refusals
from serve_app.demo.course import make_run_course
from serve_app.demo.report import Result, print_report
from serve_app.demo.steps import Recorder, require


def log_of(folder: Path, *answers: tuple[str, int]) -> Path:
    path = folder / "access.jsonl"
    lines = [{"path": "/other", "method": "GET", "range": "", "bytes": 7}]
    lines += [{"path": "/p", "method": "GET", "range": asked, "bytes": count} for asked, count in answers]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_every_byte_sent_once_is_seen_in_the_edges_log(tmp_path: Path) -> None:
    assert checks.sent_once(log_of(tmp_path, ("", 40), ("bytes=40-", 0), ("bytes=40-", 60)), "/p", 100) == 2
    assert checks.sent_once(log_of(tmp_path, ("", 40), ("bytes=30-", 70)), "/p", 100) is None
    assert checks.sent_once(log_of(tmp_path, ("", 40), ("bytes=50-", 50)), "/p", 100) is None
    assert checks.sent_once(log_of(tmp_path, ("", 40)), "/p", 100) is None
    assert checks.sent_once(log_of(tmp_path, ("", 100), ("", 100)), "/p", 100) is None


def test_reuse_is_believed_only_if_the_others_are_the_same() -> None:
    before = {"assets": {"a": {"renditions": [1, 2]}, "b": {"renditions": [3]}}}
    after = {"assets": {"a": {"renditions": [1, 2]}, "new": {"renditions": [4, 5, 6]}}}
    assert checks.only_changed(before, after, "new") == (3, 2)
    after["assets"]["a"] = {"renditions": [1, 9]}
    with pytest.raises(ContentError, match="Something else"):
        checks.only_changed(before, after, "new")


def test_a_refusal_must_have_the_right_code() -> None:
    def raising(code: str) -> None:
        raise ContentError(code, "No.")

    assert refusals.refused("url-expired", lambda: raising("url-expired")).code == "url-expired"
    for attempt in (lambda: None, lambda: raising("url-signature")):
        with pytest.raises(ContentError) as failed:
            refusals.refused("url-expired", attempt)
        assert failed.value.code == "demo-not-refused"


def test_a_failed_step_is_told_and_makes_the_demo_fail() -> None:
    text = StringIO()
    console, result = Console(file=text, width=80), Result()
    recorder = Recorder(console, result.steps)
    with recorder.step("first") as step:
        step.bytes, step.notes = 3 << 20, "a [note]"
    assert result.ok
    with pytest.raises(ContentError), recorder.step("second"):
        require(False, "demo-x", "It was not [so].")
    assert not result.ok
    assert [entry["ok"] for entry in result.as_dict()["steps"]] == [True, False]
    print_report(result, console)
    told = text.getvalue()
    assert "demo-x: It was not [so]." in told
    assert "3.0 MiB" in told
    assert max(map(len, told.splitlines())) <= 80
    assert not Result(steps=result.steps[:1], error=ContentError("x", "y")).ok


def test_each_run_has_a_course_and_a_changed_picture_of_its_own(tmp_path: Path) -> None:
    try:
        one, two = (make_run_course(tmp_path / run, run) for run in ("aaa", "bbb"))
    except ContentError as error:
        pytest.skip(str(error))
    assert one.course_id != two.course_id
    (changed,), (other,) = one.changed_media.values(), two.changed_media.values()
    assert changed[0].read_bytes() != other[0].read_bytes()
    for course in (one, two):
        first, second = parse(dict(course.draft)), parse(dict(course.changed_draft))
        assert {each.asset for each in first.originals()} <= set(course.media)
        assert {each.asset for each in second.originals()} - set(course.media) == {course.changed_asset}
        assert (first.revision, second.revision) == (1, 2)
