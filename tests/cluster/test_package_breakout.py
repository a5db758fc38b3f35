"""Hostile code inside the sandbox of packages, in the place of the parser that a package took over: nothing passes.

The “package” is the exploit. It is handed in as any upload is, and run where `tasks.importing.packages_inside` would have read it, with its
limits and its view of the machine; it tells what came of its attempts by the only way there is, a report. Afterwards the next
package is read as if nothing had been.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.importing.reading_packages import Reading
from tests.support.sandboxes import sandboxed
from tests.support.waiting import until
from tests.tasks.test_reading_packages import World, hijack, world

__all__ = ["hijack", "world"]
X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of system calls of x86_64")
PRELUDE = """
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
found = {}

def call(number, *arguments):
    ctypes.set_errno(0)
    return "done" if libc.syscall(number, *arguments) >= 0 else errno.errorcode[ctypes.get_errno()]

def attempt(name, action):
    try:
        found[name] = "done " + repr(action())[:200]
    except BaseException as error:
        found[name] = "failed " + type(error).__name__
"""
TELL = """
told = [{"code": "attempt", "place": name, "message": outcome} for name, outcome in found.items()]
report = {"accepted": False, "errors": told}
open("report.json", "w").write(json.dumps(report))
"""
Attack = Callable[..., dict[str, str]]


@pytest.fixture
def attack(hijack: Callable[..., Reading]) -> Attack:
    """Run an exploit; what it says of each attempt."""

    def attacked(code: str, facts: object = None) -> dict[str, str]:
        reading = hijack(PRELUDE + textwrap.dedent(code) + TELL, facts=facts)
        assert [each.code for each in reading.report.errors] == ["attempt"] * len(reading.report.errors), reading.report
        return {each.place: each.message for each in reading.report.errors}

    return attacked


def all_failed(found: dict[str, str]) -> bool:
    return bool(found) and all(outcome.startswith("failed") for outcome in found.values())


def test_no_network(attack: Attack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = attack(
            """
            import socket
            for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6), ("unix", socket.AF_UNIX)):
                attempt(name, lambda: socket.socket(family))
            attempt("connect", lambda: socket.create_connection(("127.0.0.1", facts["port"]), 2))
            attempt("name", lambda: socket.getaddrinfo("example.com", 443))
            """,
            {"port": listening.getsockname()[1]},
        )
        listening.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listening.accept()
    assert all_failed(found), found


def test_no_other_file_and_no_environment(attack: Attack, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTENT_S3_SECRET_KEY", "a-marker")
    secret = world.folder / "another-upload.zip"
    secret.write_text("a-marker")
    found = attack(
        """
        attempt("another upload", lambda: open(facts["path"]).read())
        for path in ("/etc/passwd", "/etc/hostname", "/etc/ssl", "/home", "/var", "/bin/sh", facts["checkout"] + "/tests", facts["home"]):
            attempt(path, lambda: os.stat(path))
        for name in ("cluster", "serve_app", "tests", "tasks.importing.reading_packages", "boto3", "psycopg", "ray", "cryptography"):
            attempt("import " + name, lambda: __import__(name, fromlist=["x"]))
        there = sorted(os.listdir("/in")) == ["package.zip"] and os.listdir("/out") == []
        found["folders"] = ("failed " if there else "done ") + repr((os.listdir("/in"), os.listdir("/out")))
        found["environment"] = ("failed " if "a-marker" not in repr(dict(os.environ)) else "done ")
        """,
        {"path": str(secret), "checkout": str(Path(__file__).parents[2]), "home": str(Path.home() / ".ssh")},
    )
    assert all_failed(found), found


@X86
def test_no_process_is_born(attack: Attack) -> None:
    """A fork bomb does not get to its second process."""
    found = attack(
        """
        attempt("fork", os.fork)
        attempt("spawn", lambda: os.posix_spawn(sys.executable, [sys.executable, "-c", "1"], {}))
        arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17)
        for name, number, values in (
            ("fork by number", 57, ()), ("vfork", 58, ()), ("clone", 56, (17, 0, 0, 0, 0)), ("clone3", 435, (arguments, 88)),
        ):
            outcome = call(number, *values)
            found[name] = ("done" if outcome == "done" else "failed ") + outcome
            if outcome == "done" and os.getpid() != 1:
                os._exit(0)
        """
    )
    assert all_failed(found), found


def test_nothing_is_written_elsewhere(attack: Attack, world: World) -> None:
    before = (world.folder / "upload.zip").exists()
    found = attack(
        """
        places = ("/", "/tmp", "/dev", "/dev/shm", "/in", "/sources/content", "/site", "/usr/lib", "/var/tmp", "/proc", "/sys")
        for place in places:
            attempt(place, lambda: open(place + "/written", "wb").write(b"x"))
        attempt("the package", lambda: open("/in/package.zip", "r+b").close())
        attempt("its name", lambda: os.rename("/in/package.zip", "/out/report.json"))
        attempt("the runner", lambda: open("/runner.py", "r+b").close())
        attempt("link", lambda: os.symlink("/etc/passwd", "report.json"))
        attempt("second name", lambda: os.link("/in/package.zip", "report.json"))
        attempt("folder", lambda: os.mkdir("report.json"))
        attempt("pipe", lambda: os.mkfifo("report.json"))
        """
    )
    assert all_failed(found), found
    assert not before, "the exploit was the first upload"
    assert not list(world.folder.rglob("written"))


@X86
def test_no_other_process_is_reached(attack: Attack) -> None:
    found = attack(
        """
        buffer = ctypes.create_string_buffer(64)
        vector = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 8)
        for name, number, arguments in (
            ("read memory", 310, (facts["pid"], vector, 1, vector, 1, 0)), ("ptrace", 101, (16, facts["pid"], 0, 0)),
            ("signal", 62, (facts["pid"], 0)), ("all", 62, (-1, 0)), ("pidfd", 434, (facts["pid"], 0)),
            ("namespace", 272, (0x10000000,)), ("mount", 165, (b"none", b"/out", b"tmpfs", 0, None)),
            ("socket", 41, (2, 1, 0)), ("memfd", 319, (b"x", 0)), ("bpf", 321, (0, 0, 0)), ("io_uring", 425, (1, 0)),
        ):
            outcome = call(number, *arguments)
            found[name] = ("done" if outcome == "done" else "failed ") + outcome
        """,
        {"pid": os.getpid()},
    )
    assert all_failed(found), found


def test_whatever_it_did_its_processes_are_gone(hijack: Callable[..., Reading], world: World) -> None:
    world.more = {"import_timeout_s": 1.0}
    code = (
        "import signal\nfor n in set(range(1, 32)) - {9, 19}:\n    signal.signal(n, signal.SIG_IGN)\nwhile True: pass"
    )
    assert hijack(code).broke
    world.more = {}
    # Those that wait for the next package aside.
    assert not [path for path in world.output.iterdir() if path.name.startswith(".sandbox-")]
    until("its processes are gone", lambda: not sandboxed(world.output), 10)


def test_it_reads_itself_and_the_interpreter_alone(attack: Attack) -> None:
    """What can be read of this installation in there: no more than the packages and sources that it is made of."""
    found = attack(
        """
        found["site"] = repr(sorted(os.listdir("/site")))
        found["sources"] = repr(sorted(os.path.join(folder, each)[9:] for folder in ("/sources", "/sources/tasks", "/sources/tasks/importing") for each in os.listdir(folder)))
        """
    )
    assert json.loads(found["sources"].replace("'", '"')) == [
        "content",
        "tasks",
        "tasks/importing",
        "tasks/importing/packages_inside.py",
    ]
    assert json.loads(found["site"].replace("'", '"')) == ["langcodes"]
