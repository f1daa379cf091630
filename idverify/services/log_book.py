"""The log book: every shard of the ledger, who signs the one that is written to, and whether it is halted.

Which shard that is, and why it is halted, stand in the database (``ledger_state``). Every cycle reads them again: so a
shard that was opened or halted by another process is picked up without a restart, and the transaction of every write
set knows, too (``stores.transaction``).

**Halted, not ended.** Where signing on could show two people two different logs, nothing is signed and nothing is
recorded any more. What needs no entry goes on. The way on is a newer copy of the database, or a new shard that names
the last known checkpoint (``new_shard``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Self

import structlog

from idverify.errors import Gone, LogHalted
from idverify.ledger.checkpoint import Checkpoint, open_checkpoint
from idverify.ledger.errors import FencedError, ForkError, LedgerError, ProofError
from idverify.ledger.guard import Guard
from idverify.ledger.policy import Policies
from idverify.ledger.published import Snapshot, StoredSnapshots, included
from idverify.ledger.publisher import Publisher
from idverify.ledger.sequencer import TreeState
from idverify.ledger.succession import are_siblings, last_of, origin_of, shard_of
from idverify.services.log_policy import LogPolicy
from idverify.services.outside import Nobody, Outside
from idverify.services.waiting import record_waiting
from idverify.stores import queries, tables
from idverify.stores.connection import Row
from idverify.stores.ledger import StoredLedger
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Change, WriteSet

logger = structlog.get_logger()
_NEVER: Final = "The log that holds this entry ended before it published the entry. There can be no receipt of it."


@dataclass(frozen=True, slots=True)
class Log:
    """One shard, as the database has it: ``size`` entries, of which ``signed_size`` were ever signed for.

    ``quorum_size`` of them are under a checkpoint that witnesses cosigned as its policy asked. ``previous`` is what it
    names of the shard before, if there is one. ``halted`` says why it is not continued.
    """

    shard: int
    origin: str
    previous: Checkpoint | None
    size: int
    signed_size: int
    quorum_size: int
    halted: str | None


@dataclass(frozen=True, slots=True)
class Hands:
    """How the log book gets at what ``app`` has: who publishes a log, whom its readers believe, and who remembers.

    ``publisher`` is asked once for each log that is signed here, and once more, without a guard, for one that was
    signed to its end and waits for witnesses alone; ``policy`` for the origin of any log of ours that ever was.
    ``told`` hears why a log is halted.
    """

    publisher: Callable[[Log, Guard | None], Awaitable[Publisher]]
    policy: Callable[[str], LogPolicy]
    guard: Guard | None = None
    outside: Outside = field(default_factory=Nobody)
    told: Callable[[str], None] = lambda _: None


class LogBook:
    """Every shard, after ``read``. ``begin`` first; then ``publish`` each second."""

    def __init__(self, store: Store, hands: Hands) -> None:
        self._store, self._hands = store, hands
        self.logs: tuple[Log, ...] = ()
        self._policy: tuple[tuple[Log, ...], Policies] | None = None
        self._publishers: dict[int, Publisher] = {}
        self._awaiting: dict[int, Publisher] = {}  # of closed logs that wait for witnesses alone
        self._stored: dict[int, StoredSnapshots] = {}
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    async def read(cls, store: Store, hands: Hands) -> Self:
        """The log book of a database; nothing is signed yet."""
        book = cls(store, hands)
        await book.refresh()
        return book

    @property
    def current(self) -> Log:
        """The shard that is written to, unless it is halted."""
        return self.logs[-1]

    @property
    def halted(self) -> str | None:
        """Why nothing is recorded, if so."""
        return self.current.halted

    @property
    def publisher(self) -> Publisher:
        """Whoever publishes the current shard. While that is halted, only what is stored counts: see ``snapshot``."""
        return self._publishers[self.current.shard]

    @property
    def policy(self) -> Policies:
        """What readers of receipts of any shard rely on."""
        if self._policy is None or self._policy[0] is not self.logs:  # every check asks, shards are few and stay
            self._policy = self.logs, Policies(tuple(one.policy for one in self.policies()))
        return self._policy[1]

    def policies(self) -> tuple[LogPolicy, ...]:
        """The policy of every shard, oldest first, also of one that a new shard names and that is lost."""
        lost = (log.previous.origin for log in self.logs if log.previous is not None)
        origins = {*lost, *(log.origin for log in self.logs)}
        return tuple(self._hands.policy(origin) for origin in sorted(origins, key=shard_of))

    def policy_of(self, origin: str) -> LogPolicy:
        """Whom readers of a log may believe."""
        return self._hands.policy(origin)

    def origin_of(self, shard: int) -> str:
        """What a shard of this deployment is called."""
        return origin_of(self.current.origin, shard)

    def require_open(self) -> None:
        """Raises ``LogHalted`` before anything is begun that would need an entry in the end."""
        if self.halted is not None:
            raise LogHalted(self.halted)

    async def begin(self) -> None:
        """At start, before anything is recorded: is this database as new as what was signed? If not, halt.

        Asks the guard and everybody outside anew, whatever was found before: a database that they agree with goes on.
        Where they do not answer, a halt stays: silence takes back nothing that somebody said.
        """
        async with self._one_at_a_time:
            await self._refresh()
            if await self._published() and self.halted is not None and self.publisher.has_asked:
                await self._go_on()

    async def publish(self) -> None:
        """One cycle: the last checkpoint of a shard that was closed, and its quorum; then the next of the current."""
        async with self._one_at_a_time:
            await self._refresh()
            if self.halted is None:
                await self._published()

    async def refresh(self) -> None:
        """Read again which shards there are."""
        async with self._one_at_a_time:
            await self._refresh()

    async def published(self) -> Checkpoint | None:
        """The last checkpoint of the current shard that was signed and stored, ``None`` if there is none yet."""
        snapshot = await self._snapshots(self.current.shard)()
        foremost = self._hands.policy(self.current.origin).foremost
        return None if snapshot is None else open_checkpoint(snapshot.latest.note, foremost)

    async def last_known(self) -> Checkpoint:
        """The last checkpoint of ours that anybody knows of: database, guard or outside.

        Of two of one size the one that others have seen is taken. Raises ``ForkError``: the guard remembers a log of
        another deployment, or nobody knows of any.
        """
        current = self.current
        remembered = None if self._hands.guard is None else await self._hands.guard.read()
        if remembered is not None and not are_siblings(remembered.origin, current.origin):
            raise ForkError(f"the guard remembers {remembered.origin}, which is no log of this deployment")
        stored = await self.published() or current.previous
        here = [one for one in (remembered, stored) if one is not None]
        newest = last_of(here).origin if here else current.origin
        known = [*await self._known_outside(newest), *here]
        if not known:
            raise ForkError(f"nobody knows of any checkpoint of {current.origin}")
        return last_of(known)

    def covers(self, shard: int, index: int) -> bool:
        """Whether a published checkpoint that receipts rest on covers an entry already."""
        if self._is_signed_here(shard):
            return self.publisher.covers(index)
        return any(log.shard == shard and index < log.signed_size for log in self.logs)

    async def wait_covered(self, shard: int, index: int, seconds: float) -> None:
        """Wait until receipts of an entry can be had.

        Raises ``TimeoutError``; ``LogHalted`` or ``Gone`` where waiting is of no use.
        """
        if self._is_signed_here(shard):
            await self.publisher.wait_covered(index, seconds)
        elif not self.covers(shard, index):
            if shard == self.current.shard:
                self.require_open()
            if any(log.shard == shard and not _is_unsigned(log) for log in self.logs):
                raise Gone(_NEVER)
            raise TimeoutError

    async def receipt_proof(self, shard: int, index: int) -> tuple[list[bytes], bytes]:
        """The inclusion proof of an entry and the checkpoint it leads to, which meets the policy.

        Of a shard that ended, it is the last that meets the policy or, where that does not cover the entry, the last
        that was signed: without witnesses, there will be no other. Raises ``ProofError`` without one.
        """
        if self._is_signed_here(shard):
            return await self.publisher.receipt_proof(index)
        snapshot = await self._snapshots(shard)()
        for head in () if snapshot is None else (snapshot.quorum, snapshot.latest):
            if head is not None and index < head.tree.size:
                return await included(head.tree, index), head.note
        raise ProofError(f"no checkpoint covers entry {index} of shard {shard}")

    async def snapshot(self, shard: int) -> Snapshot | None:
        """What a shard shows now: as its publisher has it, or, where it is signed no more, as it is stored."""
        if self._is_signed_here(shard):
            return await self.publisher.snapshot()
        return await self._snapshots(shard)()

    def _is_signed_here(self, shard: int) -> bool:
        return shard == self.current.shard and self.halted is None

    def _is_owed(self, log: Log) -> bool:
        """Whether a shard that was closed still waits for its last checkpoint, or for the quorum that its policy asks.

        Witnesses are asked each cycle until they are enough: else one that was late would leave the tail without them.
        """
        if log.halted is None and self._hands.policy(log.origin).witnessed:
            return log.quorum_size < log.size
        return _is_unsigned(log)

    def _snapshots(self, shard: int) -> StoredSnapshots:
        if shard not in self._stored:
            policy, storage = self._hands.policy(self.origin_of(shard)), StoredLedger(self._store, shard)
            self._stored[shard] = StoredSnapshots(storage, policy.foremost, witnessed=policy.witnessed)
        return self._stored[shard]

    async def _refresh(self) -> None:
        logs = await load_logs(self._store)
        for log in (*filter(self._is_owed, logs), logs[-1]):
            signs = log is logs[-1] or _is_unsigned(log)
            publishers = self._publishers if signs else self._awaiting
            if log.shard not in publishers:
                publishers[log.shard] = await self._hands.publisher(log, self._hands.guard if signs else None)
        self.logs = logs

    async def _published(self) -> bool:
        """Sign what there is to sign, oldest shard first; False if that could show two different logs."""
        try:
            for owed in filter(self._is_owed, self.logs[:-1]):
                if _is_unsigned(owed):
                    await self._publishers[owed.shard].publish_once()
                else:
                    await self._ask_again(owed)
                await self._refresh()
            await self.publisher.publish_once()
        except FencedError as fenced:  # another process publishes: the next cycle sees what
            logger.warning("checkpoint_fenced", reason=str(fenced))
        except ForkError as fork:
            await self._halt(str(fork))
            return False
        return True

    async def _ask_again(self, closed: Log) -> None:
        """Ask witnesses for the end of a log that was signed to it: whatever they say, no later log waits for them.

        The guard remembers a later log by then, and is not asked; nothing is signed that could be a fork.
        """
        try:
            await self._awaiting[closed.shard].publish_once()
        except LedgerError as error:
            logger.warning("quorum_owed", origin=closed.origin, reason=str(error))

    async def _halt(self, reason: str) -> None:
        marked = Change(tables.ledger_state, {"shard": self.current.shard}, {"halted": reason})
        await self._store.commit(WriteSet((marked,)))
        await self._refresh()
        logger.error("log_halted", origin=self.current.origin, reason=reason)
        self._hands.told(reason)

    async def _go_on(self) -> None:
        shard = self.current.shard

        async def carry_out(transaction: Transaction) -> None:
            going_on = Change(tables.ledger_state, {"shard": shard}, {"halted": None})
            await transaction.apply(WriteSet((going_on,)))
            await record_waiting(transaction)

        await self._store.write(carry_out)
        await self._refresh()
        logger.warning("log_goes_on", origin=self.current.origin)

    async def _known_outside(self, newest: str) -> list[Checkpoint]:
        """What others know of any shard from the current one on: even one later than ``newest`` may be lost here."""
        shard, found = self.current.shard, list[Checkpoint]()
        while (known := await self._hands.outside.known(self.origin_of(shard))) or shard < shard_of(newest):
            found += known
            shard += 1
        return found


def _is_unsigned(log: Log) -> bool:
    return log.halted is None and log.signed_size < log.size


async def load_logs(store: Store) -> tuple[Log, ...]:
    """Every shard of the ledger, oldest first."""
    return tuple(map(_log, await store.fetch(queries.LOGS, {})))


def _log(row: Row) -> Log:
    previous = None if row["previous"] is None else Checkpoint.parse(row["previous"])
    sizes = TreeState.decode(row["tree"]).size, row["signed_size"] or 0, row["quorum_size"] or 0
    return Log(row["shard"], row["origin"], previous, *sizes, row["halted"])
