"""Erasing a person: the key under which everything about them rests goes, and with it every opening on the ledger.

Two admins, as for a revocation: one proposes, another carries it out, both confirm the same act. What stays:

- the log, in which the person's entries are random bytes now, under proofs that still hold;
- their status indices, which are never given to anybody else; the list does not change, and tells nothing;
- that members of staff confirmed acts and looked at records, at what time, but not at whose;
- one entry that holds how many people and entries were erased, and how two people confirmed it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from idverify.core.action import Action, canonical_json
from idverify.core.decision import CopyStatus
from idverify.core.erasure import ACT, require_erasable, require_reason
from idverify.core.policy import Act, Principal, require_may, require_person
from idverify.errors import Conflict
from idverify.ledger.commitment import Record
from idverify.services import proposals, step_up
from idverify.services.ceremonies import Given
from idverify.services.office import Office
from idverify.services.people import Person, look, read, record_view
from idverify.services.proposals import Proposal, Proposed, TakenUp, waiting_columns
from idverify.services.records import entry
from idverify.services.sealed import DecisionContent, unseal_content
from idverify.services.step_up import Authorisation
from idverify.stores import queries, tables
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Change, Put, Remove, Write, WriteSet

ERASE: Final = "erase"
ERASED: Final = "erased"
_KINDS: Final = frozenset({ERASE})
_COUNTS: Final = re.compile(r"people ([1-9][0-9]*), entries ([1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Erasure:
    """Who is to be erased (handle), why, and on what legal basis."""

    person: bytes
    reason: str
    legal_basis: str

    def action(self) -> Action:
        """What both people confirm."""
        return Action(ACT, self.person.hex(), {"reason": self.reason, "legal_basis": self.legal_basis})


@dataclass(frozen=True, slots=True)
class Erased:
    """A person was erased. ``scrubbed`` is whether their key was found to be gone from the database's files."""

    ledger_index: int
    entries: int
    scrubbed: bool


@dataclass(frozen=True, slots=True)
class Waiting(proposals.Waiting):
    """An erasure that waits for a second admin."""

    person: bytes
    reason: str


async def propose(office: Office, admin: Principal, erasure: Erasure, given: Given | None) -> Proposed:
    """Ask a second admin to erase a person. Raises ``Unprocessable`` while a document of theirs can be shown."""
    require_may(admin, Act.ERASE)
    require_person(admin)
    require_reason(erasure.reason)
    person = await read(office, erasure.person)
    _require_erasable(await office.store.fetch(queries.CREDENTIALS_OF_PERSON, {"person_id": person.id}), office)
    confirmed = await step_up.require(office, admin, erasure.action(), given)
    waits = Proposal(ERASE, erasure.reason, DecisionContent(legal_basis=erasure.legal_basis))
    seen = look(office, admin, person.id, "erasure", "made")
    return await proposals.propose(office, admin, person, waits, confirmed, seen)


async def waiting(office: Office, admin: Principal) -> list[Waiting]:
    """Every erasure that waits for a second admin."""
    require_may(admin, Act.ERASE)
    rows: list[Any] = await office.store.fetch(queries.OPEN_ERASURES, {"at": office.clock.now()})
    return [_waiting(row) for row in rows]


async def proposal(office: Office, admin: Principal, handle: bytes) -> tuple[Waiting, Erasure]:
    """One erasure with all that it says; whom it is about can see that it was read. Raises ``NotFound``."""
    require_may(admin, Act.ERASE)
    row = await proposals.find(office, handle, _KINDS)
    person = await read(office, row["person_handle"])
    await record_view(office, admin, person.id)
    return _waiting(row), _proposed(row, person)


async def approve(office: Office, admin: Principal, proposal: bytes, given: Given | None) -> Erased:
    """Erase whom another admin proposed to erase, for good. Raises ``StepUpRequired`` without ``given``."""
    require_may(admin, Act.ERASE)
    taken = await proposals.approvable(office, admin, proposal, _KINDS)
    row = taken.row
    person = await read(office, row["person_handle"])
    action = _proposed(row, person).action()
    taken.require_over(action)
    confirmed = await step_up.require(office, admin, action, given)
    index, entries, wrapped = await office.store.write(partial(_carry_out, office, person, taken, confirmed))
    office.vault.forget(person.id)
    return Erased(index, entries, await office.store.scrub(wrapped))


def _waiting(row: Any) -> Waiting:
    return Waiting(*waiting_columns(row), row["person_handle"], row["reason"])


def _proposed(row: Any, person: Person) -> Erasure:
    content = unseal_content(person.key, "proposal", row["id"], row["sealed"])
    return Erasure(person.handle, row["reason"], content.legal_basis)


async def _carry_out(
    office: Office,
    person: Person,
    taken: TakenUp,
    confirmed: Authorisation,
    transaction: Transaction,
) -> tuple[int, int, list[bytes]]:
    """Runs on the writer: index of the entry, number of entries that nobody can open any more, wrapped keys."""
    of_person = {"person_id": person.id}
    _require_erasable(await transaction.fetch(queries.CREDENTIALS_OF_PERSON, of_person), office)
    indices = await transaction.fetch(queries.INDICES_OF_PERSON, of_person)
    if any(row["state"] == "open" for row in indices):
        raise Conflict("A document is being issued to this person at this moment. Try again.")
    wrapped = [bytes(row["wrapped"]) for row in await transaction.fetch(queries.KEYS_OF_PERSON, of_person)]
    entries = len(await transaction.fetch(queries.RECORDS_OF_PERSON, of_person))
    account = await transaction.fetch(queries.ACCOUNT_OF_PERSON, of_person)
    writes = (
        *taken.writes,
        *confirmed.writes((person.id, person.key)),
        *_kept_indices(indices),
        *_looks_of_nobody(person.id, indices),
        *_removed(person.id, account[0]["id"] if account else None),
    )
    said = _record(1, entries, taken.confirmed, confirmed)
    deed = entry(said, office.entropy, None)
    index, _ = await transaction.apply(WriteSet(writes, confirmed.entries(office, deed=deed)))
    return index, entries, wrapped


def _record(people: int, entries: int, proposed: Any, confirmed: Authorisation) -> Record:
    """How many, and how two people confirmed it; never whom."""
    evidence = [hashlib.sha256(proposed["evidence"]).hexdigest(), confirmed.evidence_digest.hex()]
    digest = erasure_digest(people, entries, evidence)
    return Record("erasure", digest, reason=f"people {people}, entries {entries}", decision=proposed["handle"])


def erasure_digest(people: int, entries: int, evidence: list[str]) -> bytes:
    """The object of an erasure: how many, and the SHA-256 (hex) of how each of the two confirmed it."""
    return hashlib.sha256(canonical_json({"people": people, "entries": entries, "evidence": evidence})).digest()


def read_counts(record: Record) -> tuple[int, int] | None:
    """How many people and entries an erasure says it erased."""
    counts = _COUNTS.fullmatch(record.reason or "")
    return None if counts is None else (int(counts[1]), int(counts[2]))


def _require_erasable(copies: list[Any], office: Office) -> None:
    require_erasable(((CopyStatus(row["status"]), row["expires_at"]) for row in copies), office.clock.now())


def _kept_indices(indices: list[Any]) -> Iterator[Write]:
    """No index is ever used twice. A row that says VALID leaves the published list as it is."""
    for row in indices:
        if row["value"] is None:
            kept = {"status_list": row["status_list"], "status_index": row["status_index"], "value": 0}
            yield Put(tables.status_entry, kept)


def _looks_of_nobody(person_id: bytes, indices: list[Any]) -> Iterator[Write]:
    """That somebody looked stays with whoever looked; at whom goes."""
    nobody = {"person_id": None, "status_list": None, "status_index": None}
    yield Change(tables.look, {"person_id": person_id}, nobody)
    for row in indices:
        copy = {"status_list": row["status_list"], "status_index": row["status_index"]}
        yield Change(tables.look, copy, nobody)


def _removed(person_id: bytes, account: bytes | None) -> Iterator[Write]:
    """Every row about the person, those that refer to others first."""
    of_person = {"person_id": person_id}
    yield Change(tables.offer, of_person, {"replaces": None})
    for table in (
        tables.letter_order,
        tables.letter,
        tables.credential,
        tables.issuance,
        tables.offer,
        tables.proposal,
        tables.decision,
        tables.enrolment,
    ):
        yield Remove(table, of_person)
    if account is not None:
        for table in (
            tables.notice,
            tables.enrolment,
            tables.session,
            tables.ceremony,
            tables.authorisation,
            tables.security_key,
        ):
            yield Remove(table, {"account_id": account})
        yield Remove(tables.account, {"id": account})
    yield Change(tables.ledger_record, of_person, {"person_id": None, "type": ERASED, "opening": b""})
    yield Change(tables.authorisation, of_person, {"person_id": None, "action": None})
    yield Remove(tables.person_lookup, of_person)
    yield Remove(tables.person_key, of_person)
    yield Remove(tables.person, {"id": person_id})
