"""Becomes another program under limits: `python -I -S launch.py PARENT AS CPU FSIZE PROGRAM ARGS…`.

Limits are set here, in a fresh process, and not in `preexec_fn`: between fork and exec of a process with threads (every
Ray worker has some) Python code may hang. The program is killed when the thread that started it ends, so a SIGKILLed
worker leaves no encoder behind. Standard library only, no imports of ours.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def main(arguments: list[str]) -> None:
    parent, memory, cpu_s, file_bytes = (int(each) for each in arguments[:4])
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) or libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it died before the line above
        sys.exit("the parent is gone")
    limits = (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    )
    for limit, value in limits:
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    os.execv(arguments[4], arguments[4:])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
