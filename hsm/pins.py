"""PIN files: one line, readable by its owner alone."""

import os
import secrets
import stat
from pathlib import Path

from hsm.errors import HsmPinRefused
from hsm.private import create_private

PIN_MAX = 255
"""Bytes; SoftHSM's own limit, and more than any other token takes."""

_PIN_BYTES = 16  # of randomness: a PIN nobody types may as well be as strong as a key


def create_pin(path: Path) -> Path:
    """Write a random PIN into a file readable by its owner alone; one that exists is kept as it is."""
    create_private(path, secrets.token_hex(_PIN_BYTES) + "\n")
    return path


def read_pin(path: Path) -> str:
    """The PIN in a file of one line; `HsmPinRefused` when there is none or others could read it too."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(PIN_MAX + 2)
    except OSError as error:
        raise HsmPinRefused(
            f"Expected a PIN file at {path}, got: {error.strerror}. Create it, mode 0600, holding the PIN alone."
        ) from error
    if mode & stat.S_IRWXO:
        raise HsmPinRefused(f"Expected {path} readable by its owner alone, got mode {mode:04o}. Run chmod 600.")
    pin = content.rstrip(b"\r\n")
    if not pin or len(pin) > PIN_MAX:
        raise HsmPinRefused(f"Expected a PIN of 1 to {PIN_MAX} bytes in {path}, got {len(pin)} bytes.")
    try:
        return pin.decode()
    except UnicodeDecodeError as error:
        raise HsmPinRefused(f"Expected a PIN in UTF-8 in {path}, got other bytes. Write the file anew.") from error
