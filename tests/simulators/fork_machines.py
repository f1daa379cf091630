"""The same play over different stages: a database with a standby, a real database, and witnesses around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from idverify.ledger import ForkError, StorageError
from idverify.ledger.publisher import Witnesses
from idverify.stores.sqlite import SqliteStore
from tests.simulators.fork_machine import ForkMachine, processes
from tests.simulators.fork_witnesses import WITNESSES, Organisations, Reach
from tests.simulators.log_places import InMemory, InSqlite, Place
from tests.simulators.stepped import Fate


class InMemoryMachine(ForkMachine):
    """In memory, where a standby can take the primary's place; all processes share a guard."""

    place: InMemory

    def make_place(self) -> Place:
        """A primary and its standby."""
        return InMemory()

    @rule(count=st.integers(1, 3), process=processes, calls=st.integers(0, 9))
    def lose_primary(self, count: int, process: int, calls: int) -> None:
        """A client gives up on the standby: its entries are on the primary, visible to everybody, and nowhere else.

        A process comes so far, then the standby takes the primary's place, and all processes go on with that.
        """
        first, self.numbers = self.numbers, self.numbers + count
        self.place.append_unreplicated(first, [b"key %d" % number for number in range(first, self.numbers)])
        self.publish(process, 0, calls, Fate.SUCCEEDS)
        self.place.fail_over()
        self.excused = (ForkError, StorageError)  # to a process that had begun to read on the primary


class GuardsApartMachine(InMemoryMachine):
    """Each process has a guard of its own, as on machines of their own, so that no backup may come back."""

    one_guard = False


class WitnessedMachine(InMemoryMachine):
    """Real witnesses, two of three the quorum; now any guard may be lost, and any backup come back to a new process.

    What binds the log is what a quorum of witnesses cosigned, even if their answers were lost.
    """

    one_guard = False
    restores_under_the_running = False  # witnesses are asked once, at the start

    def __init__(self) -> None:
        self.organisations = Organisations()
        super().__init__()
        self.history.binding = self.organisations.seen_by_quorum

    def open_witnesses(self) -> Witnesses:
        """The real client of the real witnesses."""
        return self.organisations.client()

    @rule(witness=st.integers(0, WITNESSES - 1), reach=st.sampled_from(Reach))
    def change_reach(self, witness: int, reach: Reach) -> None:
        """A witness can be reached, or cannot, or loses answers, or its disk fails."""
        self.organisations.stores[witness].reach = reach

    def may_restore(self) -> bool:
        """At any time."""
        return True

    def may_lose_guard(self) -> bool:
        """At any time."""
        return True

    def may_refuse(self, leaves: list[bytes]) -> bool:
        """After a backup came back: who looks from the outside does not see what else the database has."""
        return bool(self.excused) or super().may_refuse(leaves)

    @invariant()
    def one_witnessed_log(self) -> None:
        """What a quorum cosigned is one log, and receipts rest on nothing else."""
        for checkpoint in self.history.signed:
            if self.organisations.seen_by_quorum(checkpoint):
                self.history.require_one_log(checkpoint)
        for process in self.processes:
            for receipts in process.shows()[1:]:
                assert self.organisations.seen_by_quorum(receipts)

    def mend(self) -> None:
        """Every witness can be reached."""
        super().mend()
        for store in self.organisations.stores:
            store.reach = Reach.WELL


class InSqliteMachine(ForkMachine):
    """A real database file, opened by each process for itself, copied away and put back."""

    open_store: ClassVar[Callable[[Path], SqliteStore]]
    make_database: ClassVar[Callable[[Path], None]]

    def make_place(self) -> Place:
        """A file in a folder of its own."""
        self.folder = TemporaryDirectory()
        path = Path(self.folder.name) / "idverify.sqlite"
        type(self).make_database(path)
        return InSqlite(path, type(self).open_store)

    def teardown(self) -> None:
        """Nothing is left of it."""
        try:
            super().teardown()
        finally:
            self.folder.cleanup()
