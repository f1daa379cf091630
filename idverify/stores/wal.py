"""The write-ahead log: written anew at the start, and moved into the database file beside the commits.

A commit that has to move it itself (SQLite's default) keeps its callers waiting for tens of milliseconds.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

CHECKPOINT_SECONDS: Final = 1.0
PAGES_AT_MOST: Final = 16_000
"""Pages of 4 KiB in the log at which a commit does it after all: where writes never pause, the log must not grow on."""


_AT_ONCE: Final = 1024 * 1024


def write_anew(path: Path) -> None:
    """Write the database's write-ahead log once more, byte for byte, and flush it.

    For a process that starts where another one may have died of a failed flush: what it could not flush the kernel
    shows to every reader and never writes again, so it would count as committed and be gone after the next loss of
    power. Nobody else writes meanwhile. Raises ``OSError`` if it cannot be flushed now, either.
    """
    wal = path.with_name(f"{path.name}-wal")
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        if wal.exists():
            _rewrite(wal)


def _rewrite(path: Path) -> None:
    with path.open("r+b") as file:
        at = 0
        while part := os.pread(file.fileno(), _AT_ONCE, at):
            at += os.pwrite(file.fileno(), part, at)
        os.fsync(file.fileno())


class WalMover(threading.Thread):
    """Moves on a connection of its own what was committed, as often as ``seconds``, until ``stop``.

    ``committed`` counts commits; None once the driver stopped for good, and then nothing is moved either. An error is
    no loss: what is in the log is durable there, and is tried again.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        committed: Callable[[], int | None],
        seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        super().__init__(name="idverify-wal", daemon=True)
        self._connection, self._committed, self._seconds = connection, committed, seconds
        self._moved: int | None = 0
        self._told = threading.Event()

    def stop(self) -> None:
        """Finish what is being moved, and end."""
        self._told.set()
        self.join()

    def run(self) -> None:
        """Wait and move, until told to stop."""
        while not self._told.wait(self._seconds):
            self.move()
        self._connection.close()

    def move(self) -> None:
        """Move what was committed since the last time, if anything was."""
        committed = self._committed()
        if committed is not None and committed != self._moved:
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                self._moved = committed
