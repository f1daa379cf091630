"""The system calls that a confined worker may make; all others fail. Numbers of the kernel's tables, per machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_NONE: Final = -1  # the machine does not have it


@dataclass(frozen=True, slots=True)
class Machine:
    """AUDIT_ARCH of linux/audit.h, and which column of the tables below is its own."""

    audit: int
    column: int


MACHINES: Final[Mapping[str, Machine]] = {
    "x86_64": Machine(0xC000_003E, 0),
    "aarch64": Machine(0xC000_00B7, 1),
}

# name: (x86_64, aarch64)
ALWAYS: Final[Mapping[str, tuple[int, int]]] = {
    # bytes through the socket, and through what is open
    "read": (0, 63),
    "readv": (19, 65),
    "pread64": (17, 67),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "recvfrom": (45, 207),
    # memory
    "munmap": (11, 215),
    "mremap": (25, 216),
    "brk": (12, 214),
    "madvise": (28, 233),
    # time, chance, and who one is
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, _NONE),
    "getrandom": (318, 278),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "getrusage": (98, 165),
    "times": (100, 153),
    "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124),
    # signals to oneself, locks, and the end
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "futex": (202, 98),
    "restart_syscall": (219, 128),
    "exit": (60, 93),
    "exit_group": (231, 94),
}

# Files, to be read: for workers of ``making`` alone.
FILES: Final[Mapping[str, tuple[int, int]]] = {
    "stat": (4, _NONE),
    "lstat": (6, _NONE),
    "access": (21, _NONE),
    "readlink": (89, _NONE),
    "readlinkat": (267, 78),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "statfs": (137, 43),
    "fstatfs": (138, 44),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    "dup": (32, 23),
    "fadvise64": (221, 223),
}

# Threads, which Pango looks for fonts with: for workers of ``making`` alone. What they start is a thread of the same
# process, under the same filter. glibc asks for clone3 first, whose flags no filter can see.
THREADS: Final[Mapping[str, tuple[int, int]]] = {
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "membarrier": (324, 283),
}
CLONING: Final = {"clone": (56, 220)}
CLONING_3: Final = {"clone3": (435, 435)}
CLONE_FLAGS: Final = 0
CLONE_THREAD: Final = 0x0001_0000
# CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET, of linux/sched.h
NEW_NAMESPACES: Final = 0x0000_0080 | 0x0002_0000 | 0x0200_0000 | 0x7C00_0000

# Memory that may hold code is not made any more.
PROTECTIONS: Final[Mapping[str, tuple[int, int]]] = {"mmap": (9, 222), "mprotect": (10, 226)}
PROTECTION_ARGUMENT: Final = 2
PROT_EXEC: Final = 4

# Only to whom the socket is connected: without an address.
SENDING: Final = {"sendto": (44, 206)}
ADDRESS_ARGUMENT: Final = 4

# name: ((x86_64, aarch64), which argument the flags are)
OPENING: Final[Mapping[str, tuple[tuple[int, int], int]]] = {
    "open": ((2, _NONE), 1),
    "openat": ((257, 56), 2),
}
# O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND and O_TMPFILE, of asm-generic/fcntl.h
WRITING: Final = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000
