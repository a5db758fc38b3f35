"""Becomes another program whose life is tied to its starter's: `python -I -S tied.py PARENT PROGRAM ARGS…`.

The kernel kills it when the thread that started it ends. That is asked for here, in a fresh process, and not in
`preexec_fn`: between fork and exec of a process with threads (every Ray worker has some) Python code may hang.
Standard library only, no imports of ours.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def main(arguments: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) or libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(arguments[0]):  # it died before the line above
        sys.exit("the parent is gone")
    os.execv(arguments[1], arguments[1:])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
