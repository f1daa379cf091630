"""PIN files: one line, readable by its owner alone, and read by the signer process alone.

The asyncio client looks at the file from outside (`look_at`): a PIN that a process never reads cannot be found in
its memory.
"""

import os
import secrets
import stat
from pathlib import Path

from hsm.errors import HsmPinMissing
from hsm.private import create_private

PIN_MAX = 255
"""Bytes; SoftHSM's own limit, and more than any other token takes."""

_PIN_BYTES = 16  # of randomness: a PIN nobody types may as well be as strong as a key
_OWN_DESCRIPTORS = ("/dev/fd/", "/proc/self/fd/")


def create_pin(path: Path) -> Path:
    """Write a random PIN into a file readable by its owner alone; one that exists is kept as it is."""
    create_private(path, secrets.token_hex(_PIN_BYTES) + "\n", keep=True)
    return path


def read_pin(path: Path) -> str:
    """The PIN in a file of one line; `HsmPinMissing` when there is none or others could read it too."""
    try:
        with path.open("rb") as file:
            _require_private(path, os.fstat(file.fileno()))
            content = file.read(PIN_MAX + 2)
    except OSError as error:
        raise _unreadable(path, error) from error
    pin = content.rstrip(b"\r\n")
    if not pin or len(pin) > PIN_MAX:
        raise HsmPinMissing(f"Expected a PIN of 1 to {PIN_MAX} bytes in {path}, got {len(pin)} bytes. Write it anew.")
    if any(separator in pin for separator in b"\r\n\0"):
        raise HsmPinMissing(f"Expected one line in {path}, the PIN alone, got more. Write the file anew.")
    try:
        return pin.decode()
    except UnicodeDecodeError:
        # without its cause, which shows the bytes
        raise HsmPinMissing(f"Expected a PIN in UTF-8 in {path}, got other bytes. Write the file anew.") from None


Sight = tuple[int, int, int, int]
"""Device, inode, time of the last change in nanoseconds, size: another file or content, another sight."""


def look_at(path: Path) -> Sight:
    """What a PIN file looks like from outside; `HsmPinMissing` when there is none or others could read it too."""
    try:
        seen = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    _require_private(path, seen)
    return seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size


def as_children_see_it(path: Path) -> str:
    """The absolute path under which a child process finds the file, which may be an open one of this process."""
    absolute = os.path.abspath(path)  # noqa: PTH100 resolving would lose a file that has no name any more
    for own in _OWN_DESCRIPTORS:
        if absolute.startswith(own):
            return f"/proc/{os.getpid()}/fd/{absolute.removeprefix(own)}"
    return absolute


def _require_private(path: Path, seen: os.stat_result) -> None:
    """A group may read it where it is meant to, as credentials of a service manager are; nobody else may change it."""
    mode = stat.S_IMODE(seen.st_mode)
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise HsmPinMissing(f"Expected {path} readable by its owner alone, got mode {mode:04o}. Run chmod 600.")
    if seen.st_uid not in {0, os.geteuid()}:
        raise HsmPinMissing(
            f"Expected {path} to belong to this user or to root, got user {seen.st_uid}, who could exchange the PIN. "
            "Run chown."
        )


def _unreadable(path: Path, error: OSError) -> HsmPinMissing:
    return HsmPinMissing(
        f"Expected a PIN file at {path}, got: {error.strerror}. Create it, mode 0600, holding the PIN alone."
    )
