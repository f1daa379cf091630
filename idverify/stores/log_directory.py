"""A directory as the place where the published log is kept: any web server serves it as it lies there."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from idverify.errors import SetupError
from idverify.ledger.errors import ForkError
from idverify.ledger.export import Stored

LOCK: Final = ".lock"
_UNFINISHED: Final = ".new"  # at the end of a name that no published file has


class LogDirectory:
    """``ledger.export.LogSink``: a file is written beside its place, flushed, put there, and its directory flushed.

    Use it as a context manager: it holds the directory, so that nobody else writes there meanwhile.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = -1

    def __enter__(self) -> Self:
        """Hold the directory. Raises ``SetupError`` if another process does."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise SetupError(f"Another process exports to {self.root}.", "Stop it, or choose another.") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let go of it."""
        os.close(self._lock)

    async def read(self, path: str) -> Stored | None:
        """The file at ``path``."""
        content = await asyncio.to_thread(_content, self.root / path)
        return None if content is None else Stored(content, _version(content))

    async def add(self, path: str, content: bytes) -> bool:
        """Write a file once. Raises ``ForkError`` where it is there with other bytes."""
        there = await asyncio.to_thread(_content, self.root / path)
        if there is None:
            await asyncio.to_thread(_write, self.root / path, content)
        elif there != content:
            raise ForkError(f"{path}: other bytes are in {self.root}")
        return there is None

    async def replace(self, path: str, content: bytes, seen: Stored | None) -> bool:
        """Write the file if it still is what was ``seen``."""
        there = await self.read(path)
        if (there and there.version) != (seen and seen.version):
            return False
        await asyncio.to_thread(_write, self.root / path, content)
        return True

    async def drop(self, folder: str) -> None:
        """Delete a folder with all in it."""
        if (self.root / folder).is_dir():
            await asyncio.to_thread(shutil.rmtree, self.root / folder)


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(file: Path, content: bytes) -> None:
    _make_folder(file.parent)
    unfinished = file.with_name(file.name + _UNFINISHED)
    with unfinished.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    unfinished.rename(file)
    _flush_folder(file.parent)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each entry flushed."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
