"""A copy on paper, from the wish for a letter to the copy; ``letter_pdf`` makes the letter of it.

The order is that of ``issue``, for two documents that stand for one copy: the SD-JWT VC that is embedded in the letter,
and the code that is printed on it. Both name the same place in the status list, and neither is bound to a key.

1. policy: the status is active, the copy ends before the permission and the signers' certificates do;
2. whoever asks confirms it;
3. prepare both, and commit the *intent*: digest of what is to be signed, handle, status index; the right is used up;
4. sign both in the HSM; seal; read both again and compare them with the plan;
5. commit ledger entry, copy and letter together.

A failure between 3 and 5 is closed as *void* (``recover``). After 5 the copy is there, and its letter is made of its
row: now, or by whoever asks for it next.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import orjson

from idverify.core.action import Action
from idverify.core.credential import Credential, Issuer, day_rounded
from idverify.core.credential_type import CredentialType, Facts, Form, visible_claims
from idverify.core.form_parts import PAPER_CODE, SD_JWT_VC
from idverify.core.letter_choices import LetterChoices
from idverify.core.policy import Act, Principal, Role, may_issue, require_may, require_person
from idverify.core.values import jpeg
from idverify.errors import Conflict, DocumentError, IdverifyError, TokenAway, Unavailable, Unprocessable
from idverify.formats import sdjwt, x509
from idverify.formats.base import ToBeSigned
from idverify.formats.carriers import FORMATS
from idverify.services import step_up
from idverify.services.ceremonies import Given
from idverify.services.issue import (
    PLACES_TRIED,
    RECEIPT_TOKEN_BYTES,
    PlaceTaken,
    Plan,
    commit_issued,
    intent_row,
    issuing,
    signed,
    unless_kept,
)
from idverify.services.letter_rights import find_code, lettered, offer_row, taking_up
from idverify.services.offer import random_text
from idverify.services.office import PAPER_SIGNER, Office
from idverify.services.people import Person, look, own_person, read, record_view
from idverify.services.permissions import facts_of
from idverify.services.recover import void
from idverify.services.retire import replaceable
from idverify.services.sealed import unseal_content
from idverify.services.step_up import Authorisation
from idverify.stores import queries, tables
from idverify.stores.vault import PersonKey, place
from idverify.stores.writes import Insert, Recorded, Write, WriteSet

ACT: Final = "print-letter"
PAPER_SECONDS: Final = 365 * 86_400
"""How long a copy on paper holds at most: nobody can renew what is in a drawer."""

_WEBP: Final = "data:image/webp;base64,"


class NoPortrait(Unprocessable):
    """There is no photo that could stand in the code."""


@dataclass(frozen=True, slots=True)
class Basis:
    """Whose letter, what they chose, and what the decision in force lets it say until when."""

    holder: Person
    choices: LetterChoices
    kind: CredentialType
    decision: Any
    facts: Facts
    expires: int


@dataclass(frozen=True, slots=True)
class Right:
    """By what right: the offer that is used up, what commits with the intent, and the copy that is retired."""

    offer_id: bytes
    writes: tuple[Write, ...]
    entries: tuple[Recorded, ...] = ()
    replaces: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Code:
    credential: Credential
    issuer: Issuer
    unsigned: ToBeSigned


async def print_for(
    office: Office, officer: Principal, person: bytes, choices: LetterChoices, given: Given | None
) -> bytes:
    """A copy on paper for the person at the counter; the handle of its letter."""
    require_may(officer, Act.PRINT_LETTERS)
    require_person(officer)
    basis = await _basis_told(office, officer, await read(office, person), choices)
    confirmed = await step_up.require(office, officer, action(basis), given)
    seen = look(office, officer, basis.holder.id, "letter", "made")
    return await make(office, basis, _at_once(office, officer, basis, confirmed, (seen,)))


async def print_own(
    office: Office, citizen: Principal, choices: LetterChoices, given: Given | None, replaces: bytes | None = None
) -> bytes:
    """A copy on paper for the caller. ``replaces``: the copy that is retired with it."""
    require_may(citizen, Act.COLLECT)
    holder = await own_person(office, citizen)
    replaced = None if replaces is None else await replaceable(office, holder.id, replaces, choices.type)
    basis = await basis_of(office, holder, choices)
    confirmed = await step_up.require(office, citizen, action(basis, replaced), given)
    return await make(office, basis, _at_once(office, citizen, basis, confirmed, (), replaced))


async def collect(office: Office, officer: Principal, code: str, choices: LetterChoices, given: Given | None) -> bytes:
    """A copy on paper for whoever brought a code to the counter; the handle of its letter."""
    require_may(officer, Act.PRINT_LETTERS)
    require_person(officer)
    right = await find_code(office, officer, code)
    if choices.type != right["type"]:
        raise Unprocessable(f"This code is for a letter of {right['type']}; got {choices.type}.")
    basis = await _basis_told(office, officer, await read(office, right["person_handle"]), choices)
    confirmed = await step_up.require(office, officer, action(basis), given)
    about = basis.holder.id, basis.holder.key
    seen = look(office, officer, basis.holder.id, "letter", "made")
    writes = (taking_up(office, right["id"]), *confirmed.writes(about), seen)
    return await make(office, basis, Right(right["id"], writes, confirmed.entries(office, about)))


def action(basis: Basis, replaced: Any = None) -> Action:
    """What whoever asks for a letter confirms."""
    instead = {} if replaced is None else {"replaces": replaced["handle"].hex(), "collected_at": replaced["issued_at"]}
    return Action(ACT, basis.holder.handle.hex(), {**basis.choices.model_dump(mode="json"), **instead})


async def basis_of(office: Office, holder: Person, choices: LetterChoices) -> Basis:
    """What a letter may say now. Raises ``Unprocessable`` if there may be none."""
    kind, now = lettered(choices.type), office.clock.now()
    decision: Any = await office.store.fetch_one(queries.DECISION, {"id": holder.permission_decision_id})
    if decision is None:
        raise Unprocessable("No decision has granted this person a status yet.")
    content = unseal_content(holder.key, "decision", decision["id"], decision["sealed"])
    named = {"decision_handle": decision["handle"], "decided_at": decision["decided_at"]}
    facts = facts_of(office.deployment, kind, holder.details, named, content, now)
    until = may_issue(replace(kind, valid_for=PAPER_SECONDS), holder.status, kind.runs(facts.permission), now)
    ends = (x509.not_after(office.keys.issuer(role).chain[0]) for role in (kind.key_role, PAPER_SIGNER))
    basis = Basis(holder, choices, kind, decision, facts, min(until, *ends))
    if choices.portrait and "picture" not in _seen(kind.forms[SD_JWT_VC], basis):
        raise NoPortrait("There is no photo on record, or the purpose shows none: choose a code without a portrait.")
    return basis


async def _basis_told(office: Office, officer: Principal, holder: Person, choices: LetterChoices) -> Basis:
    try:
        return await basis_of(office, holder, choices)
    except Unprocessable:  # which tells the officer the person's status
        await record_view(office, officer, holder.id)
        raise


def _at_once(
    office: Office,
    maker: Principal,
    basis: Basis,
    confirmed: Authorisation,
    looks: tuple[Insert, ...],
    replaced: Any = None,
) -> Right:
    about = basis.holder.id, basis.holder.key
    copy_id = None if replaced is None else replaced["id"]
    row = offer_row(office, basis.holder.id, basis.kind, maker.actor, confirmed.id, copy_id)
    taken = office.doors.inserting(tables.offer, row | {"consumed_at": office.clock.now()})
    writes = (*confirmed.writes(about), taken, *looks)
    return Right(row["id"], writes, confirmed.entries(office, about), copy_id)


def ordered(office: Office, basis: Basis, ordered_by: str, authorisation_id: bytes) -> Right:
    """The right to one letter of a batch, which an officer confirmed as a whole."""
    row = offer_row(office, basis.holder.id, basis.kind, ordered_by, authorisation_id)
    officer = Principal("", ordered_by, Role.OFFICER, None)
    seen = look(office, officer, basis.holder.id, "letter", "made")
    return Right(row["id"], (office.doors.inserting(tables.offer, row | {"consumed_at": office.clock.now()}), seen))


async def make(
    office: Office, basis: Basis, right: Right, also: Callable[[bytes], tuple[Write, ...]] | None = None
) -> bytes:
    """The copy, exactly once for a right; the handle of its letter. ``also`` gets the letter's row id.

    While the log is halted nothing is begun: a copy that was signed and cannot be recorded would be lost. What one
    token left undone is void, and done again with the keys of another: the right is free again by then.
    """
    office.log_book.require_open()
    portrait = await _portrait(office, basis)
    plan, code = await _intended(office, basis, right, portrait)
    for _ in range(office.keys.tokens - 1):
        try:
            return await _made(office, basis, plan, code, also)
        except TokenAway as away:
            again = replace(right, writes=(taking_up(office, right.offer_id),), entries=())
            try:
                plan, code = await _intended(office, basis, again, portrait)
            except Conflict:  # it could not be made void yet
                raise away from None
    return await _made(office, basis, plan, code, also)


async def _made(
    office: Office, basis: Basis, plan: Plan, code: _Code, also: Callable[[bytes], tuple[Write, ...]] | None
) -> bytes:
    """What was intended, signed and committed; void where that fails."""
    try:
        document, digest = await signed(office, plan.carrier, plan.credential, plan.issuer, plan.unsigned)
        text, code_digest = await signed(office, FORMATS[PAPER_CODE], code.credential, code.issuer, code.unsigned)
        letter = _letter_row(office, basis, plan, document, text, code, code_digest)
        work = issuing(office, plan, document, digest)
        further = () if also is None else also(letter["id"])
        rows = (*work.writes, Insert(tables.letter, letter), *further)
        await commit_issued(office, plan, WriteSet(rows, work.entries))
    except IdverifyError:
        await void(office, plan.issuance_id)
        raise
    return bytes(letter["handle"])


async def _portrait(office: Office, basis: Basis) -> str | None:
    """The small one, as a claim."""
    if not basis.choices.portrait:
        return None
    picture = basis.kind.forms[SD_JWT_VC].claims(basis.facts)["picture"]
    try:
        small: bytes = await office.sandbox.do("small-portrait", {"jpeg": jpeg(picture)})
    except DocumentError as wrong:
        raise Unprocessable(f"No small portrait can be made of the photo on record: {wrong}") from wrong
    return _WEBP + base64.b64encode(small).decode("ascii")


async def _intended(office: Office, basis: Basis, right: Right, portrait: str | None) -> tuple[Plan, _Code]:
    """As in ``issue``: each plan has another place in the status list, and another process may have taken it."""
    for _ in range(PLACES_TRIED):
        plan = _plan(office, basis, right)
        code = _code(office, basis, plan.credential, portrait)
        with suppress(PlaceTaken):
            await _commit_intent(office, basis, right, plan, code)
            return plan, code
    raise Unavailable("No free place in the status list was found. Ask again.")


def _plan(office: Office, basis: Basis, right: Right) -> Plan:
    now, kind, holder = office.clock.now(), basis.kind, basis.holder
    row = {
        "person_id": holder.id,
        "status": holder.status.value,
        "decision_id": basis.decision["id"],
        "decision_handle": basis.decision["handle"],
        "offer_id": right.offer_id,
        "replaces": right.replaces,
    }
    carrier, form = FORMATS[SD_JWT_VC], kind.forms[SD_JWT_VC]
    claims = form.claims(basis.facts)
    credential = Credential(
        type=form.type,
        claims=claims,
        disclosable=form.places(claims),
        issued_at=max(day_rounded(now), x509.signs_from(office.keys.issuer(PAPER_SIGNER).chain[0])),
        expires_at=basis.expires,
        status=office.board.allocate(),
        holder_key=None,
        decoys=form.decoys,
    )
    issuer = office.keys.issuer_until(kind.key_role, now, basis.expires)
    unsigned = carrier.prepare(credential, issuer, office.entropy)
    ids = office.new_handle(), office.new_id(), office.new_id()
    token = random_text(office, RECEIPT_TOKEN_BYTES)
    return Plan(row, holder.key, kind, carrier, credential, issuer, unsigned, *ids, token)


def _code(office: Office, basis: Basis, copy: Credential, portrait: str | None) -> _Code:
    """The same copy for the code: what the purpose shows, and the small portrait."""
    form = basis.kind.forms[PAPER_CODE]
    claims = _seen(form, basis) | ({} if portrait is None else {"picture": portrait})
    credential = replace(copy, type=form.type, claims=claims, disclosable=frozenset(), decoys=0)
    issuer = office.keys.issuer_until(PAPER_SIGNER, office.clock.now(), basis.expires)
    return _Code(credential, issuer, FORMATS[PAPER_CODE].prepare(credential, issuer, office.entropy))


def _seen(form: Form, basis: Basis) -> dict[str, Any]:
    return visible_claims(form, basis.choices.purpose, form.claims(basis.facts))


async def _commit_intent(office: Office, basis: Basis, right: Right, plan: Plan, code: _Code) -> None:
    wish = hashlib.sha256(orjson.dumps(basis.choices.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).digest()
    both = hashlib.sha256(plan.unsigned.payload).digest() + hashlib.sha256(code.unsigned.payload).digest()
    intent = intent_row(office, plan, plan.issuance_id.hex(), wish)
    intent["tbs_digest"] = hashlib.sha256(both).digest()
    taken = PlaceTaken("Another process took the same place in the status list. Ask again.")
    work = WriteSet((*right.writes, Insert(tables.issuance, intent, taken)), right.entries)
    await office.store.write(partial(unless_kept, plan.credential.status, work, taken))


def _letter_row(
    office: Office, basis: Basis, plan: Plan, document: bytes, text: bytes, code: _Code, code_digest: bytes
) -> dict[str, Any]:
    letter_id = office.new_id()
    said = {
        "credential": _shown(basis, plan, document).decode(),
        "code": text.decode(),
        "choices": basis.choices.model_dump(mode="json"),
    }
    return {
        "id": letter_id,
        "handle": office.new_handle(),
        "person_id": basis.holder.id,
        "credential_id": plan.copy_id,
        "code_digest": code_digest,
        "key_id": code.issuer.key_id,
        "sealed": basis.holder.key.seal(orjson.dumps(said), letter_place(letter_id)),
        "revision_digest": None,
        "revision_size": None,
        "file_digest": None,
        "sealed_pdf": None,
        "created_at": office.clock.now(),
        "made_at": None,
        "ledger_shard": None,
        "ledger_index": None,
    }


def _shown(basis: Basis, plan: Plan, document: bytes) -> bytes:
    """The SD-JWT VC with what the purpose shows and no more: whoever has the letter has all that is in it."""
    form = basis.kind.forms[SD_JWT_VC]
    view = form.views.get(basis.choices.purpose, frozenset())
    return (
        document
        if view is None
        else sdjwt.select(document, replace(form, disclosable=view).places(plan.credential.claims))
    )


def letter_place(letter_id: bytes) -> bytes:
    """Where that belongs of which a letter is made."""
    return place("letter", "sealed", letter_id)


def read_sealed(row: Any, key: PersonKey) -> Mapping[str, Any]:
    """Of what a letter is made: ``credential`` and ``code`` as texts, and the ``choices``."""
    said: Mapping[str, Any] = orjson.loads(key.unseal(row["sealed"], letter_place(row["id"])))
    return said
