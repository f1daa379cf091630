"""The filter of system calls as the kernel takes it: a program for its packet filter (seccomp(2), linux/filter.h)."""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterator, Mapping
from typing import Final

from idverify.sandbox import syscalls
from idverify.sandbox.jobs import Pool

_INSTRUCTION: Final = struct.Struct("=HBBI")  # struct sock_filter: code, jump if true, jump if false, k
# BPF_LD|BPF_W|BPF_ABS; BPF_JMP|BPF_JEQ|BPF_K; BPF_JMP|BPF_JSET|BPF_K; BPF_RET|BPF_K
_LOAD, _IF_EQUAL, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
# SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with its number
_KILL, _ALLOW = 0x8000_0000, 0x7FFF_0000
_REFUSE, _ABSENT = 0x0005_0000 | errno.EPERM, 0x0005_0000 | errno.ENOSYS
# struct seccomp_data: the call's number, AUDIT_ARCH, where it came from, six arguments of 64 bits
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

Instruction = tuple[int, int, int, int]
Numbers = Mapping[str, tuple[int, int]]


def program(pool: Pool, machine: str = "") -> bytes:
    """The filter of a pool's workers. Raises ``OSError`` on a machine whose numbers are not known here."""
    name = machine or platform.machine()
    known = syscalls.MACHINES.get(name)
    if known is None:
        raise OSError(f"Workers are confined on {' and '.join(syscalls.MACHINES)} alone; this is {name}.")
    instructions: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, known.audit),
        (_RETURN, 0, 0, _KILL),  # a second set of numbers, for programs of another width
        (_LOAD, 0, 0, _NUMBER),
    ]
    for step in _steps(pool, known.column):
        instructions.extend(step)
    instructions.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(_INSTRUCTION.pack(*one) for one in instructions)


def _steps(pool: Pool, column: int) -> Iterator[list[Instruction]]:
    """One call after another: those that are made most come first."""
    allow = (_RETURN, 0, 0, _ALLOW)
    plain = syscalls.ALWAYS if pool is Pool.READING else {**syscalls.ALWAYS, **syscalls.FILES, **syscalls.THREADS}
    for number in _numbers(plain, column):
        yield [(_IF_EQUAL, 0, 1, number), allow]
    for number in _numbers(syscalls.PROTECTIONS, column):
        yield _unless(number, syscalls.PROTECTION_ARGUMENT, syscalls.PROT_EXEC)
    for number in _numbers(syscalls.SENDING, column):
        yield [
            (_IF_EQUAL, 0, 6, number),
            (_LOAD, 0, 0, _ARGUMENTS + 8 * syscalls.ADDRESS_ARGUMENT),
            (_IF_EQUAL, 0, 3, 0),
            (_LOAD, 0, 0, _ARGUMENTS + 8 * syscalls.ADDRESS_ARGUMENT + 4),
            (_IF_EQUAL, 0, 1, 0),
            allow,
            (_RETURN, 0, 0, _REFUSE),
        ]
    if pool is Pool.MAKING:
        for number in _numbers(syscalls.CLONING, column):
            yield [
                (_IF_EQUAL, 0, 5, number),
                (_LOAD, 0, 0, _ARGUMENTS + 8 * syscalls.CLONE_FLAGS),
                (_IF_ANY_BIT, 2, 0, syscalls.NEW_NAMESPACES),
                (_IF_ANY_BIT, 0, 1, syscalls.CLONE_THREAD),
                allow,
                (_RETURN, 0, 0, _REFUSE),
            ]
        for number in _numbers(syscalls.CLONING_3, column):
            yield [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ABSENT)]
        for numbers, flags in syscalls.OPENING.values():
            if numbers[column] >= 0:
                yield _unless(numbers[column], flags, syscalls.WRITING)


def _unless(number: int, argument: int, bits: int) -> list[Instruction]:
    """Allow this call, unless an argument has one of these bits. Both machines have the low half first."""
    return [
        (_IF_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
        (_IF_ANY_BIT, 1, 0, bits),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]


def _numbers(calls: Numbers, column: int) -> Iterator[int]:
    return (numbers[column] for numbers in calls.values() if numbers[column] >= 0)
