"""Where a log can be kept while processes die over it: in memory, with a standby, and in a real database."""

from __future__ import annotations

import copy
import dataclasses
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from idverify.ledger.errors import StorageError
from idverify.ledger.storage import LedgerStorage
from idverify.stores.ledger import StoredLedger
from idverify.stores.sqlite import SqliteStore
from idverify.stores.writes import Recorded, WriteSet
from tests.simulators.ledger_memory import LedgerMemory, draft


class Place(Protocol):
    """One log under several processes. Only whole calls are seen: what is committed is there, or not."""

    async def open(self) -> LedgerStorage:
        """The storage, as a process that just started has it."""

    async def close(self, storage: LedgerStorage) -> None:
        """That process is gone."""

    async def append(self, number: int, keys: list[bytes]) -> list[int]:
        """Commit one entry for each idempotency key, the first with the draft `number`; their indexes."""

    def leaves(self) -> list[bytes]:
        """The leaf hashes of what is committed, read past everything that is tested."""

    def signed_size(self) -> int:
        """Size of the latest checkpoint that is stored."""

    def back_up(self) -> Any:
        """A copy of all of it."""

    def restore(self, backup: Any) -> None:
        """Put a copy in its place, under whatever has it open."""


@dataclass
class KeyedMemory(LedgerMemory):
    """`LedgerMemory` with idempotency keys."""

    once: dict[bytes, int] = field(default_factory=dict)

    def append_once(self, number: int, keys: list[bytes]) -> list[int]:
        """One entry for each key that is new; the index of each."""
        for at, key in enumerate(keys):
            if key not in self.once:
                self.once[key] = self.state.size
                self.add(draft(number + at))
        return [self.once[key] for key in keys]

    def copy(self) -> KeyedMemory:
        """The same, apart from it."""
        kept = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return KeyedMemory(**{name: copy.copy(value) for name, value in kept.items()})


class InMemory:
    """A primary, with a standby that holds what was committed and waited for.

    `append_unreplicated` is what a client leaves behind that stops waiting for the standby: committed, visible, and
    gone after `fail_over`. Any commit that is waited for carries everything before it along.
    """

    def __init__(self) -> None:
        self.primary, self._standby = KeyedMemory(), KeyedMemory()
        self.waited_for = {"take_lease", "intend_checkpoint", "advance_checkpoint", "keep_quorum_checkpoint"}

    async def open(self) -> LedgerStorage:
        return _Connection(self)  # type: ignore[return-value]

    async def close(self, storage: LedgerStorage) -> None:
        pass

    async def append(self, number: int, keys: list[bytes]) -> list[int]:
        indexes = self.primary.append_once(number, keys)
        self.replicate()
        return indexes

    def append_unreplicated(self, number: int, keys: list[bytes]) -> None:
        """Commit entries on the primary alone."""
        self.primary.append_once(number, keys)

    def replicate(self) -> None:
        """The standby has everything."""
        self._standby = self.primary.copy()

    def fail_over(self) -> None:
        """The primary is lost, the standby takes its place under its address."""
        self.primary = self._standby.copy()

    def leaves(self) -> list[bytes]:
        return list(self.primary.leaves)

    def signed_size(self) -> int:
        return self.primary.notes[-1][0] if self.primary.notes else 0

    def back_up(self) -> KeyedMemory:
        return self._standby.copy()

    def restore(self, backup: KeyedMemory) -> None:
        self.primary, self._standby = backup.copy(), backup.copy()


class _Connection:
    """A connection to the primary, whichever that is at the moment of a call."""

    def __init__(self, place: InMemory) -> None:
        self._place = place

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*arguments: Any) -> Any:
            primary = self._place.primary
            if name == "intend_checkpoint":
                _, size, root, _ = arguments
                if primary.state.size < size or (primary.state.size == size and primary.state.root() != root):
                    raise StorageError(f"expected {size} entries with this root, there are {primary.state.size}")
            result = await getattr(primary, name)(*arguments)
            if name in self._place.waited_for:
                self._place.replicate()
            return result

        return call


class InSqlite:
    """A database file that every process opens for itself."""

    def __init__(self, path: Path, open_store: Callable[[Path], SqliteStore]) -> None:
        self._path, self._open_store = path, open_store
        self._stacks: dict[int, AsyncExitStack] = {}
        self._copies = 0

    async def open(self) -> LedgerStorage:
        stack = AsyncExitStack()
        ledger = StoredLedger(await stack.enter_async_context(self._open_store(self._path)))
        self._stacks[id(ledger)] = stack
        return ledger

    async def close(self, storage: LedgerStorage) -> None:
        await self._stacks.pop(id(storage)).aclose()

    async def append(self, number: int, keys: list[bytes]) -> list[int]:
        entries = tuple(Recorded(draft(number + at), "test", b"opening", once=key) for at, key in enumerate(keys))
        async with self._open_store(self._path) as store:
            return list(await store.commit(WriteSet((), entries)))

    def leaves(self) -> list[bytes]:
        rows = self._rows("SELECT leaf_hashes FROM ledger_bundle ORDER BY first_index")
        return [row[0][at : at + 32] for row in rows for at in range(0, len(row[0]), 32)]

    def signed_size(self) -> int:
        return int(self._rows("SELECT coalesce(signed_size, 0) FROM ledger_state")[0][0])

    def back_up(self) -> Path:
        self._copies += 1
        copied = self._path.with_name(f"copy {self._copies}")
        with closing(sqlite3.connect(self._path)) as connection, closing(sqlite3.connect(copied)) as taken:
            connection.backup(taken)
        return copied

    def restore(self, backup: Path) -> None:
        if not self._stacks:  # as an operator does it: nothing runs, and files are copied
            for leftover in self._path.parent.glob(f"{self._path.name}-*"):
                leftover.unlink()
            shutil.copyfile(backup, self._path)
            return
        with closing(sqlite3.connect(self._path)) as connection, closing(sqlite3.connect(backup)) as taken:
            taken.backup(connection)

    def _rows(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self._path)) as connection:
            return connection.execute(sql).fetchall()
