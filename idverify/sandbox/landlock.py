"""Landlock (Linux 5.13 and later): a worker that makes documents reads where fonts and programs are, and nowhere else.

So it reads neither the database nor the file of a PIN, though it runs as the user whose they are. Where the kernel has
no Landlock this is not given; ``confinement`` says what is left.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path
from typing import Final

# landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2): the same numbers on every machine
_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_CREATE_RULESET_VERSION, _RULE_PATH_BENEATH = 1, 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_ALL_OF_VERSION_1: Final = (1 << 13) - 1
_ABSENT: Final = (errno.ENOSYS, errno.EOPNOTSUPP)


class _Ruleset(ctypes.Structure):
    """``struct landlock_ruleset_attr`` as of the first version."""

    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    """``struct landlock_path_beneath_attr``."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def readable() -> list[Path]:
    """Where programs, their data and fonts are."""
    package = Path(__file__).resolve().parent.parent
    places = [package, Path(sys.prefix), Path(sys.base_prefix), Path("/usr"), Path("/lib"), Path("/lib64")]
    places += [Path("/etc/fonts"), Path("/var/cache/fontconfig"), Path("/etc/ld.so.cache"), Path(os.devnull)]
    home = os.environ.get("HOME")
    cache = os.environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else None)
    if cache:
        places.append(Path(cache) / "fontconfig")
    return [place for place in places if place.exists()]


def version() -> int:
    """Which version of Landlock the kernel has; 0 for none. Raises ``OSError``."""
    libc = ctypes.CDLL(None, use_errno=True)
    found: int = libc.syscall(_CREATE, None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION)
    if found >= 0:
        return found
    if ctypes.get_errno() in _ABSENT:
        return 0
    raise _failed()


def read_only_beneath() -> bool:
    """Bind this thread to reading beneath ``readable``; whether the kernel could. Raises ``OSError``."""
    if not version():
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    rules = _Ruleset(_ALL_OF_VERSION_1)
    ruleset = libc.syscall(_CREATE, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    if ruleset < 0:
        raise _failed()
    for place in readable():
        descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
        access = _READ_FILE | _READ_DIR if place.is_dir() else _READ_FILE
        beneath = _Beneath(access, descriptor)
        if libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(beneath), 0) < 0:
            raise _failed()
        os.close(descriptor)
    if libc.syscall(_RESTRICT, ruleset, 0) < 0:
        raise _failed()
    os.close(ruleset)
    return True


def _failed() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"Landlock: {os.strerror(number)}")
