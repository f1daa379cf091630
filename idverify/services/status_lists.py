"""Our own status list: which indices are taken, what each says, and its signed form for the world.

The list is a function of the rows in ``status_entry``. It is signed when it changes and at least every
``REFRESH_SECONDS``, so that a verifier's copy is never old for want of a newer one; signing runs off the event
loop where it is heavy. Of several processes on one database each signs only after what another one published, so that
none takes back what another decided. A changed list goes on the ledger by its digest; while the ledger is halted, that
waits, and the list says all the same what was decided.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog

from idverify.core.credential import Issuer, StatusReference
from idverify.errors import Conflict, IdverifyError, SetupError, Unavailable
from idverify.formats import status_list
from idverify.formats.status_list import StatusList, StatusListClaims, StatusValue
from idverify.ledger.entry import EntryType
from idverify.ports import Clock, Entropy, Signer
from idverify.services.records import public_object
from idverify.services.status_source import KeptList, StatusSource
from idverify.services.waiting import commit_or_wait
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.writes import Change, Insert, Recorded, Write, WriteSet

SIZE: Final = 2**20
BITS: Final = 2
TTL_SECONDS: Final = 300
LIFE_SECONDS: Final = 24 * 3600
REFRESH_SECONDS: Final = 120
MOST_TAKEN: Final = SIZE * 3 // 4
GATHER_SECONDS: Final = 0.05
JITTER_SECONDS: Final = 0.2
PUBLISH_DEADLINE: Final = 3.0
ATTEMPTS: Final = 5

log = structlog.get_logger()
Flip = tuple[str, int, StatusValue]


@dataclass(frozen=True, slots=True)
class Board:
    """Where the list is published, and who signs it."""

    uri: str
    issuer: Issuer


class _PublishedMeanwhile(Conflict):
    pass


class StatusBoard:
    """One list. ``load`` first; ``run`` keeps it published; ``apply`` after the commit of what changed."""

    def __init__(
        self,
        board: Board,
        store: Store,
        signer: Signer,
        source: StatusSource,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self.uri = board.uri
        self._board, self._store, self._signer = board, store, signer
        self._source, self._clock, self._entropy = source, clock, entropy
        self._values: dict[int, StatusValue] = {}
        self._taken: set[int] = set()
        self._digest: bytes | None = None
        self._changed = asyncio.Event()
        self._published = asyncio.Condition()
        self._generation = 0
        self._shown = 0

    async def load(self) -> None:
        """Read the rows that the list is a function of, and publish once: no status address is ever dead."""
        await self.reload()
        await self.publish()

    async def reload(self) -> None:
        """Read the rows again: another process on the same database may have added to them."""
        rows = await self._store.fetch(queries.STATUS_ENTRIES, {"status_list": self.uri})
        self._values = {row["status_index"]: StatusValue(row["value"]) for row in rows}
        taken = await self._store.fetch(queries.STATUS_INDICES_TAKEN, {"status_list": self.uri})
        self._taken |= {row["status_index"] for row in taken} | self._values.keys()  # whose copy is erased, keeps it

    async def show_published(self) -> None:
        """Show the list as it was last published, without signing one: the service alone does that.

        Raises ``SetupError`` if there is none that still holds.
        """
        row: Any = await self._store.fetch_one(queries.STATUS_PUBLICATION, {"status_list": self.uri})
        listed = None if row is None else status_list.read(row["token"])
        expires = None if listed is None else listed.claims.expires_at
        if listed is None or expires is None or expires <= self._clock.now():
            raise SetupError("The newest status list has expired.", "Start the service; it signs a fresh one.")
        kept = KeptList(listed.statuses, listed.claims.issued_at, expires, TTL_SECONDS, row["token"])
        self._source.keep_verified(kept, self.uri)

    def allocate(self) -> StatusReference:
        """A random index that was never used. Raises ``Unavailable`` when the list is three quarters full."""
        if len(self._taken) >= MOST_TAKEN:
            raise Unavailable("The status list is full; a new one must be opened.")
        while True:
            index = int.from_bytes(self._entropy(4), "big") % SIZE
            if index not in self._taken:
                self._taken.add(index)
                return StatusReference(self.uri, index)

    async def apply(self, flips: Iterable[Flip]) -> None:
        """Show what was committed; returns when the signed list says it, or after ``PUBLISH_DEADLINE``."""
        ours = {index: value for uri, index, value in flips if uri == self.uri}
        if not ours:
            return
        self._values |= ours
        self._generation += 1
        awaited = self._generation
        self._changed.set()
        async with self._published:
            try:
                async with asyncio.timeout(PUBLISH_DEADLINE):
                    await self._published.wait_for(lambda: self._shown >= awaited)
            except TimeoutError:
                log.warning("status_list_late", awaited=awaited, shown=self._shown)

    async def run(self) -> None:
        """Publish on change, in jittered batches so that their time tells nothing of one decision, and on age."""
        while True:
            try:
                async with asyncio.timeout(REFRESH_SECONDS):
                    await self._changed.wait()
                jitter = int.from_bytes(self._entropy(2), "big") / 65536
                await asyncio.sleep(GATHER_SECONDS + JITTER_SECONDS * jitter)
            except TimeoutError:
                log.debug("status_list_refreshed")
            try:
                await self.publish()
            except IdverifyError as error:
                if self._store.stopped_by() is not None:  # for good: the process must end, a restart reads the truth
                    raise
                log.warning("status_list_not_signed", error=type(error).__name__)
                await asyncio.sleep(1)
                self._changed.set()

    async def publish(self) -> None:
        """Sign the list as it is now, commit it, then show it; again, if another process published one meanwhile."""
        for _ in range(ATTEMPTS):
            before: Any = await self._store.fetch_one(queries.STATUS_PUBLICATION, {"status_list": self.uri})
            if before is not None and before["content_digest"] != self._digest:
                await self.reload()
            with suppress(_PublishedMeanwhile):
                return await self._publish_after(before)
        raise Unavailable("Other processes were always faster to publish the status list.")

    async def _publish_after(self, before: Any) -> None:
        self._changed.clear()
        generation, now = self._generation, self._clock.now()
        values = {index: value for index, value in self._values.items() if value is not StatusValue.VALID}
        statuses = await asyncio.to_thread(status_list.pack, SIZE, BITS, values)
        claims = StatusListClaims(self.uri, now, now + LIFE_SECONDS, TTL_SECONDS)
        unsigned = await asyncio.to_thread(status_list.prepare, statuses, claims, self._board.issuer)
        signature = await self._signer.sign(self._board.issuer.key_id, unsigned.payload)
        token = status_list.seal(unsigned, signature)
        await self._commit(before, statuses, token, now)
        fresh = KeptList(statuses, now, claims.expires_at, TTL_SECONDS, token)
        self._source.keep_verified(fresh, self.uri)
        async with self._published:
            self._shown = generation
            self._published.notify_all()

    async def _commit(self, before: Any, statuses: StatusList, token: bytes, now: int) -> None:
        digest = content_digest(self.uri, statuses)
        changed = before is None or before["content_digest"] != digest
        version = 1 if before is None else before["version"] + changed
        row = {
            "status_list": self.uri,
            "version": version,
            "content_digest": digest,
            "token": token,
            "signed_at": now,
        }
        entries: tuple[Recorded, ...] = ()
        if changed:
            handle = self._entropy(16)
            entries = (public_object(EntryType.STATUS_LIST, "status-list.published", handle, digest),)
        await commit_or_wait(self._store, WriteSet((_in_place_of(before, row),), entries))
        self._digest = digest


def _in_place_of(before: Any, row: Mapping[str, Any]) -> Write:
    """The row of a publication, unless it is another one by now that this takes the place of."""
    meanwhile = _PublishedMeanwhile("Another process published the status list.")
    if before is None:
        return Insert(tables.status_publication, row, meanwhile)
    known = {name: before[name] for name in ("status_list", "version", "content_digest")}
    return Change(tables.status_publication, known, row, meanwhile)


def content_digest(uri: str, statuses: StatusList) -> bytes:
    """What the ledger holds of a published list: SHA-256 over its URI, a zero byte and the packed values."""
    return hashlib.sha256(uri.encode() + b"\0" + statuses.packed).digest()
