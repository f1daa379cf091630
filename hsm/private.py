"""Files that only their owner may read."""

import os
from pathlib import Path


def create_private(path: Path, text: str) -> None:
    """Write `text` into a new file of mode 0600, its directory 0700; a file that exists is kept as it is.

    The mode is given at creation: a file made first and restricted after could be opened in between.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
