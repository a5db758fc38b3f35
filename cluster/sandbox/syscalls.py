"""The system calls that decoding needs, with their numbers: an allow-list found by tracing, in groups with a reason.

Traced: the interpreter's start, Pillow, PyAV and ffmpeg on every kind of media that the tests hold. What is not here is
refused. Notably absent: every socket, every new process, namespaces and mounts, other processes' memory, keys, bpf,
io_uring, userfaultfd, performance counters, shared memory and memory files (a process's limit of memory does not count
them), links, folders, changed modes and owners.
"""

from __future__ import annotations

from dataclasses import dataclass

# name → (x86_64, aarch64). The newer architecture never had the calls that have an …at form.
_READ_AND_WRITE: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "pread64": (17, 67), "pwrite64": (18, 68), "readv": (19, 65), "writev": (20, 66),
    "lseek": (8, 62), "close": (3, 57), "close_range": (436, 436), "open": (2, None), "openat": (257, 56),
    "stat": (4, None), "lstat": (6, None), "fstat": (5, 80), "newfstatat": (262, 79), "statx": (332, 291),
    "access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None),
    "readlinkat": (267, 78), "getdents64": (217, 61), "getcwd": (79, 17), "fcntl": (72, 25), "dup": (32, 23),
    "dup2": (33, None), "dup3": (292, 24), "fadvise64": (221, 223), "poll": (7, None), "ppoll": (271, 73),
}  # fmt: skip
# Results are written again and cut, and a half-made one goes; renaming is how encoders finish a file.
_RESULTS: dict[str, tuple[int | None, int | None]] = {
    "ftruncate": (77, 46), "unlink": (87, None), "unlinkat": (263, 35), "rename": (82, None), "renameat": (264, 38),
    "renameat2": (316, 276),
}  # fmt: skip
_MEMORY: dict[str, tuple[int | None, int | None]] = {
    "mmap": (9, 222), "munmap": (11, 215), "mprotect": (10, 226), "mremap": (25, 216), "brk": (12, 214),
    "madvise": (28, 233),
}  # fmt: skip
# Threads (see `clone` below) and signals within the one process; execve, since the waiting interpreter becomes ffmpeg.
_PROCESS: dict[str, tuple[int | None, int | None]] = {
    "futex": (202, 98), "set_robust_list": (273, 99), "get_robust_list": (274, 100), "rseq": (334, 293),
    "set_tid_address": (218, 96), "arch_prctl": (158, None), "exit": (60, 93), "exit_group": (231, 94),
    "execve": (59, 221), "sched_getaffinity": (204, 123), "sched_yield": (24, 124), "membarrier": (324, 283),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "tgkill": (234, 131), "restart_syscall": (219, 128), "getpid": (39, 172), "gettid": (186, 178),
    "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177),
}  # fmt: skip
# Limits can only be lowered: the sandbox has no capability to raise them.
_LIMITS_AND_TIME: dict[str, tuple[int | None, int | None]] = {
    "prlimit64": (302, 261), "getrlimit": (97, 163), "setrlimit": (160, 164), "getrusage": (98, 165),
    "times": (100, 153), "sysinfo": (99, 179), "uname": (63, 160), "getrandom": (318, 278),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "nanosleep": (35, 101),
    "gettimeofday": (96, 169), "time": (201, None),
}  # fmt: skip

ALLOWED = {**_READ_AND_WRITE, **_RESULTS, **_MEMORY, **_PROCESS, **_LIMITS_AND_TIME}


@dataclass(frozen=True)
class Rule:
    """A call that is allowed for some values of one argument only, compared in its lower 32 bits (all are `int`s)."""

    name: str
    numbers: tuple[int, int]
    argument: int
    values: tuple[int, ...]


RULES = (
    # What pthread_create of glibc and of musl asks for: threads, and never a process or a namespace.
    Rule("clone", (56, 220), 0, (0x003D0F00, 0x007D0F00)),
    # TCGETS, TIOCGWINSZ, FIONCLEX, FIOCLEX: is it a terminal, close on exec.
    Rule("ioctl", (16, 29), 1, (0x5401, 0x5413, 0x5450, 0x5451)),
    # PR_SET_NAME, PR_GET_NAME: the names of threads.
    Rule("prctl", (157, 167), 0, (15, 16)),
)

# From here on numbers are the same everywhere, and libraries know that a kernel may lack these calls: told so, they
# fall back (clone3 to clone). A refusal as forbidden they would take for an error.
FIRST_OF_THE_NEW = 424
