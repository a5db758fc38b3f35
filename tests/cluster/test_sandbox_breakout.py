"""Hostile code inside a sandbox, as a parser that a file has taken over would be: every attempt fails, nothing outside
changes, and the next job in a new sandbox works.

Each attempt is chosen so that it would harm nothing if it did succeed: a file is opened for writing and not written to,
a signal to anybody but the test's own victim is signal 0.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import sandbox
from cluster.sandbox import slots
from cluster.sandbox.kind import Backend
from cluster.sandbox.limits import MIB
from tests.support.sandboxes import HOSTILE, LIMITS, PLAIN, World

X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of system calls of x86_64")
SHORT = sandbox.Limits(512 * MIB, 3.0, 4 * MIB, 8 * MIB)
PATIENT = sandbox.Limits(512 * MIB, 60.0, 4 * MIB, 8 * MIB)
"""Where something else than its time has to end it."""


@pytest.fixture(params=["bubblewrap", "runsc"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    backend: Backend = request.param
    finding = sandbox.find(backend)
    if not finding.works:
        pytest.skip(f"{backend} does not work on this machine: {finding.why}")
    world = World(tmp_path, backend)
    yield world
    world.works()
    assert [path for path in world.output.iterdir() if path.name.startswith(slots.MOVED)] == []


def all_failed(found: dict[str, Any]) -> bool:
    return bool(found) and all(outcome[0] == "failed" for outcome in found.values())


def test_no_network_of_any_kind(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as named:
        named.bind(str(world.folder / "socket"))
        named.listen()
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind(f"\0content-test-{os.getpid()}")
        abstract.listen()
        facts = {
            "port": tcp.getsockname()[1],
            "path": str(world.folder / "socket"),
            "name": abstract.getsockname().decode(),
        }
        found = world.attack(
            """
            import socket
            attempt("tcp", lambda: socket.create_connection(("127.0.0.1", facts["port"]), 2))
            attempt("unix", lambda: socket.socket(socket.AF_UNIX).connect(facts["path"]))
            attempt("abstract", lambda: socket.socket(socket.AF_UNIX).connect(facts["name"]))
            attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
            attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
            attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 53)))
            attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
            attempt("pair", lambda: socket.socketpair())
            """,
            facts,
        )
        assert all_failed(found), found
        for listener in (tcp, named, abstract):
            listener.settimeout(0.0)
            with pytest.raises(BlockingIOError):
                listener.accept()
        abstract.close()


def test_no_process_but_its_own_is_seen(world: World) -> None:
    found = world.attack(
        """
        pids = sorted(int(each) for each in os.listdir("/proc") if each.isdigit()) if os.path.isdir("/proc") else []
        lines = [open(f"/proc/{pid}/cmdline").read() for pid in pids]
        found["pid"], found["lines"] = os.getpid(), lines
        attempt("environment of the parent", lambda: open(f"/proc/{facts['pid']}/environ").read())
        attempt("root of the parent", lambda: os.listdir(f"/proc/{facts['pid']}/root"))
        attempt("kernel's memory", lambda: open("/proc/kcore", "rb").read(1))
        attempt("a kernel setting", lambda: open("/proc/sys/kernel/core_pattern", "r+").close())
        attempt("devices", lambda: open("/dev/vda", "rb").read(1))
        attempt("control groups", lambda: os.listdir("/sys/fs/cgroup/system.slice"))
        """,
        {"pid": os.getpid()},
    )
    assert found.pop("pid") == 1
    assert all("code.py" in line for line in found.pop("lines"))
    assert all_failed(found), found


@X86
def test_another_process_is_out_of_reach(world: World) -> None:
    secret = b"a-secret-of-the-parent"
    kept = bytearray(secret)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim:
        found = world.attack(
            """
            import signal
            for who in ("pid", "victim"):
                pid = facts[who]
                deadly = 9 if who == "victim" else 0
                nowhere = (ctypes.c_uint64 * 2)(1, 8)
                buffer = ctypes.create_string_buffer(64)
                vector = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 8)
                remote = (ctypes.c_uint64 * 2)(facts["address"], 8)
                for name, number, arguments in (
                    ("process_vm_readv", 310, (pid, vector, 1, remote, 1, 0)),
                    ("process_vm_writev", 311, (pid, vector, 1, nowhere, 1, 0)),
                    ("ptrace attach", 101, (16, pid, 0, 0)),
                    ("ptrace seize", 101, (0x4206, pid, 0, 0)),
                    ("kill", 62, (pid, deadly)),
                    ("tkill", 200, (pid, deadly)),
                    ("tgkill", 234, (pid, pid, deadly)),
                    ("pidfd_open", 434, (pid, 0)),
                    ("kcmp", 312, (pid, pid, 0, 0, 0)),
                    ("rt_sigqueueinfo", 129, (pid, deadly, buffer)),
                    ("setpriority", 141, (0, pid, 0)),
                    ("sched_setaffinity", 203, (pid, 8, buffer)),
                    ("kill everybody", 62, (-1, 0)),
                ):
                    found[f"{name} {who}"] = ["done" if call(number, *arguments) == "done" else "failed"]
                attempt(f"memory {who}", lambda: open(f"/proc/{pid}/mem", "rb").read(1))
            """,
            {"pid": os.getpid(), "victim": victim.pid, "address": id(kept)},
        )
        assert all_failed(found), found
        assert victim.poll() is None
        victim.kill()
    assert kept == secret


@X86
def test_no_namespace_mount_or_root_changes(world: World) -> None:
    found = world.attack(
        """
        out = b"/out"
        for name, number, arguments in (
            ("mount", 165, (b"none", out, b"tmpfs", 0, None)), ("mount proc", 165, (b"proc", out, b"proc", 0, None)),
            ("bind", 165, (b"/", out, None, 4096, None)), ("remount", 165, (None, b"/in", None, 32 | 4096, None)),
            ("umount", 166, (b"/in", 2)), ("pivot_root", 155, (b"/out", b"/out")), ("chroot", 161, (b"/out",)),
            ("unshare user", 272, (0x10000000,)), ("unshare all", 272, (0x7E020000,)), ("setns", 308, (0, 0)),
            ("open_tree", 428, (-100, b"/", 1)), ("fsopen", 430, (b"tmpfs", 0)), ("move_mount", 429, (-100, b"/in", -100, out, 0)),
            ("clone new user", 56, (0x10000000 | 17, 0, 0, 0, 0)), ("sethostname", 170, (b"x", 1)),
        ):
            outcome = call(number, *arguments)
            found[name] = ["failed" if outcome != "done" else "done", outcome]
        """
    )
    assert all_failed(found), found


@X86
def test_no_process_is_born(world: World) -> None:
    """Neither by fork, vfork, clone nor clone3: a fork bomb does not get to its second process."""
    found = world.attack(
        """
        attempt("fork", os.fork)
        attempt("posix_spawn", lambda: os.posix_spawn(sys.executable, [sys.executable, "-c", "1"], {}))
        import subprocess
        attempt("subprocess", lambda: subprocess.run([sys.executable, "-c", "1"]))
        arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17)
        for name, number, values in (
            ("fork by number", 57, ()), ("vfork", 58, ()), ("clone", 56, (17, 0, 0, 0, 0)),
            ("clone sharing memory", 56, (0x100 | 17, 0, 0, 0, 0)), ("clone3", 435, (arguments, 88)),
        ):
            outcome = call(number, *values)
            found[name] = ["failed" if outcome != "done" else "done", outcome]
            if outcome == "done" and os.getpid() != 1:
                os._exit(0)
        """
    )
    assert all_failed(found), found


def test_a_flood_of_threads_is_ended(world: World) -> None:
    code = """
import threading, time
threading.stack_size(65536)
try:
    while True:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
except BaseException as error:
    print(type(error), flush=True)
    while True:
        time.sleep(1)
"""
    counted = world.backend == "bubblewrap" and os.geteuid() == 0  # the kernel's limit of processes does not bind root
    result = world.python(HOSTILE + code, limits=PATIENT if counted else SHORT)
    assert result.stopped in (("threads",) if counted else ("threads", "time")), result


def test_the_disk_cannot_be_filled(world: World) -> None:
    found = world.attack(
        """
        def grow():
            with open("big", "wb", 0) as file:
                for _ in range(64):
                    file.write(bytes(1 << 20))
        attempt("one file", grow)
        attempt("one file with a hole", lambda: os.truncate("big", 1 << 40))
        os.unlink("big")
        """
    )
    assert all_failed(found), found
    many = """
number = 0
while True:
    with open(str(number), "wb") as file:
        file.write(bytes({size}))
    number += 1
"""
    assert world.python(many.format(size=1 << 20), limits=PATIENT).stopped == "output"
    assert world.python(many.format(size=1), limits=PATIENT).stopped == "output"
    elsewhere = world.attack(
        """
        for place in ("/", "/tmp", "/dev/shm", "/dev", "/in", "/usr/lib", "/var/tmp", "/sys", "/run", "/root"):
            attempt(place, lambda: open(place + "/x", "wb").write(bytes(1024)))
        """
    )
    assert all_failed(elsewhere), elsewhere


def test_memory_is_bounded(world: World) -> None:
    found = world.attack(
        """
        kept = []
        def hoard():
            while True:
                kept.append(bytearray(16 << 20))
        attempt("hoard", hoard)
        held, kept = len(kept) * 16, None
        attempt("map", lambda: __import__("mmap").mmap(-1, 1 << 40))
        if hasattr(os, "memfd_create"):
            attempt("memory file", lambda: os.memfd_create("x"))
        import resource
        attempt("raised limit", lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)))
        found["held"] = ["failed" if held <= 512 else "done", held]
        """
    )
    assert all_failed(found), found


DEAF = """
import signal
for number in set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
while True:
    pass
"""


@pytest.mark.parametrize("code", [DEAF, "import time; time.sleep(3600)"], ids=["busy and deaf", "asleep"])
def test_time_is_bounded(code: str, world: World) -> None:
    result = world.python(code, limits=sandbox.Limits(512 * MIB, 1.0, MIB, MIB))
    assert result.stopped == "time" and result.code != 0


def test_what_it_says_is_bounded(world: World) -> None:
    flood = "import os\nwhile True: os.write({stream}, b'x' * 65536)"
    assert world.python(flood.format(stream=1), limits=PATIENT).stopped == "answer"
    lines = "import os\nwhile True: os.write(1, b'x\\n' * 32768)"
    assert world.python(lines, limits=PATIENT).stopped == "answer"
    told = world.python(flood.format(stream=2), limits=sandbox.Limits(512 * MIB, 1.0, MIB, MIB))
    assert told.stopped == "time" and len(told.said) <= 4000


@X86
def test_only_plain_files_can_be_made(world: World) -> None:
    outside = world.folder / "outside"
    outside.write_text("untouched")
    found = world.attack(
        """
        open("plain", "w").write("x")
        attempt("symbolic link", lambda: os.symlink("/etc/passwd", "link"))
        attempt("link to an input", lambda: os.link("../in/facts.json", "hard"))
        attempt("link", lambda: os.link("plain", "second"))
        attempt("pipe", lambda: os.mkfifo("pipe"))
        attempt("device", lambda: os.mknod("device", 0o60666, os.makedev(8, 0)))
        attempt("folder", lambda: os.mkdir("folder"))
        attempt("mode", lambda: os.chmod("plain", 0o4777))
        attempt("owner", lambda: os.chown("plain", 1, 1))
        attempt("attribute", lambda: os.setxattr("plain", "user.x", b"x"))
        attempt("out of the folder", lambda: os.rename("plain", "../in/plain"))
        os.unlink("plain")
        """,
        {"path": str(outside)},
    )
    assert all_failed(found), found
    assert outside.read_text() == "untouched"


# x86_64 numbers of what decoding never needs.
FORBIDDEN = {
    "keyctl": 250, "add_key": 248, "request_key": 249, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425,
    "io_uring_enter": 426, "io_setup": 206, "perf_event_open": 298, "kexec_load": 246, "kexec_file_load": 320,
    "init_module": 175, "finit_module": 313, "delete_module": 176, "memfd_create": 319, "memfd_secret": 447,
    "pidfd_open": 434, "pidfd_getfd": 438, "socket": 41, "socketpair": 53, "shmget": 29, "semget": 64, "msgget": 68,
    "mq_open": 240, "inotify_init": 253, "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304,
    "quotactl": 179, "acct": 163, "swapon": 167, "reboot": 169, "settimeofday": 164, "clock_settime": 227,
    "personality": 135, "iopl": 172, "ioperm": 173, "setuid": 105, "setgid": 106, "setgroups": 116, "setresuid": 117,
    "capset": 126, "seccomp": 317, "landlock_create_ruleset": 444, "mknod": 133, "symlink": 88, "link": 86,
    "chmod": 90, "mkdir": 83, "splice": 275, "tee": 276, "vmsplice": 278, "eventfd2": 290, "signalfd4": 289,
    "timerfd_create": 283, "syslog": 103, "ustat": 136, "modify_ldt": 154, "lookup_dcookie": 212, "move_pages": 279,
    "process_madvise": 440, "setsid": 112, "vhangup": 153, "pkey_alloc": 330, "remap_file_pages": 216,
}  # fmt: skip


@X86
def test_system_calls_outside_the_list_are_refused(world: World) -> None:
    found = world.attack(
        """
        for name, number in facts.items():
            found[name] = call(number, 0, 0, 0, 0, 0, 0)
        found["TIOCSTI"] = call(16, 0, 0x5412, b"x")
        found["PR_SET_SECCOMP"] = call(157, 22, 0, 0, 0, 0)
        found["PR_SET_DUMPABLE"] = call(157, 4, 1, 0, 0, 0)
        found["PR_SET_PDEATHSIG"] = call(157, 1, 0, 0, 0, 0)
        """,
        FORBIDDEN,
    )
    assert {name: outcome for name, outcome in found.items() if outcome not in ("EPERM", "ENOSYS")} == {}


@X86
@pytest.mark.parametrize("world", ["bubblewrap"], indirect=True)
def test_calls_by_another_architectures_numbers_end_the_process(world: World) -> None:
    """32-bit calls by `int 0x80`, and x32's: their numbers would mean something else in the list."""
    machine_code = """
import mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""
    assert world.python(HOSTILE + machine_code).code == -signal.SIGSYS
    assert world.python(HOSTILE + "call(0x40000000 | 39)").code == -signal.SIGSYS


def test_no_file_of_ours_stays_open_in_it(world: World) -> None:
    read, write = os.pipe()
    os.set_inheritable(read, True)
    try:
        found = world.attack(
            """
            import fcntl
            for number in range(256):
                try:
                    fcntl.fcntl(number, fcntl.F_GETFD)
                except OSError:
                    continue
                found[str(number)] = os.fstat(number).st_mode & 0o170000
            """
        )
    finally:
        os.close(read)
        os.close(write)
    assert set(found) == {"0", "1", "2"}
    assert set(found.values()) == {0o010000}, "they are pipes"


def test_what_it_is_given_cannot_be_changed(world: World) -> None:
    found = world.attack(
        """
        for path in ("../in/facts.json", "../in/code.py", sys.executable, json.__file__, "/runner.py"):
            attempt("write " + path, lambda: open(path, "r+b").close())
        for path in ("../in/facts.json", "../in/code.py"):
            attempt("mode of " + path, lambda: os.chmod(path, 0o777))
            attempt("time of " + path, lambda: os.utime(path))
            attempt("rename " + path, lambda: os.rename(path, path + "x"))
            attempt("remove " + path, lambda: os.unlink(path))
        """,
        {"a": 1},
    )
    assert all_failed(found), found
    assert json.loads((world.folder / "facts.json").read_text()) == {"a": 1}


def test_nothing_of_the_machine_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTENT_S3_SECRET_KEY", "a-marker")
    secret = world.folder / "settings.json"
    secret.write_text("a-marker")
    found = world.attack(
        """
        attempt("settings", lambda: open(facts["path"]).read())
        attempt("home", lambda: os.listdir(facts["home"]))
        attempt("checkout", lambda: os.listdir(facts["checkout"] + "/tests"))
        for path in ("/etc/passwd", "/etc/hostname", "/var", "/home", "/run", "/usr/bin/env", "/bin/sh"):
            attempt(path, lambda: os.stat(path))
        seen = []
        for folder, folders, names in os.walk("/"):
            if folder in ("/usr/lib", "/proc", "/sys") or folder.startswith(facts["prefix"]):
                folders.clear()
                continue
            seen += [os.path.join(folder, name) for name in names]
        seen = [path for path in seen if path.endswith((".json", ".pem", ".key", ".env", ".git", "_history"))]
        import socket
        hidden = "a-marker" not in repr(dict(os.environ)) and seen == ["/in/facts.json"]
        found["hidden"] = ["failed" if hidden else "done", seen, dict(os.environ)]
        found["host"] = ["failed" if os.uname().nodename == "sandbox" else "done"]
        """,
        {
            "path": str(secret),
            "home": str(Path.home() / ".ssh"),
            "checkout": str(Path(__file__).parents[2]),
            "prefix": sys.base_prefix,
        },
    )
    assert all_failed(found), found


def test_a_taken_over_function_cannot_do_more(world: World) -> None:
    """The same inside an interpreter that was started ahead: what it says is taken for data, at most."""
    script = world.folder / "evil.py"
    script.write_text(
        "import os\n"
        "for fd in range(3, 64):\n"
        "    try:\n"
        '        os.write(fd, b\'[\' * 100000 + b\'\\n{"share": "x"}\\n{"refusal": [1, 2]}\\n{"value": NaN}\\nnoise\\n\')\n'
        "    except OSError: pass\n"
        "os._exit(0)\n"
    )
    job = sandbox.Job(PLAIN, LIMITS, world.output, {"evil.py": script})
    arguments = {"path_name": f"{sandbox.IN}/evil.py"}
    result = sandbox.call(job, "runpy:run_path", arguments, world.settings, None)
    assert (result.stopped, result.value, result.refusal) == ("answer", None, None)
