"""Retiring one copy of a credential: its holder says so, with their security key, or collects another in its place.

No decision: the person's status and their other copies stay as they are, and none brings the copy back. Its row, its
place in the status list, the ledger entry and the notice commit together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from idverify.core.action import Action
from idverify.core.decision import CopyStatus
from idverify.core.policy import Act, Principal, require_may, require_person
from idverify.core.retirement import HOLDERS_REASONS, Retirement
from idverify.errors import Conflict, NotFound, Unprocessable
from idverify.formats.status_list import StatusValue
from idverify.ledger.commitment import Record
from idverify.services import notices, step_up
from idverify.services.ceremonies import Given
from idverify.services.notices import NoticeKind
from idverify.services.office import Office
from idverify.services.people import own_person
from idverify.services.records import About, act, entry
from idverify.services.step_up import Authorisation
from idverify.stores import queries, tables
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Change, Put, Recorded, Write, WriteSet

RETIRED: Final = "credential.retired"
_UNKNOWN: Final = "You have no such copy."
_WITHDRAWN: Final = "This copy was withdrawn before. It stays so."


@dataclass(frozen=True, slots=True)
class OwnCopy:
    """A copy, as its holder tells it from others. Times are Unix seconds; ``retired`` is why it was, if it was."""

    handle: bytes
    type: str
    format: str
    status: CopyStatus
    issued_at: int
    expires_at: int
    retired: Retirement | None


async def own_copies(office: Office, citizen: Principal) -> list[OwnCopy]:
    """The caller's copies, newest first."""
    require_may(citizen, Act.SEE_OWN_RECORD)
    person = await own_person(office, citizen)
    rows: list[Any] = await office.store.fetch(queries.CREDENTIALS_OF_PERSON, {"person_id": person.id})
    return list(map(copy_of, reversed(rows)))


async def own_copy(office: Office, citizen: Principal, handle: bytes) -> OwnCopy:
    """One of them. Raises ``NotFound``."""
    found = next((copy for copy in await own_copies(office, citizen) if copy.handle == handle), None)
    if found is None:
        raise NotFound(_UNKNOWN)
    return found


def copy_of(row: Any) -> OwnCopy:
    """The copy of a row of ``credential``."""
    retired = None if row["retired_for"] is None else Retirement(row["retired_for"])
    said = row["handle"], row["type"], row["format"], CopyStatus(row["status"]), row["issued_at"], row["expires_at"]
    return OwnCopy(*said, retired)


def action(copy: OwnCopy, why: Retirement) -> Action:
    """What the holder confirms."""
    said = {"type": copy.type, "format": copy.format, "issued_at": copy.issued_at, "reason": why.value}
    return Action("retire-copy", copy.handle.hex(), said)


async def retire(office: Office, citizen: Principal, handle: bytes, why: Retirement, given: Given | None) -> None:
    """Retire one of the caller's copies. Raises ``StepUpRequired`` without ``given``."""
    require_may(citizen, Act.RETIRE_COPY)
    require_person(citizen)
    if why not in HOLDERS_REASONS:
        raise Unprocessable(f"A holder's reason must be one of: {', '.join(HOLDERS_REASONS)}; got {why!r}.")
    copy = await own_copy(office, citizen, handle)
    if copy.status is CopyStatus.INVALID:
        raise Conflict(_WITHDRAWN)
    confirmed = await step_up.require(office, citizen, action(copy, why), given)
    person = await own_person(office, citizen)
    row = await office.store.write(partial(_carry_out, office, citizen, (person.id, person.key), confirmed))
    await office.board.apply([(row["status_list"], row["status_index"], StatusValue.INVALID)])


async def _carry_out(
    office: Office, citizen: Principal, about: About, confirmed: Authorisation, transaction: Transaction
) -> Any:
    """Runs on the writer: no decision can come between reading the copy and retiring it."""
    handle, content = bytes.fromhex(str(confirmed.action.subject)), confirmed.action.content
    row = await _find(transaction, about[0], handle)
    if row["status"] == CopyStatus.INVALID:
        raise Conflict(_WITHDRAWN)
    signed_in = require_person(citizen)
    told = notices.telling(office, signed_in.account, NoticeKind.COPY_RETIRED, row["id"], signed_in.session)
    writes, recorded = retiring(office, about, row, Retirement(content["reason"]), confirmed.id)
    entries = (*confirmed.entries(office, about), recorded)
    await transaction.apply(WriteSet((*confirmed.writes(about), *writes, told), entries))
    return row


async def supersede(
    office: Office, about: About, copy_id: bytes | None, transaction: Transaction
) -> tuple[tuple[str, int, StatusValue], ...]:
    """Runs on the writer, where a copy was collected in the place of another: what becomes of the status lists.

    A copy that was withdrawn meanwhile stays as it is; nearly always there is none (``None``).
    """
    if copy_id is None:
        return ()
    rows = await transaction.fetch(queries.CREDENTIALS_OF_PERSON, {"person_id": about[0]})
    row = next((one for one in rows if one["id"] == copy_id), None)
    if row is None or row["status"] == CopyStatus.INVALID:
        return ()
    writes, recorded = retiring(office, about, row, Retirement.REPLACED, None)
    accounts = await transaction.fetch(queries.ACCOUNT_OF_PERSON, {"person_id": about[0]})
    told = (notices.telling(office, account["id"], NoticeKind.COPY_RETIRED, row["id"]) for account in accounts)
    await transaction.apply(WriteSet((*writes, *told), (*act(office.entropy, about), recorded)))
    return ((row["status_list"], row["status_index"], StatusValue.INVALID),)


async def replaceable(office: Office, person_id: bytes, handle: bytes, kind: str) -> Any:
    """The row of a copy that one of this type may take the place of. Raises ``NotFound`` and ``Conflict``."""
    rows: list[Any] = await office.store.fetch(queries.CREDENTIALS_OF_PERSON, {"person_id": person_id})
    row = next((one for one in rows if one["handle"] == handle), None)
    if row is None:
        raise NotFound(_UNKNOWN)
    if row["status"] == CopyStatus.INVALID:
        raise Conflict(_WITHDRAWN)
    if row["type"] != kind:
        raise Conflict("A copy takes the place of one of the same document.")
    return row


async def _find(transaction: Transaction, person_id: bytes, handle: bytes) -> Any:
    rows = await transaction.fetch(queries.CREDENTIALS_OF_PERSON, {"person_id": person_id})
    found = next((row for row in rows if row["handle"] == handle), None)
    if found is None:
        raise NotFound(_UNKNOWN)
    return found


def retiring(
    office: Office, about: About, row: Any, why: Retirement, authorisation_id: bytes | None
) -> tuple[tuple[Write, ...], Recorded]:
    """What retires a copy (its row): its status, its place in the list, and the ledger's entry."""
    place = {"status_list": row["status_list"], "status_index": row["status_index"]}
    retired = {
        "status": CopyStatus.INVALID.value,
        "retired_at": office.clock.now(),
        "retired_for": why.value,
        "retirement_id": authorisation_id,
    }
    writes = (
        Change(tables.credential, {"id": row["id"], "status": row["status"]}, retired, Conflict(_WITHDRAWN)),
        Put(tables.status_entry, {**place, "value": int(StatusValue.INVALID)}),
    )
    status = row["status_list"], row["status_index"]
    record = Record(RETIRED, row["issuer_signed_digest"], row["key_id"], status, why.value)
    return writes, entry(record, office.entropy, about)
