"""The fork guard in a file of its own: the checkpoint signed last, in a directory that backups leave out."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.guard import require_untouched

# Cache Directory Tagging Specification: tar --exclude-caches, borg, restic and others leave such a directory out.
TAG: Final = "CACHEDIR.TAG"
SIGNATURE: Final = "Signature: 8a477f597d28d172789f06886806bc55\n"
WHY: Final = (
    "# What lies here tells a restored database from a current one, so it must never come back from a backup.\n"
)


class GuardFile:
    """``ledger.guard.Guard``: three lines, replaced whole; file and directory are flushed before a write returns.

    Processes that share the file take turns, by a lock on its directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: Checkpoint | None = None

    async def read(self) -> Checkpoint | None:
        """What was remembered last. Raises ``MalformedError`` or ``OSError`` if that cannot be told."""
        self._known = await asyncio.to_thread(self._read)
        return self._known

    async def write(self, checkpoint: Checkpoint) -> None:
        """Remember this one. Raises ``FencedError`` if another process wrote meanwhile."""
        await asyncio.to_thread(self._write, checkpoint)

    def _read(self) -> Checkpoint | None:
        try:
            return Checkpoint.parse(self.path.read_bytes())
        except FileNotFoundError:
            return None

    def _write(self, checkpoint: Checkpoint) -> None:
        try:
            self._replace(checkpoint)
        except OSError as error:  # a write that fails does not say of which file
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def _replace(self, checkpoint: Checkpoint) -> None:
        with _locked(self._folder()) as descriptor:
            require_untouched(self._read(), self._known, checkpoint)
            unfinished = self.path.with_name(f"{self.path.name}.new")
            with unfinished.open("wb") as file:
                file.write(checkpoint.text())
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self.path)
            os.fsync(descriptor)
        self._known = checkpoint

    def _folder(self) -> Path:
        folder = self.path.parent
        if not (folder / TAG).exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / TAG).write_text(SIGNATURE + WHY)
            with _locked(folder.parent) as above:
                os.fsync(above)
        return folder


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
