"""The sandbox as its callers see it: results, errors, limits, and that nothing stays or is shared."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from cluster import sandbox
from cluster.sandbox import backends, conversation, results, seccomp, slots
from cluster.sandbox.pool import Pool
from cluster.sandbox.syscalls import ALLOWED
from cluster.settings import Settings
from content.errors import ContentError
from tests.support.sandboxes import PLAIN, World, sandboxed
from tests.support.waiting import until

FOUND = backends.find("bubblewrap")
BWRAP = pytest.mark.skipif(not FOUND.works, reason=f"bubblewrap does not work on this machine: {FOUND.why}")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    assert [path for path in world.output.iterdir() if path.name.startswith(slots.MOVED)] == []


# -- what it does -----------------------------------------------------------------------------------------------------


@BWRAP
def test_a_function_is_called_with_json_and_answers_with_json(world: World) -> None:
    assert world.call("json:dumps", obj={"a": [1]}).value == '{"a": [1]}'
    assert world.call("json:dumps", objects=1).code == 1  # no such argument
    assert "TypeError" in world.call("json:dumps", objects=1).said


@BWRAP
def test_results_come_out_under_their_names(world: World) -> None:
    assert world.python("open('made', 'w').write('yes')", "made").code == 0
    assert (world.output / "made").read_text() == "yes"
    assert (world.output / "made").stat().st_mode & 0o777 == 0o600


@BWRAP
def test_what_was_not_agreed_does_not_come_out(world: World) -> None:
    with pytest.raises(ContentError) as refused:
        world.python("open('made', 'w').write('yes'); open('more', 'w').write('no')", "made")
    assert refused.value.code == "sandbox-result"
    assert not (world.output / "made").exists()


@BWRAP
def test_a_program_that_failed_leaves_nothing(world: World) -> None:
    assert world.python("open('made', 'w').write('half'); raise SystemExit(3)", "made").code == 3
    assert list(world.output.iterdir()) == []


@BWRAP
def test_whoever_calls_may_end_it(tmp_path: Path) -> None:
    world = World(tmp_path, sandbox_ahead=0)  # none that waits for another job

    class Enough(Exception):
        pass

    def watch() -> None:
        if sandboxed(world.folder):  # it is there, and this would see it
            raise Enough

    with pytest.raises(Enough):
        world.python("while True: pass", watch=watch)
    # What is killed goes as soon as the kernel has let go of its mounts.
    until("it is gone", lambda: sandboxed(world.folder) == [], 20.0, lambda: sandboxed(world.folder))


# -- started ahead, one job each --------------------------------------------------------------------------------------


@BWRAP
def test_no_two_jobs_share_one(world: World) -> None:
    pool = Pool(world.folder / "pool", 2)
    try:
        first, second = pool.take(PLAIN, "bubblewrap"), pool.take(PLAIN, "bubblewrap")
        assert first.pid != second.pid and first.folder != second.folder
        pid = first.pid
        pool.put_away(first)
        assert not Path(f"/proc/{pid}").exists() and not first.folder.exists()
        third = pool.take(PLAIN, "bubblewrap")
        assert third.pid not in (pid, second.pid)
        pool.put_away(second)
        pool.put_away(third)
    finally:
        pool.close()
    # What is killed goes as soon as the kernel has let go of its mounts.
    until("no sandbox is left", lambda: sandboxed(world.folder / "pool") == [], 10)


@BWRAP
def test_without_any_ahead_only_those_wait_that_were_asked_for(world: World) -> None:
    pool = Pool(world.folder / "pool", 0)
    key = (PLAIN, "bubblewrap")
    try:
        pool.warm(*key, 2)
        assert len(pool._waiting[key]) == 2
        for left in (1, 0, 0):
            pool.put_away(pool.take(*key))
            assert len(pool._waiting[key]) == left
    finally:
        pool.close()
        pool.close()
    until("no sandbox is left", lambda: sandboxed(world.folder / "pool") == [], 10)


@BWRAP
def test_a_pool_that_was_closed_gives_way_to_a_new_one(world: World) -> None:
    assert world.call("json:dumps", obj=1).value == "1"
    sandbox.close(world.settings)
    until("no sandbox is left", lambda: sandboxed(world.settings.workspace) == [], 10)
    assert world.call("json:dumps", obj=2).value == "2"
    sandbox.close(world.settings)
    sandbox.close(world.settings)


@BWRAP
def test_one_that_died_while_it_waited_is_replaced(world: World) -> None:
    pool = Pool(world.folder / "pool", 1)
    try:
        pool.warm(PLAIN, "bubblewrap")
        waiting = pool._next((PLAIN, "bubblewrap")).result(30)
        with pool._lock:
            pool._waiting[PLAIN, "bubblewrap"].appendleft(_done(waiting))
        waiting.process.kill()
        waiting.process.wait()
        taken = pool.take(PLAIN, "bubblewrap")
        assert taken is not waiting and taken.alive()
        pool.put_away(taken)
    finally:
        pool.close()


def _done(started: object) -> object:
    from concurrent.futures import Future

    future: Future[object] = Future()
    future.set_result(started)
    return future


SCRIPT = """
import sys
from pathlib import Path
from tests.support.sandboxes import World
World(Path(sys.argv[1])).python("print('working', flush=True)\\nwhile True: pass", lines=type("L", (list,), {
    "append": lambda self, line: print(line.decode(), flush=True)})())
"""


@BWRAP
def test_nothing_outlives_a_killed_owner(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as owner:
        assert owner.stdout is not None and owner.stdout.readline() == b"working\n"
        assert len(sandboxed(tmp_path)) > 1
        assert slots.reap(tmp_path / "work") == 0, "its owner lives"
        owner.send_signal(signal.SIGKILL)
    until("no process of its sandboxes", lambda: not sandboxed(tmp_path), 10)
    assert slots.reap(tmp_path / "work") == 1
    assert list((tmp_path / "work" / slots.FOLDER).iterdir()) == []


def test_who_was_left_waiting_by_a_dead_owner_is_ended(tmp_path: Path) -> None:
    own = slots.Slots(tmp_path)
    slot = own.make()
    with subprocess.Popen([sys.executable, "-c", "input()", f"{slot}/in"], stdin=subprocess.PIPE) as left:
        # A process that has just begun has no arguments for a moment.
        until("its arguments", lambda: str(slot) in Path(f"/proc/{left.pid}/cmdline").read_text(), 30)
        assert slots.reap(tmp_path) == 0
        assert left.poll() is None
        os.close(own._lock)  # pyright: ignore[reportPrivateUsage]  # as its death would
        assert slots.reap(tmp_path) == 1
        assert left.wait(30) == -signal.SIGKILL
    assert not slot.exists()


# -- what comes out of it is not trusted ------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [
    b"[" * 100_000, b'{"value": ' + b"9" * 10_000 + b"}", b'{"value": NaN}', b"\xff\xfe", b"", b"[]", b'{"refusal": ["A", "", ""]}',
    b'{"refusal": ["code", 1, ""]}', b'{"share": "1"}', b'{"share": 1e999}',
])  # fmt: skip
def test_noise_is_no_answer(line: bytes) -> None:
    shares: list[float] = []
    answers = conversation.Answers(shares.append)
    answers.take(line)
    assert answers.complete(sandbox.Result(0)).stopped == "answer"
    assert all(0 <= share <= 1 for share in shares)


def test_a_refusal_is_cut_to_a_plain_sentence() -> None:
    answers = conversation.Answers(None)
    answers.take(b'{"refusal": ["media-unreadable", "\\u001b[31m' + b"x" * 5000 + b'", ""]}')
    refusal = answers.complete(sandbox.Result(0)).refusal
    assert refusal is not None and len(refusal.message) == 1000 and "\x1b" not in refusal.message


@pytest.mark.parametrize("kind", ["link", "link to a folder", "pipe", "folder", "second name", "too large", "socket"])
def test_only_plain_files_are_taken_over(kind: str, tmp_path: Path) -> None:
    inside, target, outside = tmp_path / "out", tmp_path / "target", tmp_path / "outside"
    inside.mkdir()
    target.mkdir()
    outside.write_text("secret")
    made = inside / "made"
    match kind:
        case "link":
            made.symlink_to(outside)
        case "link to a folder":
            made.symlink_to(tmp_path)
        case "pipe":
            os.mkfifo(made)
        case "folder":
            made.mkdir()
        case "second name":
            made.hardlink_to(outside)
        case "too large":
            made.write_bytes(bytes(101))
        case _:
            os.mknod(made, 0o140600)
    with pytest.raises(ContentError) as refused:
        results.accept(inside, ["made"], target, 100)
    assert refused.value.code == "sandbox-result"
    assert list(target.iterdir()) == []
    assert outside.read_text() == "secret"


# -- the filter -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_the_filter_decides_by_the_list(machine: str) -> None:
    """The program run by a few lines of an interpreter: allowed, refused, and the wrong architecture."""
    audit, column = seccomp.ARCHITECTURES[machine]
    program = list(struct.iter_unpack("=HBBI", seccomp.program(machine)))

    def decide(number: int, *arguments: int, arch: int = audit) -> int:
        data = struct.pack("=IIQ6Q", number, arch, 0, *(*arguments, *[0] * 6)[:6])
        at = accumulator = 0
        while True:
            code, yes, no, value = program[at]
            at += 1
            if code == 0x20:
                accumulator = struct.unpack_from("=I", data, value)[0]
            elif code == 0x15:
                at += yes if accumulator == value else no
            elif code == 0x35:
                at += yes if accumulator >= value else no
            else:
                return value

    allow, eperm, enosys, kill = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
    numbers = {each[column] for each in ALLOWED.values()} - {None}
    special = {56, 16, 157} if machine == "x86_64" else {220, 29, 167}
    for number in range(600):
        expected = allow if number in numbers else eperm if number < 424 or number in special else enosys
        assert decide(number) == expected, number
    clone, ioctl = (56, 16) if machine == "x86_64" else (220, 29)
    assert decide(clone, 0x3D0F00) == allow and decide(clone, 0x11) == eperm
    assert decide(clone, 0x10000000 | 0x3D0F00) == eperm
    assert decide(ioctl, 1, 0x5401) == allow and decide(ioctl, 1, 0x5412) == eperm
    assert decide(0, arch=0x40000003) == kill and decide(0x40000000 | 1) == kill
    assert len(program) < 4096


# -- where there is none ----------------------------------------------------------------------------------------------


def test_without_a_sandbox_nothing_is_decoded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = backends.Finding("bubblewrap", False, why="no namespaces here")
    monkeypatch.setattr(backends, "find", lambda _: broken)
    with pytest.raises(ContentError) as refused:
        world.call("json:dumps", obj=1)
    assert (refused.value.code, refused.value.retryable) == ("sandbox-unavailable", True)
    assert "no namespaces here" in refused.value.message and refused.value.remedy


def test_production_does_not_start_without_one() -> None:
    assert Settings(sandbox="none").sandbox == "none"
    with pytest.raises(ValidationError, match="sandbox"):
        Settings(profile="production", sandbox="none")
