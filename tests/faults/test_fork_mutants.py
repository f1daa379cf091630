"""The play of `test_fork_model` can fail: each rule of publishing that is left out is found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from idverify.ledger import Checkpoint, Publisher
from idverify.ledger.guard import Guard
from tests.faults.test_fork_model import play
from tests.simulators.fork_machine import ForkMachine
from tests.simulators.fork_machines import InMemoryMachine, WitnessedMachine
from tests.simulators.ledger_memory import GuardMemory
from tests.simulators.log_places import InMemory, Place

ENOUGH = 2000
"""Trials within which a rule that is missing must have been missed."""


class Around:
    """A storage that does one thing otherwise."""

    def __init__(self, storage: Any) -> None:
        self._inner = storage

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        inner: Callable[..., Awaitable[Any]] = getattr(self._inner, name)
        return inner


class NoIntent(InMemoryMachine):
    """What is signed was not intended before: the intent is committed together with the checkpoint."""

    class Storage(Around):
        intended: tuple[Any, ...] = ()

        async def intend_checkpoint(self, *intent: Any) -> None:
            self.intended = intent

        async def full_tile(self, level: int, index: int) -> Any:
            tiles = self.intended[3] if self.intended else {}
            return tiles.get((level, index)) or await self._inner.full_tile(level, index)

        async def advance_checkpoint(self, *checkpoint: Any) -> Any:
            await self._inner.intend_checkpoint(*self.intended)
            return await self._inner.advance_checkpoint(*checkpoint)

    def storage(self, _: int, opened: Any) -> Any:
        return self.Storage(opened)


class NotDurable(InMemoryMachine):
    """Signed before it is durable: nobody waits for the commit of the intent."""

    def make_place(self) -> Place:
        place = InMemory()
        place.waited_for.remove("intend_checkpoint")
        return place


class NoFence(InMemoryMachine):
    """Whoever comes last wins: the checkpoint before is not compared, nor the epoch."""

    class Storage(Around):
        def __init__(self, storage: Any, place: InMemory) -> None:
            super().__init__(storage)
            self._place = place

        async def intend_checkpoint(self, _: int, *intent: Any) -> None:
            await self._inner.intend_checkpoint(self._place.primary.lease[0], *intent)

        async def advance_checkpoint(self, _: int, __: int | None, size: int, ___: bytes, note: bytes) -> bool:
            self._place.primary.notes.append((size, note))
            self._place.replicate()
            return True

    def storage(self, _: int, opened: Any) -> Any:
        return self.Storage(opened, self.place)


class NoLastLook(InMemoryMachine):
    """Entries that were read are believed to be there when the intent is committed."""

    class Storage(Around):
        head, intended = b"", False

        async def take_lease(self, *who: Any) -> Any:
            self.intended = False
            return await self._inner.take_lease(*who)

        async def tree_state(self) -> Any:
            state = await self._inner.tree_state()
            self.head = state.head
            return state

        async def intend_checkpoint(self, *intent: Any) -> None:
            await self._inner.intend_checkpoint(*intent)
            self.intended = True

        async def leaf_hashes(self, start: int, stop: int) -> Any:
            if self.intended:
                self.intended = False
                return [self.head]
            return await self._inner.leaf_hashes(start, stop)

    def storage(self, _: int, opened: Any) -> Any:
        return self.Storage(opened)


class NoGuard(InMemoryMachine):
    """Nothing is remembered outside the database."""

    def open_guard(self, _: int) -> Guard:
        return GuardMemory()


class CarelessGuard(InMemoryMachine):
    """Processes that share a guard write over what they do not know."""

    def open_guard(self, process: int) -> Guard:
        return self.guard_of(process)


class LateGuard(InMemoryMachine):
    """Remembered once it is stored, and not before it is signed."""

    class Guard:
        def __init__(self, guard: Guard) -> None:
            self._guard = guard
            self._later: Checkpoint | None = None

        async def read(self) -> Checkpoint | None:
            self._later = None
            return await self._guard.read()

        async def write(self, checkpoint: Checkpoint) -> None:
            self._later = checkpoint

        async def stored(self) -> None:
            if self._later is not None:
                await self._guard.write(self._later)

    class Storage(Around):
        def __init__(self, storage: Any, guard: Callable[[], Any]) -> None:
            super().__init__(storage)
            self._guard = guard

        async def advance_checkpoint(self, *checkpoint: Any) -> Any:
            advanced = await self._inner.advance_checkpoint(*checkpoint)
            await self._guard().stored()
            return advanced

    def __init__(self) -> None:
        self.late: dict[int, Any] = {}
        super().__init__()

    def open_guard(self, process: int) -> Guard:
        self.late[process] = LateGuard.Guard(super().open_guard(process))
        return self.late[process]

    def storage(self, process: int, opened: Any) -> Any:
        return self.Storage(opened, lambda: self.late[process])


class NothingSeen(InMemoryMachine):
    """Nobody looks whether the tree extends what was signed."""

    class Careless(Publisher):
        async def _require_continuation(self, tree: object) -> None:
            pass

    publisher_class = Careless


class NoKeys(InMemoryMachine):
    """Idempotency keys are not kept."""

    class Forgetful(InMemory):
        async def append(self, number: int, keys: list[bytes]) -> list[int]:
            self.primary.once.clear()
            return await super().append(number, keys)

    def make_place(self) -> Place:
        return self.Forgetful()


class NobodyAsked(WitnessedMachine):
    """The witnesses are not asked what they saw before the first signature."""

    class Careless(Publisher):
        async def _ask_witnesses(self, _: object) -> None:
            self._compared = True

    publisher_class = Careless


NOT_THERE = "a tree that storage, at"
TWO_LOGS = "neither a prefix of the other"
MUTANTS: dict[type[ForkMachine], str] = {
    NoIntent: NOT_THERE,
    NotDurable: NOT_THERE,
    NoFence: "the stored checkpoint went back",
    NoGuard: TWO_LOGS,
    NothingSeen: TWO_LOGS,
    NobodyAsked: TWO_LOGS,
    NoKeys: "was acknowledged at",
}
RARE: dict[type[ForkMachine], str] = {NoLastLook: NOT_THERE, CarelessGuard: TWO_LOGS, LateGuard: TWO_LOGS}
"""What comes of these takes several things in a row; each rule has a test of its own in `test_publisher`."""


def require_found(mutant: type[ForkMachine], found: str) -> None:
    """The play finds what comes of it."""
    with pytest.raises(AssertionError, match=found):
        play(mutant, ENOUGH, 3, shrink=False)


@pytest.mark.parametrize(("mutant", "found"), MUTANTS.items(), ids=[mutant.__name__ for mutant in MUTANTS])
def test_a_rule_that_is_left_out_is_missed(mutant: type[ForkMachine], found: str) -> None:
    """No intent, no wait for it, no fence, no guard, no look at what was signed, nobody asked, no keys."""
    require_found(mutant, found)


@pytest.mark.long
@pytest.mark.parametrize(("mutant", "found"), RARE.items(), ids=[mutant.__name__ for mutant in RARE])
def test_a_rule_that_is_seldom_needed_is_missed(mutant: type[ForkMachine], found: str) -> None:
    """No second look behind the intent, a guard that is overwritten, a guard that is written too late."""
    require_found(mutant, found)
