"""Letters made at full rate by a service that verifies: what that does to whoever waits for a verdict.

A batch of letters goes through the whole service: copies, both signatures, drawing and signing in workers, and commits.
It is never empty while answers are timed; each time begins after one of its letters is made and ends before another.
"""

from __future__ import annotations

import asyncio
import base64
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from hsm.rows import Row, row
from idverify.app.bench.deployment import DETAILS, deploy
from idverify.app.bench.effort import Effort
from idverify.app.bench.meanwhile import AT_MOST_TWICE, CONNECTIONS, UNIT, told, verified_meanwhile
from idverify.app.bench.printing import AHEAD
from idverify.app.bench.programs import Program
from idverify.config import DATABASE
from idverify.stores.sqlite import connect

_HOLDERS: Final = 2 * AHEAD
_PATIENCE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1
_MADE: Final = "SELECT count(*) FROM letter WHERE made_at IS NOT NULL"
_OPEN: Final = """SELECT count(*) FROM letter_order o LEFT JOIN letter l ON l.id = o.letter_id
                  WHERE o.state <> 'failed' AND l.made_at IS NULL"""


async def measure(effort: Effort) -> list[Row]:
    """The one row: p99 of the answers beside a batch of letters that does not end."""
    portrait = files("idverify.app").joinpath("portraits", "nia.jpg").read_bytes()
    picture = "data:image/jpeg;base64," + base64.b64encode(portrait).decode()
    with tempfile.TemporaryDirectory(prefix="idverify-bench-") as name:
        directory = Path(name)
        deployment = await deploy(directory / "data", _HOLDERS, DETAILS | {"picture": picture})
        room = _PrintRoom(deployment.config.data / DATABASE)
        pairs = await verified_meanwhile(directory, deployment, effort, "idverify.app.bench.printing", room.at_work)
    limit = f"the same service and requests without letters; with them, {room.rate:.1f} letters a second"
    return [row(f"HTTP verify, {CONNECTIONS} connections, while letters are made", UNIT, limit, AT_MOST_TWICE, pairs)]


@dataclass
class _PrintRoom:
    """What the database of a service says of its letters."""

    database: Path
    _made: int = 0
    _seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Letters made per second, while answers were timed."""
        return self._made / self._seconds

    @asynccontextmanager
    async def at_work(self, service: Program) -> AsyncIterator[None]:
        """From one letter that is made to another, so that the room never rests between; then until none is left."""
        before = self._count(_MADE)
        async with told(service):
            await self._until(lambda: self._count(_MADE) > before)
            first, started = self._count(_MADE), time.monotonic()
            yield
            await self._until(lambda: self._count(_MADE) > first)
        self._made += self._count(_MADE) - first
        self._seconds += time.monotonic() - started
        await self._until(lambda: self._count(_OPEN) == 0)

    def _count(self, query: str) -> int:
        with closing(connect(self.database, read_only=True)) as database:
            return int(database.execute(query).fetchone()[0])

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not holds():  # noqa: ASYNC110  another process writes there
                await asyncio.sleep(_LOOK_SECONDS)
