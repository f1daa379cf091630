"""Printed one-time codes: a way back for whoever lost every key, without a phone, an e-mail address or a counter.

Each registers one key, like every other code, and a set replaces the one before. Whoever finds the sheet can do so,
too: the owner is told in every session, and the sessions of their other keys go on, so that they see it
(docs/decisions/0014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from idverify.core import security_act
from idverify.core.action import Action
from idverify.core.policy import Act, Principal, require_may, require_person
from idverify.services import notices, step_up
from idverify.services.cancelling import cancelling
from idverify.services.ceremonies import Given
from idverify.services.invite import Invited, Kind, one_time_code
from idverify.services.notices import NoticeKind
from idverify.services.office import Office
from idverify.services.people import about
from idverify.services.security_acts import deed
from idverify.stores import queries, tables
from idverify.stores.transaction import Transaction
from idverify.stores.writes import WriteSet

SET_SIZE: Final = 8
FEW: Final = 2


@dataclass(frozen=True, slots=True)
class CodeSet:
    """Codes that were just made; times in Unix seconds. ``account`` is what their owner's account is called."""

    codes: tuple[str, ...]
    account: str
    made_at: int
    expires_at: int


async def make(office: Office, principal: Principal, given: Given | None) -> CodeSet:
    """A set of codes, shown this once; those of an older set open nothing any more."""
    require_may(principal, Act.PRINT_CODES)
    person = require_person(principal)
    action = Action("make-recovery-codes", None, {"codes": SET_SIZE})
    confirmed = await step_up.require(office, principal, action, given)
    account: Any = await office.store.fetch_one(queries.ACCOUNT, {"id": person.account})
    whom = await about(office, person.person)
    invited = Invited(principal.role, None if person.person else principal.actor, principal.purpose)
    made = [
        one_time_code(office.clock, office.entropy, Kind.RECOVERY_CODE, invited, principal.id) for _ in range(SET_SIZE)
    ]
    writes = (
        *confirmed.writes(whom),
        cancelling({"account_id": person.account, "kind": Kind.RECOVERY_CODE.value}, office.clock.now()),
        *(office.doors.inserting(tables.enrolment, row | _of(person.account, confirmed.id)) for _, row in made),
        notices.telling(office, person.account, NoticeKind.RECOVERY_CODES_MADE, session=person.session),
    )
    which = security_act.printed(row["code_hash"] for _, row in made)
    done = deed(security_act.RECOVERY_CODES_MADE, account, office.entropy, whom, which)
    await office.store.commit(WriteSet(writes, confirmed.entries(office, whom, done)))
    codes, called = tuple(invitation.code for invitation, _ in made), account["number"] or account["handle"].hex()
    return CodeSet(codes, called, made[0][1]["created_at"], made[0][0].expires_at)


async def left(office: Office, principal: Principal) -> int:
    """How many codes of the caller can still be used."""
    asked = _asked(require_person(principal).account, office.clock.now())
    row: Any = await office.store.fetch_one(queries.CODES_LEFT, asked)
    return int(row["number"])


async def any_left(transaction: Transaction, account: bytes, at: int) -> bool:
    """Whether an account has a code left, asked on the writer."""
    rows: list[Any] = await transaction.fetch(queries.CODES_LEFT, _asked(account, at))
    return bool(rows[0]["number"])


def _asked(account: bytes, at: int) -> dict[str, Any]:
    return {"account_id": account, "kind": Kind.RECOVERY_CODE.value, "at": at}


def _of(account: bytes, authorisation: bytes) -> dict[str, bytes]:
    return {"account_id": account, "authorisation_id": authorisation}
