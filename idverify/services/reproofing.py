"""A code from a counter for somebody who has an account: it works a day later, and its owner can cancel it.

Whoever stands at the counter may look like the owner and not be. The delay gives the owner time; the notice is in every
session of theirs; and a letter tells whoever never signs in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from idverify.core import security_act
from idverify.core.person import PersonDetails
from idverify.core.policy import Act, Principal, require_may, require_person
from idverify.errors import Conflict, NotFound
from idverify.services import notices
from idverify.services.cancelling import cancelling
from idverify.services.invite import Kind
from idverify.services.notices import NoticeKind
from idverify.services.office import Office
from idverify.services.people import about, look, read, record_view
from idverify.services.records import act
from idverify.services.security_acts import deed
from idverify.services.waiting import commit_or_wait
from idverify.stores import queries
from idverify.stores.writes import Write, WriteSet

_OVER: Final = "This code was used, replaced or cancelled already."


@dataclass(frozen=True, slots=True)
class Asked:
    """A code that was made at a counter: for whom, when, from when it works and until when (Unix seconds)."""

    whose: PersonDetails
    at: int
    not_before: int
    expires_at: int


async def cancel(office: Office, principal: Principal, notice: bytes) -> None:
    """It was not the owner: the code of this notice opens nothing. Also while the log is halted.

    That an officer made the code stays on the ledger and in the person's record, and so does this.
    """
    person, found = require_person(principal), await notices.find(office, principal, notice)
    if found.kind is not NoticeKind.RE_PROOFING_ASKED or found.about is None:
        raise NotFound("There is no code to cancel.")
    row: Any = await office.store.fetch_one(queries.ENROLMENT_BY_ID, {"id": found.about})
    if row is None or not found.pending:
        raise Conflict(_OVER)
    whom = await about(office, person.person)
    done = deed(security_act.ENROLMENT_CANCELLED, row, office.entropy, whom)
    gone = cancelling({"id": row["id"]}, office.clock.now(), Conflict(_OVER))
    told = notices.telling(office, person.account, NoticeKind.RE_PROOFING_CANCELLED, row["id"], session=person.session)
    writes: list[Write] = [gone, notices.seen(office, found), told]
    if whom is not None:
        writes.append(look(office, principal, whom[0], "enrolment", "cancelled"))
    await commit_or_wait(office.store, WriteSet(tuple(writes), act(office.entropy, whom, deed=done)))


async def asked(office: Office, officer: Principal, handle: bytes) -> Asked:
    """The code that waits for a person, for the letter to them. Raises ``NotFound`` where none does."""
    require_may(officer, Act.ENROL_CITIZENS)
    person = await read(office, handle)
    wanted = {"person_id": person.id, "kind": Kind.RE_PROOFING.value, "at": office.clock.now()}
    row: Any = await office.store.fetch_one(queries.CODE_OF_PERSON, wanted)
    if row is None:
        raise NotFound("No code waits for this person.")
    await record_view(office, officer, person.id)
    return Asked(person.details, row["created_at"], row["not_before"], row["expires_at"])
