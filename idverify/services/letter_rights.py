"""The right to one letter on paper: taken up at once by whoever asks for it, or later, at any counter, with a code.

It is an offer like that of a copy for a wallet, in a format of its own. Whoever has the code of a slip needs no phone,
no e-mail and no computer: an officer at a counter looks at them, types the code and prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from idverify.auth import enrolment_codes
from idverify.core.action import Action
from idverify.core.credential_type import CredentialType
from idverify.core.form_parts import PAPER_CODE, SD_JWT_VC
from idverify.core.policy import Act, Principal, require_active, require_may, require_person
from idverify.core.types import CREDENTIAL_TYPES, credential_type
from idverify.errors import Conflict, Gone, NotFound, Unprocessable
from idverify.services import step_up
from idverify.services.ceremonies import Given
from idverify.services.office import Office
from idverify.services.people import Person, decision_in_force, look, own_person, read, record_view
from idverify.services.permissions import permission_for
from idverify.stores import queries, tables
from idverify.stores.writes import Consume, Insert, WriteSet

LETTER: Final = "letter"
"""The format of offers that are for paper."""

DAY: Final = 86_400
CODE_SECONDS: Final = 30 * DAY
AT_ONCE_SECONDS: Final = 15 * 60
ACT_CODE: Final = "offer-letter"

_UNKNOWN: Final = "There is no such code, or it is not for a letter. Make a new one from the person's record."
_USED: Final = "This code was used already: its letter is in the person's record."
_EXPIRED: Final = "This code has expired. Make a new one from the person's record."


@dataclass(frozen=True, slots=True)
class LetterCode:
    """A one-time code for a letter, shown this once, good until ``expires_at`` (Unix seconds)."""

    code: str
    type: str
    expires_at: int


def lettered(type_id: str) -> CredentialType:
    """A type that has a letter. Raises ``Unprocessable``."""
    kind = credential_type(type_id)
    if not has_letter(kind):
        raise Unprocessable(f"There is no letter of {kind.id}.")
    return kind


def has_letter(kind: CredentialType) -> bool:
    """Whether a type has a template of a letter, and both forms that stand in one."""
    return kind.letter_template is not None and {SD_JWT_VC, PAPER_CODE} <= kind.forms.keys()


def lettered_types() -> tuple[str, ...]:
    """The ids of all types that have a letter."""
    return tuple(type_id for type_id, kind in CREDENTIAL_TYPES.items() if has_letter(kind))


async def make_code(office: Office, officer: Principal, person: bytes, type_id: str, given: Given | None) -> LetterCode:
    """A code for the slip that an officer prints or sends. Raises ``StepUpRequired`` without ``given``."""
    require_may(officer, Act.PRINT_LETTERS)
    require_person(officer)
    holder = await read(office, person)
    seen = look(office, officer, holder.id, "letter-code", "made")
    return await _make_code(office, officer, holder, type_id, given, (seen,))


async def make_own_code(office: Office, citizen: Principal, type_id: str, given: Given | None) -> LetterCode:
    """A code that its holder writes down, where there is no printer: any counter prints the letter."""
    require_may(citizen, Act.COLLECT)
    return await _make_code(office, citizen, await own_person(office, citizen), type_id, given, ())


async def _make_code(
    office: Office, maker: Principal, holder: Person, type_id: str, given: Given | None, looks: tuple[Insert, ...]
) -> LetterCode:
    kind = lettered(type_id)
    try:
        require_active(holder.status)
        permission_for(kind, await decision_in_force(office, holder))
    except Unprocessable:  # which tells whoever asked the status
        if looks:
            await record_view(office, maker, holder.id)
        raise
    confirmed = await step_up.require(office, maker, Action(ACT_CODE, holder.handle.hex(), {"type": kind.id}), given)
    code, until = enrolment_codes.make(office.entropy), office.clock.now() + CODE_SECONDS
    row = offer_row(office, holder.id, kind, maker.actor, confirmed.id) | {
        "code_hash": enrolment_codes.code_hash(code),
        "expires_at": until,
    }
    about = holder.id, holder.key
    writes = (*confirmed.writes(about), office.doors.inserting(tables.offer, row), *looks)
    await office.store.commit(WriteSet(writes, confirmed.entries(office, about)))
    return LetterCode(code, kind.id, until)


def offer_row(
    office: Office,
    person_id: bytes,
    kind: CredentialType,
    made_by: str,
    authorisation_id: bytes,
    replaces: bytes | None = None,
) -> dict[str, Any]:
    """A right that nobody else can take up: there is no code that has this hash."""
    return {
        "id": office.new_id(),
        "code_hash": office.entropy(32),
        "person_id": person_id,
        "type": kind.id,
        "format": LETTER,
        "nonce": "",
        "created_by": made_by,
        "authorisation_id": authorisation_id,
        "replaces": replaces,
        "expires_at": office.clock.now() + AT_ONCE_SECONDS,
        "consumed_at": None,
    }


async def find_code(office: Office, officer: Principal, code: str) -> Any:
    """The right that a code gives, with ``person_handle``. Raises ``NotFound``, ``Conflict`` and ``Gone``.

    Who it is for, is told whoever reads the record, which leaves a look.
    """
    require_may(officer, Act.PRINT_LETTERS)
    row: Any = await office.store.fetch_one(queries.LETTER_OFFER, {"code_hash": enrolment_codes.code_hash(code)})
    if row is None or not office.doors.holds(tables.offer, row):
        raise NotFound(_UNKNOWN)
    if row["consumed_at"] is not None:
        raise Conflict(_USED)
    if row["expires_at"] <= office.clock.now():
        raise Gone(_EXPIRED)
    return row


def taking_up(office: Office, offer_id: bytes) -> Consume:
    """Uses a code up, with the intent of its letter."""
    told = Conflict(_USED), Gone(_EXPIRED), NotFound(_UNKNOWN)
    used, expired, unknown = told
    return Consume(tables.offer, offer_id, office.clock.now(), used=used, expired=expired, unknown=unknown)
