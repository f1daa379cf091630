"""Publishers of one log that die, fail, drift and overtake each other, while the log grows and backups come back.

`ForkMachine` plays, `History` judges. What holds after every step:

- Whatever was ever signed is one log: one root for each size, each tree a prefix of every larger one.
- Whatever a process shows was signed, and it never shows less than before, but for a restored backup.
- The stored checkpoint only grows, and what was acknowledged is where it was said to be, likewise.
- At the end, with everything mended, the log goes on; unless a backup is in place that lacks what was signed, when
  nothing more is signed.

A backup comes back as long as the guard was not lost since it was written last; the guard is lost as long as storage
has all that was signed. That is the promise: either of the two is enough.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from idverify.ledger import Checkpoint, FencedError, ForkError, LogSigners, Publisher, StorageError
from idverify.ledger.errors import LedgerError, UnreachableError
from idverify.ledger.guard import Guard
from idverify.ledger.publisher import Witnesses
from tests.simulators.ledger_memory import NOW, ORIGIN, Crash, GuardMemory, SharedGuard
from tests.simulators.log_history import Forked, History, WatchedSigner, tree_hash
from tests.simulators.log_places import Place
from tests.simulators.stepped import Fate, Stepped

PROCESSES = 3
HOLDERS = (b"one", b"two", b"one")
"""Two of them would share a lease, as two starts of one service do; the third is on another machine."""
LONGER_THAN_ANY_LEASE = 1_000_000
HEALING = 4
"""Cycles that the last process may need: it may be fenced off, and may have to look again."""
WHOLE_CYCLE = 20
"""Calls, and more than any cycle makes."""

processes = st.integers(0, PROCESSES - 1)
amounts = st.sampled_from([1, 2, 3, 60, 255, 256, 257])
seconds = st.sampled_from([0, 1, 6, 11, 60])


class Process:
    """One process with a publisher: down, idle, or before some call."""

    def __init__(self, machine: ForkMachine, number: int) -> None:
        self._machine, self.number = machine, number
        self.drift = 0
        self.shown = 0
        self.outlived_restore = False
        self.stepped = Stepped(machine.loop)
        self.publisher: Publisher | None = None
        self._storage: Any = None

    def start(self) -> None:
        """From nothing but what is stored."""
        machine = self._machine
        self.shown, self.outlived_restore, self.stepped = 0, False, Stepped(machine.loop)
        self._storage = machine.loop.run_until_complete(machine.place.open())
        self.publisher = machine.make_publisher(self, self.stepped.through(machine.storage(self.number, self._storage)))

    def kill(self) -> None:
        """It dies where it stands."""
        if self.publisher is not None:
            self.stepped.end()
            self._machine.loop.run_until_complete(self._machine.place.close(self._storage))
        self.publisher = None

    def publish(self, calls: int, fate: Fate) -> None:
        """Begin a cycle, or go on with the one under way: so many calls succeed, and then one has this fate."""
        if self.publisher is None:
            self.start()
        assert self.publisher is not None
        if not self.stepped.under_way:
            self.stepped.begin(self.publisher.publish_once())
        for each in [*[Fate.SUCCEEDS] * calls, fate]:
            self.stepped.go_on(each)
        if fate.kills:
            self.kill()
        else:
            self.stepped.result()

    def shows(self) -> list[Checkpoint]:
        """What this process shows to whoever asks: the latest checkpoint, and the one that receipts rest on."""
        shown = None if self.publisher is None else self.publisher._screen.shown
        heads = () if shown is None else (shown.latest, shown.quorum)
        return [self._machine.signer.opened(head.note) for head in heads if head.note is not None]


class ForkMachine(RuleBasedStateMachine):
    """See the module. What subclasses vary stands first."""

    one_guard: ClassVar[bool] = True
    """Whether all processes share a guard, or each has its own."""
    publisher_class: ClassVar[type[Publisher]] = Publisher
    restores_under_the_running: ClassVar[bool] = True
    """Whether a process that runs while a backup comes back is held to the same promise."""

    def make_place(self) -> Place:
        """Where the log is kept."""
        raise NotImplementedError

    def make_publisher(self, process: Process, storage: Any) -> Publisher:
        """The publisher of a process that starts."""
        through = process.stepped.through
        return self.publisher_class(
            storage,
            ORIGIN,
            LogSigners.each(through(self.signer)),
            holder=HOLDERS[process.number],
            now=lambda: self.now + process.drift,
            guard=through(self.open_guard(process.number)),
            witnesses=through(self.open_witnesses()),
        )

    def storage(self, process: int, opened: Any) -> Any:
        """The storage as a process has it."""
        del process
        return opened

    def open_witnesses(self) -> Witnesses | None:
        """The witnesses as a process has them."""
        return None

    def open_guard(self, process: int) -> Guard:
        """The guard as a process has it."""
        return SharedGuard(self.guard_of(process))

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.place = self.make_place()
        self.history = History()
        self.signer = WatchedSigner(history=self.history, stored=self.place.leaves)
        self.now = NOW
        self.guards = [GuardMemory() for _ in range(PROCESSES)]
        self.backups: list[tuple[Any, dict[bytes, tuple[int, bytes]]]] = []
        self.guard_lost = False
        self.excused: tuple[type[LedgerError], ...] = ()
        self.stored = 0
        self.acknowledged: dict[bytes, tuple[int, bytes]] = {}
        self.numbers = 0
        self.append(1, Fate.SUCCEEDS)  # the start of the log
        self.processes = [Process(self, number) for number in range(PROCESSES)]

    def guard_of(self, process: int) -> GuardMemory:
        """Processes of one machine share a guard."""
        return self.guards[0 if self.one_guard else process]

    @rule(count=st.integers(1, 3))
    def grow(self, count: int) -> None:
        """A few entries come, and all is well."""
        self.append(count, Fate.SUCCEEDS)

    @rule(process=processes, after=seconds)
    def cycle(self, process: int, after: int) -> None:
        """A whole cycle, or the rest of one."""
        self.publish(process, after, WHOLE_CYCLE, Fate.SUCCEEDS)

    @rule(count=amounts, fate=st.sampled_from(Fate))
    def append(self, count: int, fate: Fate) -> None:
        """Entries come; some callers never learn that theirs are there."""
        first, self.numbers = self.numbers, self.numbers + count
        keys = [b"key %d" % number for number in range(first, self.numbers)]
        if fate.takes_effect:
            indexes = self.loop.run_until_complete(self.place.append(first, keys))
            if fate is Fate.SUCCEEDS:
                self._acknowledge(keys, indexes)

    @rule(number=st.integers(0, 999))
    def repeat(self, number: int) -> None:
        """Somebody asks again for what they asked for before, answered or not; an answer never changes."""
        key = b"key %d" % (number % self.numbers)
        (index,) = self.loop.run_until_complete(self.place.append(self.numbers, [key]))
        self.numbers += 1
        self._acknowledge([key], [index])

    @rule(process=processes, after=seconds, calls=st.integers(0, 12), fate=st.sampled_from(Fate))
    def publish(self, process: int, after: int, calls: int, fate: Fate) -> None:
        """Some seconds later a process goes so far, and no further for now or for ever."""
        self.now += after
        try:
            self.processes[process].publish(calls, fate)
        except (Crash, FencedError, UnreachableError):
            pass
        except (ForkError, StorageError) as refused:
            if not isinstance(refused, self.excused):
                raise Forked(f"refused for no reason: {refused}") from refused

    @rule(process=processes, drift=st.integers(-30, 30))
    def set_clock(self, process: int, drift: int) -> None:
        """A machine's clock is set wrong."""
        self.processes[process].drift = drift

    @rule()
    def back_up(self) -> None:
        """A copy of the database is put away, as it is at this moment."""
        self.backups.append((self.place.back_up(), dict(self.acknowledged)))

    def may_restore(self) -> bool:
        """Whether it is promised that an old copy does no harm."""
        return self.one_guard and not self.guard_lost

    @rule(backup=st.integers(0, 9), stopped=st.booleans())
    @precondition(lambda self: self.backups and self.may_restore())
    def restore(self, backup: int, stopped: bool) -> None:  # noqa: FBT001 - drawn
        """An old copy takes the place of the database; processes between two cycles may be left running."""
        for process in self.processes:
            if stopped or process.stepped.under_way or not self.restores_under_the_running:
                process.kill()
            process.outlived_restore = process.publisher is not None
        copy, acknowledged = self.backups[backup % len(self.backups)]
        self.place.restore(copy)
        self.acknowledged = dict(acknowledged)
        self.excused, self.stored = (ForkError, StorageError), self.place.signed_size()

    def may_lose_guard(self) -> bool:
        """Whether it is promised that the loss does no harm."""
        return self.history.is_covered_by(self.place.leaves())

    @rule(process=processes)
    @precondition(lambda self: self.may_lose_guard())
    def lose_guard(self, process: int) -> None:
        """Somebody deletes the guard, and starts everything again."""
        self.guard_of(process).remembered = None
        self.guard_lost = True
        for each in self.processes:
            each.kill()

    @invariant()
    def one_log(self) -> None:
        """Nothing that was signed or is shown contradicts anything else."""
        assert not self.history.broken, self.history.broken[0]
        for process in self.processes:
            for shown in process.shows()[:1]:
                assert shown.size >= process.shown or process.outlived_restore, "a process went back"
                process.shown = shown.size
            for shown in process.shows():
                self.history.require_signed(shown)
        remembered = self.guards[0].remembered
        if remembered and remembered.size >= max((each.size for each in self.history.signed), default=0):
            self.guard_lost = False
        stored = self.place.signed_size()
        assert stored >= self.stored, "the stored checkpoint went back"
        self.stored = stored

    def teardown(self) -> None:
        """Everything is mended: does the log go on, and is everything that was acknowledged in it?"""
        try:
            for process in self.processes:
                process.kill()
            self.mend()
            self._require_everything(self._last_words())
        finally:
            for process in self.processes:
                process.kill()
            self.loop.close()

    def mend(self) -> None:
        """Every lease is over."""
        self.now += LONGER_THAN_ANY_LEASE

    def _last_words(self) -> LedgerError | None:
        """What a process says that starts now."""
        refused = None
        for _ in range(HEALING):
            try:
                refused = None
                self.processes[0].publish(0, Fate.SUCCEEDS)
                self.processes[0].stepped.finish()
            except LedgerError as error:
                refused = error
        return refused

    def _require_everything(self, refused: LedgerError | None) -> None:
        leaves = self.place.leaves()
        for index, leaf in self.acknowledged.values():
            assert leaves[index : index + 1] == [leaf], f"entry {index} was acknowledged"
        assert not self.history.broken, self.history.broken[0]
        if refused is not None:
            assert self.may_refuse(leaves), f"refused for no reason: {refused}"
        else:
            assert [shown.size for shown in self.processes[0].shows()] == [len(leaves)] * 2

    def may_refuse(self, leaves: list[bytes]) -> bool:
        """Whether these entries lack something that was, or was about to be, signed."""
        remembered = self.guard_of(0).remembered
        known = remembered is None or tree_hash(leaves[: remembered.size]) == remembered.root
        return not (known and self.history.is_covered_by(leaves))

    def _acknowledge(self, keys: list[bytes], indexes: list[int]) -> None:
        leaves = self.place.leaves()
        for key, index in zip(keys, indexes, strict=True):
            known = self.acknowledged.setdefault(key, (index, leaves[index]))
            assert known == (index, leaves[index]), f"{key!r} was acknowledged at {known[0]}, now at {index}"
