"""A published tree in a directory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from idverify.errors import Unavailable
from idverify.ledger.files import size_limit


class DirectoryFiles:
    """``LogFiles`` below a directory; a link that leads out of it is not followed."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)

    def read(self, path: str) -> bytes | None:
        """The content of a file; what is there and no regular file is no file of the tree."""
        limit = size_limit(path)
        place = os.path.realpath(f"{self._root}/{path}")
        if not place.startswith(self._root.rstrip(os.sep) + os.sep):
            raise Unavailable(f"{path} leads out of {self._root}; the audit reads nothing outside.")
        try:
            return _content(place, limit)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unavailable(f"{place} cannot be read: {error.strerror}.") from error

    def read_many(self, paths: Iterable[str]) -> Iterator[bytes | None]:
        """One after the other: a disk reads ahead by itself."""
        return map(self.read, paths)


def _content(place: str, limit: int) -> bytes | None:
    # Without waiting: a pipe in the place of a file would never open.
    handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with os.fdopen(handle, "rb", buffering=0, closefd=False) as file:
            return file.read(limit + 1)
    finally:
        os.close(handle)
