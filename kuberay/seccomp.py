"""The filter on system calls under which builders run, as a file for the kubelet of their nodes.

bubblewrap makes namespaces and mounts in them, which the filter of container runtimes forbids to pods without privileges. The
builders' pods have a user namespace of their own (`hostUsers: false`), in which that reaches nothing of the node's, so their
filter forbids by name what a kernel offers that neither Ray nor a decoder needs, and lets the rest pass. The sandbox inside
has a list of its own of what is allowed (`cluster/sandbox/syscalls.py`).
"""

from __future__ import annotations

import json
from typing import Any

FORBIDDEN = {
    "the kernel itself": (
        "bpf", "create_module", "delete_module", "finit_module", "init_module", "get_kernel_syms", "query_module",
        "kexec_file_load", "kexec_load", "reboot", "lookup_dcookie", "syslog", "uselib", "_sysctl", "sysfs", "ustat",
    ),
    "other processes and their memory": (
        "kcmp", "perf_event_open", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace", "userfaultfd",
    ),
    "files around names": ("fanotify_init", "name_to_handle_at", "open_by_handle_at"),
    "keys of the kernel": ("add_key", "keyctl", "request_key"),
    "rings that other filters do not see": ("io_uring_enter", "io_uring_register", "io_uring_setup"),
    "devices, clocks, quotas and accounting of the node": (
        "acct", "adjtimex", "clock_adjtime", "clock_settime", "ioperm", "iopl", "nfsservctl", "quotactl", "quotactl_fd",
        "settimeofday", "stime", "swapoff", "swapon", "vhangup", "vm86", "vm86old",
    ),
    "memory of other nodes": ("mbind", "migrate_pages", "move_pages", "set_mempolicy", "set_mempolicy_home_node"),
    "the newer calls for mounts, which bubblewrap has no use for": (
        "fsconfig", "fsmount", "fsopen", "fspick", "mount_setattr", "move_mount", "open_tree",
    ),
}  # fmt: skip
"""By what it would reach."""
NEEDED = ("clone", "unshare", "mount", "umount2", "pivot_root", "setns", "prctl", "seccomp")
"""What bubblewrap uses and the runtime's own filter forbids, or might."""


def profile() -> dict[str, Any]:
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [
            {"names": sorted(calls), "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "comment": f"No way to {reached}."}
            for reached, calls in FORBIDDEN.items()
        ],
    }


def as_json() -> str:
    return json.dumps(profile(), indent=2) + "\n"
