"""Which PIN a token refused, noted beside the PIN file, so that no restart of any program tries it again.

A token counts wrong PINs and locks after a few. A service manager that restarts a service with a wrong PIN would
spend them in seconds, and not every token says that it is about to lock. The note is about one token and one PIN:
a file written anew with the same PIN is the same attempt; another PIN is not. It holds a salted scrypt digest
(RFC 7914), never the PIN, and means nothing without the PIN file next to which it lies.
"""

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from hsm.private import create_private

_SALT_SIZE = 16
_N, _R, _P = 2**14, 8, 1  # 16 MiB and tens of milliseconds, spent only where a refusal is noted


def note_beside(pin_file: Path, label: str) -> Path:
    """Where a refusal by this token is noted. Its serial is no part of that: not everybody who asks names it."""
    token = hashlib.sha256(label.encode()).hexdigest()[:8]
    return pin_file.with_name(f"{pin_file.name}.{token}.refused").absolute()


def is_noted(note: Path, pin: str) -> bool:
    """Whether this PIN is the one that was refused; a note that is none says that it is."""
    try:
        salt, _, digest = note.read_text(encoding="ascii").strip().partition(" ")
        return secrets.compare_digest(bytes.fromhex(digest), _digest(pin, bytes.fromhex(salt)))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


def write(note: Path, pin: str) -> bool:
    """Note the refusal; False where the directory takes no file, as one of credentials may not."""
    salt = os.urandom(_SALT_SIZE)
    try:
        note.unlink(missing_ok=True)
        create_private(note, f"{salt.hex()} {_digest(pin, salt).hex()}\n")
    except OSError:
        return False
    return True


def forget(note: Path) -> None:
    """The token took a PIN. A note that cannot be removed is about another one, and changes nothing."""
    with contextlib.suppress(OSError):
        note.unlink(missing_ok=True)


def _digest(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=_N, r=_R, p=_P)
