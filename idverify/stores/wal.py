"""The write-ahead log, moved into the database file beside the commits and not within them.

A commit that has to do this itself (SQLite's default) keeps its callers waiting for tens of milliseconds.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

CHECKPOINT_SECONDS: Final = 1.0
PAGES_AT_MOST: Final = 16_000
"""Pages of 4 KiB in the log at which a commit does it after all: where writes never pause, the log must not grow on."""


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
