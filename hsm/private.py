"""What nobody else may read: files that only their owner opens, and the memory of this process."""

import ctypes
import os
import resource
import sys
from pathlib import Path

_PR_SET_DUMPABLE = 4  # prctl(2)


def create_private(path: Path, text: str, *, keep: bool = False) -> None:
    """Write `text` into a new file of mode 0600, its directory 0700.

    One that exists is kept as it is where it may be (`keep`), and is `FileExistsError` otherwise. The mode is given at
    creation: a file made first and restricted after could be opened in between.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if keep:
            return
        raise
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def conceal() -> None:
    """Keep the memory of this process out of core dumps and from other processes of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
