"""What waits for a second person: sealed under the key of whom it is about, good once, for 72 hours."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table

from idverify.auth.step_up import verify_evidence
from idverify.core.action import Action
from idverify.core.policy import Principal, require_person, require_second_person
from idverify.errors import Conflict, Gone, NotFound
from idverify.services.ceremonies import SECONDS, Ceremony
from idverify.services.confirmed_by import is_by
from idverify.services.office import Office
from idverify.services.people import Person
from idverify.services.sealed import DecisionContent, seal_content
from idverify.services.step_up import Authorisation
from idverify.stores import queries, tables
from idverify.stores.writes import Change, Consume, Insert, Write, WriteSet

PROPOSAL_SECONDS: Final = 72 * 3600
ALTERED: Final = "What waits here is not what was proposed. Nothing was done; propose it again."


@dataclass(frozen=True, slots=True)
class Proposed:
    """What waits for the second person until ``expires_at`` (Unix seconds)."""

    handle: bytes
    expires_at: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal as it is shown: by whom, good until ``expires_at`` (Unix seconds), and whether it was carried out."""

    handle: bytes
    proposed_by: str
    expires_at: int
    carried_out: bool


def waiting_columns(row: Any) -> tuple[bytes, str, int, bool]:
    """What ``Waiting`` holds, of a row of any table of proposals."""
    return row["handle"], row["proposed_by"], row["expires_at"], row["consumed_at"] is not None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to be done to a person: ``kind`` is what, ``reason`` a word of a closed list."""

    kind: str
    reason: str
    content: DecisionContent


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A proposal on its way: its row, that of the confirmation by whoever made it, and the writes that use it up."""

    row: Any
    confirmed: Any
    writes: tuple[Write, ...]

    def require_over(self, action: Action) -> None:
        """Raises ``Conflict`` unless this is the act that whoever proposed it confirmed."""
        if self.confirmed["action_digest"] != action.digest():
            raise Conflict(ALTERED)


async def propose(
    office: Office, proposer: Principal, person: Person, proposal: Proposal, confirmed: Authorisation, *more: Insert
) -> Proposed:
    """Keep it for a second person; ``more`` are rows that become true with it."""
    now, handle, proposal_id = office.clock.now(), office.new_handle(), office.new_id()
    row = {
        "id": proposal_id,
        "handle": handle,
        "person_id": person.id,
        "permission_decision_id": person.permission_decision_id,
        "kind": proposal.kind,
        "reason": proposal.reason,
        "sealed": seal_content(person.key, "proposal", proposal_id, proposal.content),
        "proposed_by": proposer.actor,
        "proposed_by_account": require_person(proposer).account,
        "authorisation_id": confirmed.id,
        "created_at": now,
        "expires_at": now + PROPOSAL_SECONDS,
        "consumed_at": None,
    }
    whom = person.id, person.key
    writes = (*confirmed.writes(whom), Insert(tables.proposal, row), *more)
    await office.store.commit(WriteSet(writes, confirmed.entries(office, whom)))
    return Proposed(handle, now + PROPOSAL_SECONDS)


async def find(office: Office, handle: bytes, kinds: Container[str]) -> Any:
    """The row of a proposal of one of these kinds. Raises ``NotFound``."""
    row: Any = await office.store.fetch_one(queries.PROPOSAL, {"handle": handle})
    if row is None or row["kind"] not in kinds:
        raise NotFound("There is no such proposal.")
    return row


async def approvable(office: Office, approver: Principal, handle: bytes, kinds: Container[str]) -> TakenUp:
    """A proposal of one of these kinds that this person can carry out now."""
    row = await find(office, handle, kinds)
    confirmed: Any = await office.store.fetch_one(queries.AUTHORISATION, {"id": row["authorisation_id"]})
    if confirmed is None:
        raise Gone("This was proposed before proposals were confirmed with a key; it must be proposed again.")
    return TakenUp(row, confirmed, await taken_up(office, approver, tables.proposal, row, confirmed))


async def taken_up(office: Office, approver: Principal, table: Table, row: Any, confirmed: Any) -> tuple[Write, ...]:
    """The writes that use up a proposal (a row of ``table``), if this person may carry it out now.

    ``confirmed`` holds the account and the key that confirmed it. They are preconditions: neither may have been shown
    the door meanwhile. Raises ``NotAllowed`` for whoever made it, ``Conflict`` if it was carried out or nobody
    confirmed it, ``Gone`` if it has expired.
    """
    require_second_person(row["proposed_by"], confirmed["account_id"], approver)
    await _require_by_colleague(office, approver, confirmed)
    consume = Consume(
        table,
        row["id"],
        office.clock.now(),
        used=Conflict("This proposal was carried out already."),
        expired=Gone("This proposal has expired; it must be made again."),
        unknown=NotFound("There is no such proposal."),
    )
    if row["consumed_at"] is not None:  # what it decided is done, so whatever it is about would refuse it first
        raise consume.used
    if min(row["expires_at"], _proposed_at(confirmed) + PROPOSAL_SECONDS + SECONDS[Ceremony.STEP_UP]) <= consume.at:
        raise consume.expired
    return consume, *_still_here(confirmed)


async def _require_by_colleague(office: Office, approver: Principal, confirmed: Any) -> None:
    """Raises ``Conflict`` unless a key of the proposer's account signed it, which has the approver's role.

    A row is written easily; evidence alone says only that it fits the key that is in it.
    """
    if not await is_by(office.store, office.doors, office.deployment.iss, approver.role, confirmed):
        raise Conflict(ALTERED)


def _proposed_at(confirmed: Any) -> int:
    """When it was proposed, as whoever proposed it signed it."""
    return verify_evidence(confirmed["evidence"]).context.issued_at


def _still_here(confirmed: Any) -> tuple[Change, Change]:
    """The account of whoever proposed it has not ended, and the key that confirmed it still confirms things."""
    left = Conflict("Whoever proposed this has left since; it must be proposed again.")
    gone = Conflict("The key that confirmed this proposal was suspended or removed since; it must be proposed again.")
    in_use = {"id": confirmed["security_key_id"], "removed_at": None, "suspended_at": None}
    return (
        Change(tables.account, {"id": confirmed["account_id"], "ended_at": None}, {"ended_at": None}, left),
        Change(tables.security_key, in_use, {"removed_at": None}, gone),
    )
