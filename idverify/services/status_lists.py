"""Our own status lists: which indices are taken, what each says, and their signed forms for the world.

A list is a function of the rows in ``status_entry`` and of its decoys. It is signed when it changes and at least every
``REFRESH_SECONDS``, so that a verifier's copy is never old for want of a newer one. Of several processes on one
database each signs only after what another one published, so that none takes back what another decided, and shows what
another published. When a list has little room left, the next is opened; whoever has room gives indices.
"""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Iterable
from contextlib import suppress
from itertools import accumulate
from typing import Any, Final

import structlog

from idverify.core.credential import StatusReference
from idverify.errors import Conflict, IdverifyError, SetupError, Unavailable
from idverify.formats.status_decoys import SEED_BYTES
from idverify.formats.status_list import StatusValue
from idverify.ports import Clock, Entropy, Signer
from idverify.services.own_list import MOST_TAKEN, OPEN_NEXT_AT, SIZE, OwnList
from idverify.services.status_publication import (
    LIFE_SECONDS,
    REFRESH_SECONDS,
    TTL_SECONDS,
    Board,
    Press,
    PublishedMeanwhile,
    kept_list,
)
from idverify.services.status_source import StatusSource
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.writes import Insert, WriteSet

__all__ = [
    "LIFE_SECONDS",
    "MOST_TAKEN",
    "REFRESH_SECONDS",
    "SIZE",
    "TTL_SECONDS",
    "Board",
    "StatusBoard",
]

POLL_SECONDS: Final = 5
"""How soon a process shows what another one published."""
GATHER_SECONDS: Final = 0.05
JITTER_SECONDS: Final = 0.2
PUBLISH_DEADLINE: Final = 3.0
ATTEMPTS: Final = 5
COVER_ONE_IN: Final = 32
"""Of the signings that nothing changed, one in so many moves decoys, so that a change tells of no decision."""

log = structlog.get_logger()
Flip = tuple[str, int, StatusValue]


class StatusBoard:
    """Our lists. ``load`` first; ``run`` keeps them published; ``apply`` after the commit of what changed."""

    def __init__(
        self,
        board: Board,
        store: Store,
        signer: Signer,
        source: StatusSource,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._board, self._store, self._source = board, store, source
        self._clock, self._entropy = clock, entropy
        self._press = Press(board, store, signer, clock, entropy)
        self._lists: dict[str, OwnList] = {}
        self._changed = asyncio.Event()
        self._published = asyncio.Condition()

    @property
    def uri(self) -> str:
        """Where the newest list is published."""
        return next(reversed(self._lists), self._board.uri(1))

    @property
    def uris(self) -> tuple[str, ...]:
        """Where each list is published, the oldest first."""
        return tuple(self._lists)

    def list_at(self, uri: str) -> OwnList | None:
        """One of our lists, or ``None``."""
        return self._lists.get(uri)

    def room(self) -> int:
        """For how many more documents the lists have room, as far as this process knows."""
        return sum(max(0, MOST_TAKEN - listed.taken) for listed in self._lists.values())

    async def load(self) -> None:
        """Read the rows that the lists are functions of, and publish each: no status address is ever dead."""
        await self._learn_of_lists()
        if not self._lists or self._newest().seed is None:
            await self._open_next()
        await self.publish()

    async def show_published(self) -> None:
        """Show the lists as they were last published, without signing any: the service alone does that.

        Raises ``SetupError`` if one of them does not hold any more.
        """
        for row in await self._store.fetch(queries.STATUS_LISTS, {}):
            if not await self._show(row["status_list"]):
                raise SetupError("The newest status list has expired.", "Start the service; it signs a fresh one.")

    async def find(self, uri: str) -> None:
        """Show a list that another process opened, if there is one at this address."""
        if uri not in self._lists:
            await self._show(uri)

    def allocate(self) -> StatusReference:
        """A random index that was never used, of a list that has room. Raises ``Unavailable`` when none has."""
        shown = [listed for listed in self._lists.values() if self._source.kept_at(listed.uri) is not None]
        rooms = list(accumulate(max(0, MOST_TAKEN - listed.taken) for listed in shown))
        if not rooms or not rooms[-1]:
            raise Unavailable("The status list is full; a new one must be opened.")
        drawn = int.from_bytes(self._entropy(4), "big") % rooms[-1] if len(rooms) > 1 else 0
        listed = shown[bisect.bisect_right(rooms, drawn)]
        while True:
            index = int.from_bytes(self._entropy(4), "big") % SIZE
            if listed.take(index):
                return StatusReference(listed.uri, index)

    async def apply(self, flips: Iterable[Flip]) -> None:
        """Show what was committed; returns when the signed lists say it, or after ``PUBLISH_DEADLINE``."""
        awaited: dict[str, int] = {}
        committed = tuple(flips)
        if any(uri not in self._lists for uri, _, _ in committed):
            await self._learn_of_lists()
        for uri, index, value in committed:
            if (listed := self._lists.get(uri)) is not None:
                listed.say(index, value)
                listed.generation += uri not in awaited
                awaited[uri] = listed.generation
        if not awaited:
            return
        self._changed.set()
        async with self._published:
            try:
                async with asyncio.timeout(PUBLISH_DEADLINE):
                    await self._published.wait_for(
                        lambda: all(self._lists[uri].shown >= wanted for uri, wanted in awaited.items())
                    )
            except TimeoutError:
                log.warning("status_list_late", lists=sorted(awaited))

    async def run(self) -> None:
        """Publish on change, in jittered batches so that their time tells nothing of one decision, and on age."""
        while True:
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._changed.wait()
                jitter = int.from_bytes(self._entropy(2), "big") / 65536
                await asyncio.sleep(GATHER_SECONDS + JITTER_SECONDS * jitter)
            except TimeoutError:
                log.debug("status_lists_looked_at")
            try:
                await self._keep_up()
            except IdverifyError as error:
                if self._store.stopped_by() is not None:  # for good: the process must end, a restart reads the truth
                    raise
                log.warning("status_list_not_signed", error=type(error).__name__)
                await asyncio.sleep(1)
                self._changed.set()

    async def publish(self) -> None:
        """Sign every list as it is now, commit it, then show it."""
        for listed in tuple(self._lists.values()):
            await self._publish(listed)

    async def _keep_up(self) -> None:
        """Publish what changed or is old, show what others published, and open the next list where room gets short."""
        self._changed.clear()
        await self._learn_of_lists()
        for listed in tuple(self._lists.values()):
            if listed.generation == listed.shown and not self._is_due(listed.uri):
                await self._show_newer(listed)
            if listed.generation != listed.shown:
                await self._publish(listed)
            elif self._is_due(listed.uri):
                await self._publish(listed, cover=self._entropy(1)[0] < 256 // COVER_ONE_IN)
                (counted,) = await self._store.fetch(queries.STATUS_INDICES_COUNTED, {"status_list": listed.uri})
                listed.count(counted["taken"])
        if self._newest().taken >= OPEN_NEXT_AT:
            await self._open_next()
            await self._publish(self._newest())

    def _newest(self) -> OwnList:
        return next(reversed(self._lists.values()))

    def _is_due(self, uri: str) -> bool:
        kept = self._source.kept_at(uri)
        return kept is None or self._clock.now() - kept.issued_at >= REFRESH_SECONDS

    async def _learn_of_lists(self) -> None:
        """Read what lists there are, with what is taken of those that are new here."""
        for row in await self._store.fetch(queries.STATUS_LISTS, {}):
            if row["status_list"] not in self._lists:
                listed = await asyncio.to_thread(OwnList, row["status_list"], row["number"], row["seed"])
                taken: list[Any] = await self._store.fetch(queries.STATUS_INDICES_TAKEN, {"status_list": listed.uri})
                for one in taken:
                    listed.take(one["status_index"])
                await self._read_again(listed)
                self._lists[listed.uri] = listed

    async def _open_next(self) -> None:
        """Open a list with decoys of its own. Another process may have been faster: then there is one."""
        number = self._newest().number + 1 if self._lists else 1
        row = {
            "status_list": self._board.uri(number),
            "number": number,
            "seed": self._entropy(SEED_BYTES),
            "opened_at": self._clock.now(),
        }
        with suppress(_OpenedMeanwhile):
            await self._store.commit(WriteSet((Insert(tables.status_list, row, _OpenedMeanwhile("It is open.")),)))
            if number > 1:
                log.info("status_list_opened", number=number)
        await self._learn_of_lists()

    async def _publish(self, listed: OwnList, *, cover: bool = False) -> None:
        """Sign one list; again, if another process published it meanwhile."""
        for _ in range(ATTEMPTS):
            await self._read_again(listed)
            generation = listed.generation
            with suppress(PublishedMeanwhile):
                self._source.keep_verified(await self._press.publish(listed, cover=cover), listed.uri)
                async with self._published:
                    listed.shown = max(listed.shown, generation)
                    self._published.notify_all()
                return
        raise Unavailable("Other processes were always faster to publish the status list.")

    async def _read_again(self, listed: OwnList) -> None:
        """Read rows again where there are others than this list knows: another process added to them."""
        asked = {"status_list": listed.uri}
        rows: list[Any] = await self._store.fetch(queries.STATUS_MARKS, asked)
        marks = {row["part"]: (row["counted"], int(row["summed"]), int(row["placed"])) for row in rows}
        for part in listed.unlike(marks):
            first, beyond = part << queries.STATUS_PART_BITS, part + 1 << queries.STATUS_PART_BITS
            bounds = {**asked, "first": first, "beyond": beyond}
            listed.read(await self._store.fetch(queries.STATUS_ENTRIES_OF_PART, bounds))

    async def _show_newer(self, listed: OwnList) -> None:
        version: Any = await self._store.fetch_one(queries.STATUS_VERSION, {"status_list": listed.uri})
        kept = self._source.kept_at(listed.uri)
        if version is not None and (kept is None or version["version"] > kept.version):
            await self._show(listed.uri)

    async def _show(self, uri: str) -> bool:
        """Show a list as it was last published; whether there is one that still holds."""
        row: Any = await self._store.fetch_one(queries.STATUS_PUBLICATION, {"status_list": uri})
        kept = None if row is None else await asyncio.to_thread(kept_list, row)
        if kept is None or not kept.usable(self._clock.now()):
            return False
        self._source.keep_verified(kept, uri)
        return True


class _OpenedMeanwhile(Conflict):
    pass
