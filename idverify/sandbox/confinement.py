"""What a worker gives up before it meets a document.

First limits, then no new privileges, then a filter of system calls: what is not in ``syscalls.ALLOWED`` fails with
EPERM. There is no socket to be had, no other program, no process and no thread, and nothing to write to but the answer.
Workers of ``reading`` open no file either. Those of ``making`` open files to read (fonts, profiles), where the kernel
has Landlock only in the folders where such things are.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path
from typing import Final

from idverify.sandbox.filter import program
from idverify.sandbox.jobs import Pool
from idverify.sandbox.landlock import read_only_beneath

_FILES: Final = {Pool.READING: 16, Pool.MAKING: 64}
_NICE: Final = {Pool.READING: 5, Pool.MAKING: 10}  # the service answers first, whatever is made beside it

# prctl(2)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER: Final = 2


class _Program(ctypes.Structure):
    """``struct sock_fprog`` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def harden(parent: int) -> None:
    """End with the service, leave it the decision when, keep documents out of core dumps, and die first for memory."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("The service ended before this worker had begun.")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # a wish: some containers show /proc read-only
        Path("/proc/self/oom_score_adj").write_text("1000")
    _prctl(_PR_SET_DUMPABLE, 0)


def confine(pool: Pool, descriptor: int) -> bool:
    """All of it, for good; whether that includes Landlock where files can be opened.

    Raises ``OSError`` where the kernel does not take the rest: then nothing is read here.
    """
    if (threads := len(list(Path("/proc/self/task").iterdir()))) != 1:  # a filter binds the thread that asks for it
        raise OSError(f"A worker must have one thread when it is confined; it has {threads}.")
    os.nice(_NICE[pool])
    _close_all_but(descriptor)
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _FILES[pool]),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(limit, (value, value))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    wholly = read_only_beneath() if pool is Pool.MAKING else True
    instructions = program(pool)
    filtered = _Program(len(instructions) // 8, instructions)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(filtered))
    return wholly


def _close_all_but(descriptor: int) -> None:
    """Standard error too: a worker that is taken over shall not write our log."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, 1 << 16)


def _prctl(option: int, argument: int, second: int = 0) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(option, ctypes.c_ulong(argument), ctypes.c_ulong(second), zero, zero) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
