"""Letters that a print room makes together: an officer confirms the list once, the service makes them one by one.

Nothing is held in memory but the letter that is being made: what is left to do is rows, so whoever serves next goes on
where it stopped. Who cannot get a letter is told with the reason, and holds up nobody.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

import structlog

from idverify.core.action import Action
from idverify.core.credential_type import CredentialType
from idverify.core.letter_choices import LetterChoices
from idverify.core.policy import Act, Principal, Role, require_may, require_person
from idverify.errors import Conflict, IdverifyError, NotFound, Unavailable, Unprocessable
from idverify.services import letter, letter_pdf, step_up
from idverify.services.ceremonies import Given
from idverify.services.confirmed_by import is_by
from idverify.services.letter_pdf import LetterFile
from idverify.services.letter_reread import NotAsPlanned
from idverify.services.letter_rights import lettered
from idverify.services.office import Office
from idverify.services.people import Person, look, read, read_by_id
from idverify.services.sealed import unseal_content
from idverify.stores import queries, tables
from idverify.stores.writes import Change, Insert, Write, WriteSet

MOST_LETTERS: Final = 5000
MOST_DUE: Final = 1000
_PAGE: Final = 250
AT_ONCE: Final = 8
"""Letters in the making: most of them wait for the checkpoint that their receipts need, and one serves all."""

EVERY_SECONDS: Final = 1.0
ACT: Final = "print-letters"
WAITING, BEGUN, FAILED = "waiting", "begun", "failed"  # of ``letter_order.state``
_NOT_CONFIRMED: Final = (
    "The list is no longer the one that an officer confirmed: somebody on it was erased since, or rows were changed."
    " Order the letters that are missing again."
)
_TAKEN_OVER: Final = "Another process makes this letter."
log = structlog.get_logger()


class LetterState(StrEnum):
    """How far one letter of a batch is."""

    WAITING = "waiting"
    MADE = "made"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch and how far it is; ``created_at`` in Unix seconds."""

    handle: bytes
    created_by: str
    created_at: int
    choices: LetterChoices
    total: int
    made: int
    failed: int


@dataclass(frozen=True, slots=True)
class Ordered:
    """One letter of a batch; ``letter`` and ``digest`` (SHA-256 of the file) once there is one."""

    person: bytes
    state: LetterState
    letter: bytes | None
    digest: bytes | None
    failed_for: str | None


async def order(
    office: Office, officer: Principal, people: Sequence[bytes], choices: LetterChoices, given: Given | None
) -> Batch:
    """Order a letter for each of these people (their handles). Raises ``StepUpRequired`` without ``given``."""
    require_may(officer, Act.PRINT_LETTERS)
    require_person(officer)
    lettered(choices.type)
    if not 1 <= len(people) <= MOST_LETTERS or len(set(people)) != len(people):
        raise Unprocessable(f"A batch is for 1 to {MOST_LETTERS} people, each of them once.")
    holders = [await _holder(office, person) for person in people]
    confirmed = await step_up.require(office, officer, action(people, choices), given)
    row: dict[str, Any] = {
        "id": office.new_id(),
        "handle": office.new_handle(),
        "choices": choices.model_dump_json(),
        "created_by": officer.actor,
        "authorisation_id": confirmed.id,
        "created_at": office.clock.now(),
    }
    writes: list[Write] = [*confirmed.writes(None), Insert(tables.letter_batch, row)]
    for position, holder in enumerate(holders):
        ordered = {"batch_id": row["id"], "position": position, "person_id": holder.id, "state": WAITING}
        writes.append(Insert(tables.letter_order, {**ordered, "letter_id": None, "failed_for": None}))
        writes.append(look(office, officer, holder.id, "letter", "ordered"))
    await office.store.commit(WriteSet(tuple(writes), confirmed.entries(office)))
    return Batch(row["handle"], officer.actor, row["created_at"], choices, len(people), 0, 0)


class NotOnRecord(NotFound):
    """One of the list is nobody's reference."""

    def __init__(self, person: bytes) -> None:
        super().__init__(f"No person with the reference {person.hex()} is on record.")
        self.person = person


async def _holder(office: Office, person: bytes) -> Person:
    try:
        return await read(office, person)
    except NotFound as unknown:
        raise NotOnRecord(person) from unknown


async def due(office: Office, officer: Principal, type_id: str, until: int) -> list[bytes]:
    """Who should get a letter: has a status that gives this type, no valid letter beyond ``until``, and none on order.

    Their handles, ``MOST_DUE`` at most, in the order in which they were recorded. Nobody's details are opened.
    """
    require_may(officer, Act.PRINT_LETTERS)
    kind, found, after = lettered(type_id), list[bytes](), b""
    asked = {"type": kind.id, "until": until, "most": _PAGE}
    while rows := await office.store.fetch(queries.LETTERS_DUE, {**asked, "after": after}):
        found += [row["handle"] for row in rows if await _gives(office, row, kind)]
        if len(found) >= MOST_DUE:
            return found[:MOST_DUE]
        after = rows[-1]["id"]
    return found


async def _gives(office: Office, row: Any, kind: CredentialType) -> bool:
    """Whether the decision in force gives the person a document of this type."""
    key = await office.person_key(row, row["id"])
    return kind.id in (unseal_content(key, "decision", row["decision_id"], row["sealed"]).permissions or {})


def action(people: Sequence[bytes], choices: LetterChoices) -> Action:
    """What the officer confirms: how many, and the SHA-256 of the handles in the list's order."""
    digest = hashlib.sha256(b"".join(people)).hexdigest()
    return Action(ACT, None, {"count": len(people), "people": digest, **choices.model_dump(mode="json")})


async def batches(office: Office, officer: Principal) -> list[Batch]:
    """The newest batches first."""
    require_may(officer, Act.PRINT_LETTERS)
    rows: list[Any] = await office.store.fetch(queries.LETTER_BATCHES, {})
    counted: list[Any] = await office.store.fetch(queries.LETTER_COUNTS, {})
    counts = {one["batch_id"]: (one["total"], one["made"], one["failed"]) for one in counted}
    return [_batch(row, counts.get(row["id"], (0, 0, 0))) for row in rows]


async def batch(office: Office, officer: Principal, handle: bytes) -> tuple[Batch, list[Ordered]]:
    """One batch, letter by letter. Raises ``NotFound``."""
    require_may(officer, Act.PRINT_LETTERS)
    row: Any = await office.store.fetch_one(queries.LETTER_BATCH, {"handle": handle})
    if row is None:
        raise NotFound("There is no such batch of letters.")
    orders = await _orders(office, row["id"])
    states = [one.state for one in orders]
    counts = len(states), states.count(LetterState.MADE), states.count(LetterState.FAILED)
    return _batch(row, counts), orders


async def files(office: Office, officer: Principal, orders: Sequence[Ordered]) -> AsyncIterator[LetterFile]:
    """The letters of these orders that are made, one after the other; each person sees who took theirs.

    The look at each is committed before it is handed on. Whoever was erased meanwhile has none any more.
    """
    for one in orders:
        if one.letter is not None and one.state is LetterState.MADE:
            try:
                found = await letter_pdf.letter_file(office, officer, one.letter)
            except NotFound:
                continue
            yield found


async def _orders(office: Office, batch_id: bytes) -> list[Ordered]:
    rows: list[Any] = await office.store.fetch(queries.LETTERS_OF_BATCH, {"batch_id": batch_id})
    return [
        Ordered(row["person_handle"], _state(row), row["letter_handle"], row["file_digest"], row["failed_for"])
        for row in rows
    ]


def _state(row: Any) -> LetterState:
    if row["failed_for"] is not None:
        return LetterState.FAILED
    return LetterState.WAITING if row["made_at"] is None else LetterState.MADE


def _batch(row: Any, counted: tuple[int, int, int]) -> Batch:
    choices = LetterChoices.model_validate_json(row["choices"])
    return Batch(row["handle"], row["created_by"], row["created_at"], choices, *counted)


async def run(office: Office) -> None:
    """For as long as the service runs: make what is ordered, ``AT_ONCE`` at a time."""
    while True:
        if not await make_some(office):
            await asyncio.sleep(EVERY_SECONDS)


async def make_some(office: Office) -> bool:
    """Make the next letters of the oldest batch; whether one got further."""
    if office.log_book.halted is not None:
        return False
    rows: list[Any] = await office.store.fetch(queries.OPEN_LETTER_ORDERS, {"most": AT_ONCE})
    batches = {row["batch_id"]: row for row in rows}
    confirmed = {batch_id: await _is_as_confirmed(office, row) for batch_id, row in batches.items()}
    return any(await asyncio.gather(*(_advance(office, row, confirmed[row["batch_id"]]) for row in rows)))


async def _is_as_confirmed(office: Office, row: Any) -> bool:
    """Whether an officer signed this list and these choices, for one batch.

    Whoever may write rows could otherwise order a letter for anybody.
    """
    confirmed_by = {"id": row["authorisation_id"]}
    people: list[Any] = await office.store.fetch(queries.PEOPLE_OF_BATCHES, confirmed_by)
    asked = action([one["handle"] for one in people], LetterChoices.model_validate_json(row["choices"]))
    confirmation: Any = await office.store.fetch_one(queries.AUTHORISATION, confirmed_by)
    if confirmation is None or confirmation["action_digest"] != asked.digest():
        return False
    return await is_by(office.store, office.doors, office.deployment.iss, Role.OFFICER, confirmation)


async def _advance(office: Office, row: Any, confirmed: bool) -> bool:  # noqa: FBT001  a fact about the row
    """Whether this one is made now, or told that it cannot be; where a part is away it is tried again later."""
    try:
        handle = row["letter_handle"] or await _begin(office, row, confirmed)
        await letter_pdf.finish(office, handle)
    except NotAsPlanned as wrong:  # tried again it would keep the others waiting for ever
        await _failed(office, row, wrong)
    except Unavailable as away:
        if office.store.stopped_by() is not None:
            raise
        log.warning("letter_waits", error=type(away).__name__)
        return False
    except _TakenOver:
        return False
    except IdverifyError as wrong:
        await _failed(office, row, wrong)
    return True


async def _failed(office: Office, row: Any, wrong: IdverifyError) -> None:
    place = {"batch_id": row["batch_id"], "position": row["position"]}
    change = Change(tables.letter_order, place, {"state": FAILED, "failed_for": wrong.detail[:500]})
    await office.store.commit(WriteSet((change,)))


class _TakenOver(Conflict):
    """Another process was faster."""


async def _begin(office: Office, row: Any, confirmed: bool) -> bytes:  # noqa: FBT001  a fact about the row
    """The copy, and that it is this order's: in one commit, so that no order has two."""
    if not confirmed:
        log.error("letter_order_not_confirmed", batch=row["batch_id"].hex())
        raise Conflict(_NOT_CONFIRMED)
    choices = LetterChoices.model_validate_json(row["choices"])
    basis = await letter.basis_of(office, await read_by_id(office, row["person_id"]), choices)
    right = letter.ordered(office, basis, row["created_by"], row["authorisation_id"])
    return await letter.make(office, basis, right, partial(_of_order, row))


def _of_order(row: Any, letter_id: bytes) -> tuple[Write, ...]:
    waiting = {"batch_id": row["batch_id"], "position": row["position"], "state": WAITING}
    begun = {"state": BEGUN, "letter_id": letter_id}
    return (Change(tables.letter_order, waiting, begun, _TakenOver(_TAKEN_OVER)),)
