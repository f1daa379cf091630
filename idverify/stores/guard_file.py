"""The fork guard in a file of its own: the checkpoint signed last, in a directory that backups leave out."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from idverify.ledger.checkpoint import Checkpoint

# Cache Directory Tagging Specification: tar --exclude-caches, borg, restic and others leave such a directory out.
TAG: Final = "CACHEDIR.TAG"
SIGNATURE: Final = "Signature: 8a477f597d28d172789f06886806bc55\n"
WHY: Final = (
    "# What lies here tells a restored database from a current one, so it must never come back from a backup.\n"
)


class GuardFile:
    """``ledger.guard.Guard``: three lines, replaced whole; file and directory are flushed before a write returns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def read(self) -> Checkpoint | None:
        """What was remembered last. Raises ``MalformedError`` or ``OSError`` if that cannot be told."""
        return await asyncio.to_thread(self._read)

    async def write(self, checkpoint: Checkpoint) -> None:
        """Remember this one."""
        await asyncio.to_thread(self._write, checkpoint.text())

    def _read(self) -> Checkpoint | None:
        try:
            return Checkpoint.parse(self.path.read_bytes())
        except FileNotFoundError:
            return None

    def _write(self, text: bytes) -> None:
        folder = self.path.parent
        if not (folder / TAG).exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / TAG).write_text(SIGNATURE + WHY)
        unfinished = self.path.with_name(f"{self.path.name}.new")
        with unfinished.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(self.path)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
