"""Publishing one list: its decoys moved where it changed, compressed once, signed in both forms, committed.

Everything that takes time over a million entries runs in a thread. A changed list goes on the ledger by its digest;
while the ledger is halted, that waits, and the list says all the same what was decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.credential import Issuer
from idverify.errors import Conflict
from idverify.formats import status_list, status_list_cwt
from idverify.formats.base import ToBeSigned
from idverify.formats.status_list import StatusList, StatusListClaims, content_digest
from idverify.ledger.entry import EntryType
from idverify.ports import Clock, Entropy, Signer
from idverify.services.own_list import OwnList
from idverify.services.records import public_object
from idverify.services.status_source import KeptList
from idverify.services.waiting import commit_or_wait
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.writes import Change, Insert, Recorded, Write, WriteSet

TTL_SECONDS: Final = 300
LIFE_SECONDS: Final = 24 * 3600
REFRESH_SECONDS: Final = 120
FIRST_MOVES: Final = 4096
"""So many decoys, and up to as many more, a list has when it is opened."""
MOST_MOVES: Final = 8
"""Fewer than so many decoys move with a change."""


@dataclass(frozen=True, slots=True)
class Board:
    """Below which address the lists are published, and who signs the next one."""

    base: str
    issuer: Callable[[], Issuer]

    def uri(self, number: int) -> str:
        """The address of a list."""
        return f"{self.base}/{number}"


class PublishedMeanwhile(Conflict):
    """Another process published the list between our reading and our writing."""


@dataclass(frozen=True, slots=True)
class _Printed:
    """One list, ready to be signed."""

    statuses: StatusList
    digest: bytes
    moves: int
    issuer: Issuer
    unsigned: tuple[ToBeSigned, ToBeSigned]  # as a JWT and as a CWT


class Press:
    """Signs and commits lists."""

    def __init__(self, board: Board, store: Store, signer: Signer, clock: Clock, entropy: Entropy) -> None:
        self._board, self._store, self._signer = board, store, signer
        self._clock, self._entropy = clock, entropy

    async def publish(self, listed: OwnList, *, cover: bool) -> KeptList:
        """The list as it was committed. ``cover``: decoys move though nothing changed.

        Its version rises with every signing, its time never goes back. Raises ``PublishedMeanwhile``.
        """
        before: Any = await self._store.fetch_one(queries.STATUS_PUBLICATION, {"status_list": listed.uri})
        now = self._clock.now() if before is None else max(self._clock.now(), before["signed_at"])
        version = 1 if before is None else before["version"] + 1
        claims = StatusListClaims(listed.uri, now, now + LIFE_SECONDS, TTL_SECONDS, version)
        printed = await self._print(listed, before, claims, cover=cover)
        signing = (self._signer.sign(printed.issuer.key_id, one.payload) for one in printed.unsigned)
        signatures = await asyncio.gather(*signing)
        jwt, cwt = printed.unsigned
        token, cwt_token = status_list.seal(jwt, signatures[0]), status_list_cwt.seal(cwt, signatures[1])
        row = {
            "status_list": listed.uri,
            "version": version,
            "content_digest": printed.digest,
            "token": token,
            "signed_at": now,
            "decoys": printed.moves,
            "cwt": cwt_token,
        }
        await self._commit(before, row)
        listed.move_to(printed.moves)
        return KeptList(printed.statuses, now, claims.expires_at, TTL_SECONDS, token, version, cwt_token)

    async def _print(self, listed: OwnList, before: Any, claims: StatusListClaims, *, cover: bool) -> _Printed:
        """Decoys move at the first time, with whatever changed since the list was last published, and for cover."""
        moves = 0 if before is None else before["decoys"] or 0
        statuses = listed.packed(moves)
        digest = await asyncio.to_thread(content_digest, listed.uri, statuses)
        if before is None or cover or digest != before["content_digest"]:
            moves = min(moves + self._drawn(first=before is None, cover=cover), listed.decoys.most())
            statuses = listed.packed(moves)
            digest = await asyncio.to_thread(content_digest, listed.uri, statuses)
        issuer = self._board.issuer()
        unsigned = await asyncio.to_thread(prepared, statuses, claims, issuer)
        return _Printed(statuses, digest, moves, issuer, unsigned)

    def _drawn(self, *, first: bool, cover: bool) -> int:
        """How often decoys move: at random, for cover at least once."""
        if first:
            return FIRST_MOVES + int.from_bytes(self._entropy(2), "big") % FIRST_MOVES
        return max(int(cover), self._entropy(1)[0] % MOST_MOVES)

    async def _commit(self, before: Any, row: Mapping[str, Any]) -> None:
        entries: tuple[Recorded, ...] = ()
        if before is None or before["content_digest"] != row["content_digest"]:
            digest = row["content_digest"]
            entries = (public_object(EntryType.STATUS_LIST, "status-list.published", self._entropy(16), digest),)
        await commit_or_wait(self._store, WriteSet((_in_place_of(before, row),), entries))


def prepared(statuses: StatusList, claims: StatusListClaims, issuer: Issuer) -> tuple[ToBeSigned, ToBeSigned]:
    """One list in both forms, compressed once."""
    compressed = status_list.compress(statuses.packed)
    as_jwt = status_list.prepare(statuses, claims, issuer, compressed)
    return as_jwt, status_list_cwt.prepare(statuses, claims, issuer, compressed)


def _in_place_of(before: Any, row: Mapping[str, Any]) -> Write:
    """The row of a publication, unless it is another one by now that this takes the place of."""
    meanwhile = PublishedMeanwhile("Another process published the status list.")
    if before is None:
        return Insert(tables.status_publication, row, meanwhile)
    known = {name: before[name] for name in ("status_list", "version", "content_digest")}
    return Change(tables.status_publication, known, row, meanwhile)


def kept_list(row: Any) -> KeptList:
    """A published list from its row."""
    listed = status_list.read(row["token"])
    times = listed.claims.issued_at, listed.claims.expires_at, TTL_SECONDS
    return KeptList(listed.statuses, *times, row["token"], row["version"], row["cwt"])
