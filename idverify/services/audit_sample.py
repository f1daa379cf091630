"""The random audit: signed root and seed draw entries, each is opened and held against its evidence.

An immutable log can hold lies. So entries are drawn, by an auditor's seed that nobody knew when the root was signed,
opened, and judged by an independent look at what they rest on (``audit_checks``). What comes out names no person:
index, type, checks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from idverify.errors import NotFound, Unavailable
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.commitment import opens
from idverify.ledger.entry import Entry
from idverify.ledger.errors import LedgerError, MalformedError
from idverify.ledger.merkle import leaf_hash, verify_inclusion
from idverify.ledger.proof import TlogProof
from idverify.ledger.receipt import Opening
from idverify.ledger.sample import sample
from idverify.services.audit_checks import CHECKS, Opened, public_object
from idverify.services.erase import ERASED
from idverify.services.office import Office
from idverify.services.people import Person, read_by_id
from idverify.services.records import ENTRY_TYPES, PUBLIC_TYPES, opening_place, split_opening
from idverify.stores import audit_queries
from idverify.stores.ledger import StoredLedger
from idverify.stores.vault import SealBroken

_OPENS = "it opens"


@dataclass(frozen=True, slots=True)
class Judged:
    """One entry: its true type, every check by name (``None``: cannot be told any more), its proof.

    ``proof`` is a ``.tlog-proof`` with the opening in it where the entry is about the service itself, and no opening
    where it is about somebody: such a one may be shown to anybody.
    """

    index: int
    type: str
    about_ourselves: bool
    checks: dict[str, bool | None]
    proof: bytes

    @property
    def holds(self) -> bool:
        """Whether no check fails."""
        return False not in self.checks.values()


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn: by which signed checkpoint and seed (empty: the operator could steer it), and which indices."""

    checkpoint: Checkpoint
    note: bytes
    indices: tuple[int, ...]
    seed: bytes = b""


async def draw(office: Office, count: int, seed: bytes = b"") -> Drawn:
    """The entries that the newest checkpoint draws with a seed. Raises ``Unavailable`` where none was signed yet."""
    try:
        _, note = await office.log_book.receipt_proof(office.log.shard, 0)
    except LedgerError as early:
        raise Unavailable(f"There is no signed checkpoint to draw entries by: {early}.") from early
    checkpoint, _ = office.log_book.policy_of(office.log.origin).policy.open(note)
    return Drawn(checkpoint, note, tuple(sample(checkpoint.root, checkpoint.size, count, seed)), seed)


async def judge(office: Office, drawn: Drawn) -> AsyncIterator[Judged]:
    """Every drawn entry, opened and judged. Raises ``Unavailable`` where the HSM is away."""
    for index in drawn.indices:
        yield await _judged(office, drawn, index)


async def _judged(office: Office, drawn: Drawn, index: int) -> Judged:
    hashes, _ = await office.log_book.receipt_proof(office.log.shard, index)
    (raw,) = await StoredLedger(office.store, office.log.shard).entries(index, index + 1)
    checks: dict[str, bool | None] = {"it is in the signed tree": _included(drawn, index, raw, hashes)}
    row: Any = await office.store.fetch_one(audit_queries.RECORD, {"shard": office.log.shard, "index": index})
    entry = _entry(raw)
    if row is None or entry is None or row["handle"] != entry.handle:
        checks["it has its row"] = False
        return Judged(index, "unknown", about_ourselves=False, checks=checks, proof=_proof(drawn, index, hashes))
    ours, opening = row["person_id"] is None and row["type"] != ERASED, None
    if row["type"] == ERASED:
        checks["it was erased: its opening is gone"] = row["opening"] == b"" and row["person_id"] is None
    else:
        checks["the public type is that of its true type"] = ENTRY_TYPES.get(row["type"]) is entry.type
        opening = await _opened(office, row, entry, raw, checks)
    return Judged(index, row["type"], ours, checks, _proof(drawn, index, hashes, opening if ours else None))


async def _opened(office: Office, row: Any, entry: Entry, raw: bytes, checks: dict[str, bool | None]) -> Opening | None:
    """The opening of an entry, and in ``checks`` what is found behind it."""
    if entry.type in PUBLIC_TYPES:
        checks |= {name: holds async for name, holds in public_object(office, entry, row["type"])}
        return None
    try:
        person = await _person(office, row)
        kept = row["opening"] if person is None else person.key.unseal(row["opening"], opening_place(entry.handle))
        salt, record = split_opening(kept)
        checks[_OPENS] = opens(salt, record, entry.digest) and record.type == row["type"]
        if checks[_OPENS]:  # so the type is the one that was committed to, and has its check
            opened = Opened(office, office.log.shard, entry, record.type, record, person)
            checks |= {name: holds async for name, holds in CHECKS[record.type](opened)}
    except (MalformedError, NotFound, SealBroken):
        checks[_OPENS] = False
        return None
    return Opening(raw, salt, record)


async def _person(office: Office, row: Any) -> Person | None:
    return None if row["person_id"] is None else await read_by_id(office, row["person_id"])


def _included(drawn: Drawn, index: int, raw: bytes, hashes: list[bytes]) -> bool:
    tree = drawn.checkpoint
    try:
        verify_inclusion(index, tree.size, leaf_hash(raw), hashes, tree.root)
    except LedgerError:
        return False
    return True


def _entry(raw: bytes) -> Entry | None:
    try:
        return Entry.decode(raw)
    except MalformedError:
        return None


def _proof(drawn: Drawn, index: int, hashes: list[bytes], opening: Opening | None = None) -> bytes:
    return TlogProof(index, tuple(hashes), drawn.note, None if opening is None else opening.encode()).encode()
