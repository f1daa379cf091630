"""Deciding on a person's status. Suspending, reinstating and revoking take two people.

One write set holds the decision, the person's new status, every copy's new status and the ledger entries of
all of them: a decision touches all copies or none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from idverify.core.decision import (
    CopyStatus,
    DecisionKind,
    Effect,
    PersonStatus,
    require_reason,
    transition,
)
from idverify.core.policy import Act, Principal, require_may, require_second_person
from idverify.errors import Conflict, Gone, NotFound, Unprocessable
from idverify.formats.status_list import StatusValue
from idverify.ledger.commitment import Record
from idverify.services.office import Office
from idverify.services.people import Person, read
from idverify.services.records import about_person
from idverify.services.sealed import DecisionContent, seal_content, unseal_content
from idverify.stores import queries, tables
from idverify.stores.writes import Change, Consume, IndexOf, Insert, Put, Recorded, Write, WriteSet

PROPOSAL_SECONDS: Final = 72 * 3600
ATTEMPTS: Final = 5
LIST_VALUE: Final = {
    CopyStatus.VALID: StatusValue.VALID,
    CopyStatus.INVALID: StatusValue.INVALID,
    CopyStatus.SUSPENDED: StatusValue.SUSPENDED,
}


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is to be decided: on whom, what, why, on what legal basis, and for a grant the permission."""

    person: bytes
    kind: DecisionKind
    reason: str
    legal_basis: str
    permission: BaseModel | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A recorded decision. ``copies`` is how many credentials changed with it."""

    handle: bytes
    ledger_index: int
    status: PersonStatus
    copies: int


@dataclass(frozen=True, slots=True)
class Proposed:
    """A decision that waits for the second person until ``expires_at`` (Unix seconds)."""

    handle: bytes
    expires_at: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal as the second officer sees it."""

    handle: bytes
    ruling: Ruling
    proposed_by: str
    expires_at: int


class _MovedOn(Conflict):
    """Somebody else changed the person between our reading and our writing."""


async def decide(office: Office, officer: Principal, ruling: Ruling) -> Decided | Proposed:
    """Record the decision, or a proposal where it takes two people."""
    require_may(officer, Act.DECIDE)
    require_reason(ruling.kind, ruling.reason)
    person = await read(office, ruling.person)
    effect = transition(ruling.kind, person.status)
    if effect.carries_permission and ruling.permission is None:
        raise Unprocessable(f"A decision to {ruling.kind.value} needs the permission that it gives.")
    if not effect.carries_permission and ruling.permission is not None:
        raise Unprocessable(f"A decision to {ruling.kind.value} carries no permission; leave it out.")
    if effect.two_people:
        return await _propose(office, officer, ruling, person)
    return await _execute(office, ruling, officer.actor, None, ())


async def approve(office: Office, officer: Principal, proposal: bytes) -> Decided:
    """Carry out what another officer proposed."""
    require_may(officer, Act.DECIDE)
    row = await office.store.fetch_one(queries.PROPOSAL, {"handle": proposal})
    if row is None:
        raise NotFound("There is no such proposal.")
    require_second_person(row["proposed_by"], officer)
    used = Conflict("This proposal was carried out already.")
    if row["consumed_at"] is not None:  # what it decided is done, so the person's status would refuse it first
        raise used
    consume = Consume(
        tables.proposal,
        row["id"],
        office.clock.now(),
        used=used,
        expired=Gone("This proposal has expired; it must be made again."),
        unknown=NotFound("There is no such proposal."),
    )
    person = await read(office, row["person_handle"])
    basis = unseal_content(person.key, "proposal", row["id"], row["sealed"]).legal_basis
    ruling = Ruling(row["person_handle"], DecisionKind(row["kind"]), row["reason"], basis)
    return await _execute(office, ruling, row["proposed_by"], officer.actor, (consume,))


async def waiting(office: Office, officer: Principal) -> list[Waiting]:
    """Every proposal that waits for a second officer."""
    require_may(officer, Act.DECIDE)
    asked = {"at": office.clock.now(), "wrapping_key_id": office.custodian.wrapping_key_id}
    proposals = []
    for row in await office.store.fetch(queries.OPEN_PROPOSALS, asked):
        key = await office.person_key(row, row["person_id"])
        basis = unseal_content(key, "proposal", row["id"], row["sealed"]).legal_basis
        ruling = Ruling(row["person_handle"], DecisionKind(row["kind"]), row["reason"], basis)
        proposals.append(Waiting(row["handle"], ruling, row["proposed_by"], row["expires_at"]))
    return proposals


async def _propose(office: Office, officer: Principal, ruling: Ruling, person: Person) -> Proposed:
    now, handle, proposal_id = office.clock.now(), office.new_handle(), office.new_id()
    content = DecisionContent(legal_basis=ruling.legal_basis)
    row = {
        "id": proposal_id,
        "handle": handle,
        "person_id": person.id,
        "kind": ruling.kind.value,
        "reason": ruling.reason,
        "sealed": seal_content(person.key, "proposal", proposal_id, content),
        "proposed_by": officer.actor,
        "created_at": now,
        "expires_at": now + PROPOSAL_SECONDS,
        "consumed_at": None,
    }
    await office.store.commit(WriteSet((Insert(tables.proposal, row),)))
    return Proposed(handle, now + PROPOSAL_SECONDS)


async def _execute(
    office: Office, ruling: Ruling, decided_by: str, approved_by: str | None, first: tuple[Write, ...]
) -> Decided:
    """Commit against the person as last read; read again if somebody was faster."""
    for _ in range(ATTEMPTS):
        person = await read(office, ruling.person)
        effect = transition(ruling.kind, person.status)
        copies = await _copies_to_change(office, person, effect)
        handle = office.new_handle()
        work = _write_set(office, ruling, person, effect, copies, handle, (decided_by, approved_by), first)
        try:
            indices = await office.store.commit(work)
        except _MovedOn:
            continue
        flips = [(copy["status_list"], copy["status_index"], LIST_VALUE[effect.copies]) for copy in copies]
        await office.board.apply(flips)
        return Decided(handle, indices[0], effect.leads_to, len(copies))
    raise Conflict("The person's record keeps changing. Try again.")


async def _copies_to_change(office: Office, person: Person, effect: Effect) -> list[Any]:
    rows = await office.store.fetch(queries.CREDENTIALS_OF_PERSON, {"person_id": person.id})
    final = CopyStatus.INVALID.value
    return [row for row in rows if row["status"] not in (final, effect.copies.value)]


def _write_set(
    office: Office,
    ruling: Ruling,
    person: Person,
    effect: Effect,
    copies: list[Any],
    handle: bytes,
    people: tuple[str, str | None],
    first: tuple[Write, ...],
) -> WriteSet:
    decision_id, now = office.new_id(), office.clock.now()
    permission = None if ruling.permission is None else ruling.permission.model_dump(mode="json")
    content = DecisionContent(legal_basis=ruling.legal_basis, permission=permission)
    row = {
        "id": decision_id,
        "handle": handle,
        "person_id": person.id,
        "issuer_id": office.deployment.issuer_id,
        "kind": ruling.kind.value,
        "reason": ruling.reason,
        "sealed": seal_content(person.key, "decision", decision_id, content),
        "decided_by": people[0],
        "approved_by": people[1],
        "decided_at": now,
        "ledger_index": IndexOf(0),
    }
    record = Record(
        f"decision.{ruling.kind.value}",
        hashlib.sha256(content.model_dump_json().encode()).digest(),
        None,
        None,
        ruling.reason,
        handle,
    )
    entries = [about_person(record, handle, person.id, person.key, office.entropy)]
    changes: list[Write] = [*first, Insert(tables.decision, row), _person_change(person, effect, decision_id)]
    for copy in copies:
        entries.append(_copy_entry(office, person, copy, effect, ruling, handle))
        changes += _copy_changes(copy, effect)
    return WriteSet(tuple(changes), tuple(entries))


def _person_change(person: Person, effect: Effect, decision_id: bytes) -> Change:
    permission = decision_id if effect.carries_permission else person.permission_decision_id
    return Change(
        tables.person,
        {"id": person.id, "version": person.version},
        {
            "status": effect.leads_to.value,
            "permission_decision_id": permission,
            "version": person.version + 1,
        },
        _MovedOn("The person's record has changed."),
    )


def _copy_entry(office: Office, person: Person, copy: Any, effect: Effect, ruling: Ruling, decision: bytes) -> Recorded:
    record = Record(
        f"credential.{effect.copies.value}",
        copy["issuer_signed_digest"],
        copy["key_id"],
        (copy["status_list"], copy["status_index"]),
        ruling.reason,
        decision,
    )
    return about_person(record, office.new_handle(), person.id, person.key, office.entropy)


def _copy_changes(copy: Any, effect: Effect) -> list[Write]:
    entry = {
        "status_list": copy["status_list"],
        "status_index": copy["status_index"],
        "value": int(LIST_VALUE[effect.copies]),
    }
    return [
        Change(tables.credential, {"id": copy["id"]}, {"status": effect.copies.value}),
        Put(tables.status_entry, entry),
    ]
