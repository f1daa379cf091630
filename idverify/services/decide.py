"""Deciding on a person's status. Suspending, reinstating and revoking take two people.

One write set holds the decision, the person's new status, every copy's new status and the ledger entries of
all of them: a decision touches all copies or none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson

from idverify.core.action import Action
from idverify.core.decision import (
    CopyStatus,
    DecisionKind,
    Effect,
    PersonStatus,
    require_reason,
    transition,
)
from idverify.core.person import PersonDetails
from idverify.core.policy import Act, Principal, require_may, require_person
from idverify.errors import Conflict, Unprocessable
from idverify.formats.status_list import StatusValue
from idverify.ledger.commitment import Record
from idverify.services import proposals, step_up
from idverify.services.ceremonies import Given
from idverify.services.office import Office
from idverify.services.people import Person, decision_in_force, read, record_view
from idverify.services.permissions import changed_types, require_content
from idverify.services.proposals import Proposal, Proposed, waiting_columns
from idverify.services.records import About, entry
from idverify.services.sealed import DecisionContent, seal_content, unseal_content
from idverify.services.step_up import Authorisation
from idverify.stores import queries, tables
from idverify.stores.transaction import Transaction
from idverify.stores.vault import PersonKey
from idverify.stores.writes import Change, IndexOf, Insert, Put, Recorded, ShardOf, Write, WriteSet

ATTEMPTS: Final = 5
_KINDS: Final = frozenset(kind.value for kind in DecisionKind)
LIST_VALUE: Final = {
    CopyStatus.VALID: StatusValue.VALID,
    CopyStatus.INVALID: StatusValue.INVALID,
    CopyStatus.SUSPENDED: StatusValue.SUSPENDED,
}


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is to be decided: on whom, what, why, on what legal basis, and for a grant or a change what is given."""

    person: bytes
    kind: DecisionKind
    reason: str
    content: DecisionContent

    def action(self) -> Action:
        """What whoever decides confirms; both people of a decision that takes two confirm the same.

        An act of form 1 stays as it was confirmed, and as its evidence has it.
        """
        said = self.content.to_json()
        said.pop("form", None)
        return Action("decide", self.person.hex(), {"kind": self.kind.value, "reason": self.reason, **said})


@dataclass(frozen=True, slots=True)
class Decided:
    """A recorded decision on a person (handle). ``copies`` is how many credentials changed with it."""

    handle: bytes
    person: bytes
    ledger_shard: int
    ledger_index: int
    status: PersonStatus
    copies: int


@dataclass(frozen=True, slots=True)
class Waiting(proposals.Waiting):
    """A proposal in the list of those that wait: enough to choose one, nothing of what is held on the person."""

    person: bytes
    kind: DecisionKind
    reason: str


@dataclass(frozen=True, slots=True)
class _Deciders:
    """Who decides, and how each confirmed it. ``proposed`` is the authorisation row of whoever proposed it."""

    decided_by: str
    approved_by: str | None
    confirmed: Authorisation
    proposed: Any = None

    @property
    def columns(self) -> dict[str, Any]:
        alone = self.approved_by is None
        return {
            "decided_by": self.decided_by,
            "approved_by": self.approved_by,
            "authorisation_id": self.confirmed.id if alone else self.proposed["id"],
            "approval_id": None if alone else self.confirmed.id,
        }

    @property
    def evidence(self) -> list[str]:
        """SHA-256 of how each confirmed it, the first person's first, in hex."""
        own = self.confirmed.evidence_digest.hex()
        return [own] if self.proposed is None else [hashlib.sha256(self.proposed["evidence"]).hexdigest(), own]


class _MovedOn(Conflict):
    """Somebody else changed the person between our reading and our writing."""


async def decide(office: Office, officer: Principal, ruling: Ruling, given: Given | None) -> Decided | Proposed:
    """Record the decision, or a proposal where it takes two people. Raises ``StepUpRequired`` without ``given``."""
    require_may(officer, Act.DECIDE)
    require_person(officer)
    require_reason(ruling.kind, ruling.reason)
    person = await read(office, ruling.person)
    effect = await _transition_seen(office, officer, ruling.kind, person)
    require_content(ruling.kind, effect, ruling.content, person.details)
    confirmed = await step_up.require(office, officer, ruling.action(), given)
    if effect.two_people:
        return await _propose(office, officer, ruling, person, confirmed)
    return await _execute(office, ruling, _Deciders(officer.actor, None, confirmed), ())


async def in_force(office: Office, officer: Principal, person: bytes) -> DecisionContent | None:
    """What a change starts from, for an officer on their way to decide; ``None``: nothing was given yet."""
    require_may(officer, Act.DECIDE)
    holder = await read(office, person)
    return None if holder.permission_decision_id is None else await decision_in_force(office, holder)


async def _transition_seen(office: Office, officer: Principal, kind: DecisionKind, person: Person) -> Effect:
    """The effect; a refusal tells the officer the person's status, so it is a look like any other."""
    try:
        return transition(kind, person.status)
    except Unprocessable:
        await record_view(office, officer, person.id)
        raise


async def approve(office: Office, officer: Principal, proposal: bytes, given: Given | None) -> Decided:
    """Carry out what another officer proposed. Raises ``StepUpRequired`` without ``given``."""
    require_may(officer, Act.DECIDE)
    taken = await proposals.approvable(office, officer, proposal, _KINDS)
    row = taken.row
    person = await read(office, row["person_handle"])
    ruling = _proposed(row, person.key)
    taken.require_over(ruling.action())
    seen = {"id": person.id, "permission_decision_id": row["permission_decision_id"]}
    moved = Conflict("The person's permission has changed since this was proposed; it must be proposed again.")
    still = Change(tables.person, seen, {"status": person.status.value}, moved)
    confirmed = await step_up.require(office, officer, ruling.action(), given)
    deciders = _Deciders(row["proposed_by"], officer.actor, confirmed, taken.confirmed)
    return await _execute(office, ruling, deciders, (*taken.writes, still))


async def waiting(office: Office, officer: Principal) -> list[Waiting]:
    """Every proposal that waits for a second officer."""
    require_may(officer, Act.DECIDE)
    rows: list[Any] = await office.store.fetch(queries.OPEN_PROPOSALS, {"at": office.clock.now()})
    return [_waiting(row) for row in rows]


async def proposal(office: Office, officer: Principal, handle: bytes) -> tuple[Waiting, Ruling, PersonDetails]:
    """One proposal with all that it says, and whom it is about: who can see that it was read."""
    require_may(officer, Act.DECIDE)
    row = await proposals.find(office, handle, _KINDS)
    person = await read(office, row["person_handle"])
    await record_view(office, officer, person.id)
    return _waiting(row), _proposed(row, person.key), person.details


def _waiting(row: Any) -> Waiting:
    return Waiting(*waiting_columns(row), row["person_handle"], DecisionKind(row["kind"]), row["reason"])


def _proposed(row: Any, key: PersonKey) -> Ruling:
    content = unseal_content(key, "proposal", row["id"], row["sealed"])
    return Ruling(row["person_handle"], DecisionKind(row["kind"]), row["reason"], content)


async def _propose(
    office: Office, officer: Principal, ruling: Ruling, person: Person, confirmed: Authorisation
) -> Proposed:
    waits = Proposal(ruling.kind.value, ruling.reason, ruling.content)
    proposed = await proposals.propose(office, officer, person, waits, confirmed)
    office.tally.decided("proposed")
    return proposed


async def _execute(office: Office, ruling: Ruling, deciders: _Deciders, first: tuple[Write, ...]) -> Decided:
    """Commit against the person as last read; read again if another decision was faster."""
    for _ in range(ATTEMPTS):
        person = await read(office, ruling.person)
        effect = transition(ruling.kind, person.status)
        decision = _Decision(office, ruling, person, effect, deciders, await _changed(office, ruling, person))
        try:
            shard, index, copies = await office.store.write(partial(decision.carry_out, first))
        except _MovedOn:
            continue
        office.tally.decided("made")
        await office.board.apply(
            [(copy["status_list"], copy["status_index"], LIST_VALUE[decision.effect.copies]) for copy in copies]
        )
        return Decided(decision.handle, person.handle, shard, index, decision.effect.leads_to, len(copies))
    raise Conflict("The person's record keeps changing. Try again.")


async def _changed(office: Office, ruling: Ruling, person: Person) -> frozenset[str]:
    """The types of which a change supersedes the copies: against what the person holds by the last decision."""
    if ruling.kind is not DecisionKind.VARY:
        return frozenset()
    return changed_types(await decision_in_force(office, person), ruling.content)


def object_digest(row: Any, evidence: list[str], content: DecisionContent) -> bytes:
    """What the ledger commits to: all of the decision, who took it, when, and how each confirmed it (SHA-256, hex)."""
    said = [
        row["handle"].hex(),
        row["kind"],
        row["reason"],
        row["decided_by"],
        row["approved_by"],
        evidence,
        row["decided_at"],
        content.to_json(),
    ]
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()


class _Decision:
    """One decision on its way into the database."""

    def __init__(
        self,
        office: Office,
        ruling: Ruling,
        person: Person,
        effect: Effect,
        deciders: _Deciders,
        changed: frozenset[str],
    ) -> None:
        self.office, self.ruling, self.person, self.effect, self.deciders = office, ruling, person, effect, deciders
        self.changed = changed
        self.id, self.handle, self.at = office.new_id(), office.new_handle(), office.clock.now()

    async def carry_out(self, first: tuple[Write, ...], transaction: Transaction) -> tuple[int, int, list[Any]]:
        """Runs on the writer: no copy can be issued between choosing the copies and changing them.

        Shard and index of the decision's entry, and the copies.
        """
        shard, _ = await transaction.log()
        rows = await transaction.fetch(queries.CREDENTIALS_OF_PERSON, {"person_id": self.person.id})
        settled = (CopyStatus.INVALID.value, self.effect.copies.value)
        copies = [row for row in rows if row["status"] not in settled and self._touches(row["type"])]
        person_changes = _person_change(self.person, self.effect, self.id)
        confirmed = self.deciders.confirmed
        decision = Insert(tables.decision, self._row())
        writes: list[Write] = [*first, *confirmed.writes(self._about), decision, person_changes]
        entries = [*confirmed.entries(self.office, self._about, self._entry(self._record()))]
        for copy in copies:
            entries.append(self._entry(_copy_record(copy, self.effect, self.ruling, self.handle)))
            writes += _copy_changes(copy, self.effect, self.id)
        return shard, (await transaction.apply(WriteSet(tuple(writes), tuple(entries))))[0], copies

    def _touches(self, type_id: str) -> bool:
        """A change leaves those copies alone of whose type nothing changed; every other decision touches all."""
        return self.ruling.kind is not DecisionKind.VARY or type_id in self.changed

    def _row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "handle": self.handle,
            "person_id": self.person.id,
            "issuer_id": self.office.deployment.issuer_id,
            "kind": self.ruling.kind.value,
            "reason": self.ruling.reason,
            "sealed": seal_content(self.person.key, "decision", self.id, self.ruling.content),
            **self.deciders.columns,
            "decided_at": self.at,
            "ledger_shard": ShardOf(),
            "ledger_index": IndexOf(0),
        }

    def _record(self) -> Record:
        digest = object_digest(self._row(), self.deciders.evidence, self.ruling.content)
        kind = f"decision.{self.ruling.kind.value}"
        return Record(kind, digest, None, None, self.ruling.reason, self.handle)

    def _entry(self, record: Record) -> Recorded:
        """Its handle is fresh: the decision's own stands in credentials, and must not lead to its entry."""
        return entry(record, self.office.entropy, self._about)

    @property
    def _about(self) -> About:
        return self.person.id, self.person.key


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


def _copy_record(copy: Any, effect: Effect, ruling: Ruling, decision: bytes) -> Record:
    return Record(
        f"credential.{effect.copies.value}",
        copy["issuer_signed_digest"],
        copy["key_id"],
        (copy["status_list"], copy["status_index"]),
        ruling.reason,
        decision,
    )


def _copy_changes(copy: Any, effect: Effect, decision_id: bytes) -> list[Write]:
    entry = {
        "status_list": copy["status_list"],
        "status_index": copy["status_index"],
        "value": int(LIST_VALUE[effect.copies]),
    }
    return [
        Change(tables.credential, {"id": copy["id"]}, {"status": effect.copies.value, "changed_by": decision_id}),
        Put(tables.status_entry, entry),
    ]
