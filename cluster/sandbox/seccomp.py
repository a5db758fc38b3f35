"""The filter on system calls, written as the classic BPF program that the kernel takes (seccomp(2)), and as OCI's form.

The program is ours, so that what filters does not depend on a library of the machine. What is not allowed fails with
EPERM, newer calls with ENOSYS; a call by another architecture's numbers (32-bit, x32) ends the process, since the
numbers of this list would mean something else there.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
from collections.abc import Iterator
from typing import Any

from cluster.sandbox.syscalls import ALLOWED, FIRST_OF_THE_NEW, RULES

# linux/audit.h, and the column of the numbers.
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_X32_BIT = 0x40000000

# struct seccomp_data: nr, arch, instruction_pointer, args[6]; the lower half of an argument comes first (little endian).
_NR, _ARCH, _ARGS = 0, 4, 16
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000  # SECCOMP_RET_KILL_PROCESS, …_ERRNO, …_ALLOW

Instruction = tuple[int, int, int, int]


def program(machine: str | None = None) -> bytes:
    """The filter for a machine (`platform.machine()`): an array of struct sock_filter. Raises KeyError for others."""
    audit, column = ARCHITECTURES[machine or platform.machine()]
    return b"".join(struct.pack("=HBBI", *each) for each in _instructions(audit, column))


def program_fd() -> int:
    """A descriptor to read the program from, once: for bwrap's `--seccomp`."""
    read, write = os.pipe()
    try:
        os.write(write, program())  # less than a page: it fits the pipe
    finally:
        os.close(write)
    return read


def oci() -> dict[str, Any]:
    """The same list as `linux.seccomp` of an OCI bundle."""
    rules: list[dict[str, Any]] = [{"names": sorted(ALLOWED), "action": "SCMP_ACT_ALLOW"}]
    for rule in RULES:
        for value in rule.values:
            condition = {"index": rule.argument, "value": value, "op": "SCMP_CMP_EQ"}
            rules.append({"names": [rule.name], "action": "SCMP_ACT_ALLOW", "args": [condition]})
    # Without a tracer, SCMP_ACT_TRACE is ENOSYS, which makes libraries fall back to clone; gVisor's releases know no other
    # way to say it for one call alone.
    rules.append({"names": ["clone3"], "action": "SCMP_ACT_TRACE"})
    names = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": [names[platform.machine()]],
        "syscalls": rules,
    }


def _instructions(audit: int, column: int) -> Iterator[Instruction]:
    """Each test skips one instruction where it fails, so that no jump grows with the list."""
    yield (_LOAD, 0, 0, _ARCH)
    yield (_EQUAL, 1, 0, audit)
    yield (_RETURN, 0, 0, _KILL)
    yield (_LOAD, 0, 0, _NR)
    yield (_AT_LEAST, 0, 1, _X32_BIT)
    yield (_RETURN, 0, 0, _KILL)
    for numbers in ALLOWED.values():
        number = numbers[column]
        if number is not None:
            yield (_EQUAL, 0, 1, number)
            yield (_RETURN, 0, 0, _ALLOW)
    for rule in RULES:
        count = len(rule.values)
        # Not this call: over the load, two instructions for each value, and the refusal.
        yield (_EQUAL, 0, 2 * count + 2, rule.numbers[column])
        yield (_LOAD, 0, 0, _ARGS + 8 * rule.argument)
        for value in rule.values:
            yield (_EQUAL, 0, 1, value)
            yield (_RETURN, 0, 0, _ALLOW)
        yield (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    yield (_AT_LEAST, 0, 1, FIRST_OF_THE_NEW)
    yield (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)
    yield (_RETURN, 0, 0, _ERRNO | errno.EPERM)
