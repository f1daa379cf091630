"""A published tree in a directory."""

from __future__ import annotations

import errno
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
        self._folders: dict[str, str] = {}

    def read(self, path: str) -> bytes | None:
        """The content of a file; what is there and no regular file is no file of the tree."""
        limit = size_limit(path)
        folder, _, name = path.rpartition("/")
        try:
            try:
                return _content(f"{self._folder(folder)}/{name}", limit)
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
                return _content(self._inside(path), limit)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unavailable(f"{path} in {self._root} cannot be read: {error.strerror}.") from error

    def read_many(self, paths: Iterable[str]) -> Iterator[bytes | None]:
        """One after the other: a disk reads ahead by itself."""
        return map(self.read, paths)

    def _folder(self, folder: str) -> str:
        """Where a folder is, looked up once: a tree has one for each thousand files."""
        if folder not in self._folders:
            self._folders[folder] = self._inside(folder)
        return self._folders[folder]

    def _inside(self, path: str) -> str:
        place = os.path.realpath(f"{self._root}/{path}")
        if not f"{place}/".startswith(f"{self._root.rstrip('/')}/"):
            raise Unavailable(f"{path} leads out of {self._root}; the audit reads nothing outside.")
        return place


def _content(place: str, limit: int) -> bytes | None:
    # Without waiting: a pipe in the place of a file would never open.
    handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        data = b""
        while len(data) <= limit and (piece := os.read(handle, limit + 1 - len(data))):
            data += piece
        return data
    finally:
        os.close(handle)
