"""Issuing a credential copy to a wallet.

The walk, in the order that makes a crash harmless:

1. read the offer, the person, the decision and any earlier answer (one query);
2. policy: the status is active, the copy ends before the permission and the signer's certificate do;
3. check the wallet's key proof against the offer's nonce;
4. prepare the exact bytes to sign;
5. commit the *intent*: digest of those bytes, handle, status index, idempotency key; the offer is used up;
6. sign in the HSM, verified there; seal; read the sealed credential again and compare it with the plan;
7. commit ledger entry, credential row and the answer together;
8. answer.

A failure before 5 changed nothing. A failure between 5 and 7 is closed as *void* (``recover``): its status index
is marked invalid and the offer can be used again. After 7 a repeat returns the same answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import orjson

from idverify.core.credential import Credential, Issuer, StatusReference, day_rounded
from idverify.core.credential_type import CredentialType
from idverify.core.decision import CopyStatus, PersonStatus
from idverify.core.policy import may_issue
from idverify.core.types import credential_type
from idverify.errors import Conflict, DocumentError, Gone, IdverifyError, NotFound, Unavailable, Unprocessable
from idverify.formats.base import CredentialFormat, ToBeSigned
from idverify.formats.carriers import FORMATS
from idverify.formats.key_proof import check_key_proof
from idverify.ledger.commitment import Record
from idverify.services import urgency
from idverify.services.another_token import on_another_token
from idverify.services.credential_text import as_text
from idverify.services.offer import code_hash, random_text
from idverify.services.office import Office
from idverify.services.permissions import facts_of
from idverify.services.records import about_person
from idverify.services.recover import void
from idverify.services.retire import supersede
from idverify.services.sealed import unseal_content, unseal_details
from idverify.services.status_lists import Flip
from idverify.stores import queries, tables
from idverify.stores.connection import Row
from idverify.stores.transaction import Transaction
from idverify.stores.vault import PersonKey, place
from idverify.stores.writes import Change, Consume, IndexOf, Insert, ShardOf, WriteSet

RECEIPT_TOKEN_BYTES: Final = 20
PLACES_TRIED: Final = 50

_UNKNOWN_OFFER: Final = "There is no such offer. Ask the officer for a new one."
_USED_OFFER: Final = "This offer was used already. Ask the officer for a new one."
_ON_PAPER: Final = "This code is for a letter on paper. Take it to any counter; no wallet can use it."
_EXPIRED_OFFER: Final = "This offer has expired. Ask the officer for a new one."


@dataclass(frozen=True, slots=True)
class CollectionRequest:
    """What a wallet sends: the offer's code, its key proof, and the key that makes a repeat the same request."""

    code: str
    proof: str
    idempotency_key: str

    def digest(self) -> bytes:
        """SHA-256 that a repeat under the same idempotency key must match."""
        return hashlib.sha256(orjson.dumps([self.code, self.proof])).digest()


@dataclass(frozen=True, slots=True)
class Collected:
    """The answer. ``receipt_token`` is the holder's right to fetch the receipt."""

    credential: str
    format: str
    expires_at: int
    receipt_token: str
    handle: bytes
    ledger_shard: int
    ledger_index: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is about to be signed, and for whom.

    ``row`` has the person's ``person_id`` and ``status``, the decision's ``decision_id`` and ``decision_handle``, the
    ``offer_id``, and the copy that it ``replaces``.
    """

    row: Any
    key: PersonKey
    kind: CredentialType
    carrier: CredentialFormat
    credential: Credential
    issuer: Issuer
    unsigned: ToBeSigned
    handle: bytes
    issuance_id: bytes
    copy_id: bytes
    receipt_token: str


@on_another_token
async def collect(office: Office, request: CollectionRequest) -> Collected:
    """Issue one copy for a valid offer and key proof, exactly once per idempotency key.

    While the log is halted nothing is begun: a copy that was signed and cannot be recorded would be lost.
    """
    row = await _look_up(office, request)
    key = await office.person_key(row, row["person_id"])
    if row["issuance_id"] is not None:
        return _earlier_answer(row, key, request)
    _require_usable(row, office.clock.now())
    office.log_book.require_open()
    try:
        plan = await _intended(office, row, key, request)
    except Conflict:  # somebody was faster; if it was this very request, say so
        row = await _look_up(office, request)
        if row["issuance_id"] is None:
            raise
        return _earlier_answer(row, key, request)
    try:
        return await _commit_issued(office, plan, *await _sign_and_seal(office, plan))
    except IdverifyError:
        await void(office, plan.issuance_id)
        raise


async def _look_up(office: Office, request: CollectionRequest) -> Row:
    asked = {
        "code_hash": code_hash(request.code),
        "idempotency_key": request.idempotency_key,
    }
    row = await office.store.fetch_one(queries.COLLECTION, asked)
    if row is None or not office.doors.holds(tables.offer, {**row, "id": row["offer_id"]}):
        raise NotFound(_UNKNOWN_OFFER)
    urgency.of_a_citizen()
    return row


def _require_usable(row: Any, now: int) -> None:
    """A code that is used up tells nothing of the person; the commit of the intent asks again, for good."""
    if row["format"] not in FORMATS:
        raise Unprocessable(_ON_PAPER)
    if row["consumed_at"] is not None:
        raise Conflict(_USED_OFFER)
    if row["expires_at"] <= now:
        raise Gone(_EXPIRED_OFFER)


def _earlier_answer(row: Any, key: PersonKey, request: CollectionRequest) -> Collected:
    if row["request_digest"] != request.digest():
        raise Unprocessable("This Idempotency-Key was used for another request. Take a fresh one.")
    if row["state"] == "open":
        raise Conflict("The same request is still being worked on. Ask again in a moment.")
    if row["sealed_answer"] is None:
        raise Gone("The answer to this request is no longer kept. Ask the officer for a new offer.")
    answer = orjson.loads(key.unseal(row["sealed_answer"], answer_place(row["issuance_id"])))
    place = {"ledger_shard": row["ledger_shard"], "ledger_index": row["ledger_index"]}
    return Collected(**answer, format=row["format"], handle=row["credential_handle"], **place)


def _plan(office: Office, row: Any, key: PersonKey, request: CollectionRequest) -> Plan:
    now, kind = office.clock.now(), credential_type(row["type"])
    if row["decision_id"] is None:
        raise Unprocessable("No decision has granted this person a status yet.")
    details = unseal_details(key, row["person_id"], row["sealed_details"])
    content = unseal_content(key, "decision", row["decision_id"], row["sealed_permission"])
    facts = facts_of(office.deployment, kind, details, row, content, now)
    expires = may_issue(kind, PersonStatus(row["status"]), kind.runs(facts.permission), now)
    issuer = office.keys.issuer_until(kind.key_role, now, expires)
    try:
        holder_key = check_key_proof(request.proof.encode(), office.deployment.iss, row["nonce"], now)
    except DocumentError as wrong:
        raise Unprocessable(f"The key proof does not hold: {wrong}") from wrong
    carrier, form = FORMATS[row["format"]], kind.forms[row["format"]]
    claims = form.claims(facts)
    credential = Credential(
        type=form.type,
        claims=claims,
        disclosable=form.places(claims),
        issued_at=day_rounded(now),
        expires_at=expires,
        status=office.board.allocate(),
        holder_key=holder_key,
        decoys=form.decoys,
    )
    unsigned = carrier.prepare(credential, issuer, office.entropy)
    token = random_text(office, RECEIPT_TOKEN_BYTES)
    ids = office.new_handle(), office.new_id(), office.new_id()
    return Plan(row, key, kind, carrier, credential, issuer, unsigned, *ids, token)


class PlaceTaken(Conflict):
    """Another process took the same place in a status list."""


async def _intended(office: Office, row: Any, key: PersonKey, request: CollectionRequest) -> Plan:
    """Each plan has another place in the status list; other processes take places that this one does not know of."""
    for _ in range(PLACES_TRIED):
        plan = _plan(office, row, key, request)
        with suppress(PlaceTaken):
            await _commit_intent(office, plan, request)
            return plan
    raise Unavailable("No free place in the status list was found. Ask again.")


async def _commit_intent(office: Office, plan: Plan, request: CollectionRequest) -> None:
    now, row = office.clock.now(), plan.row
    consume = Consume(
        tables.offer,
        row["offer_id"],
        now,
        used=Conflict(_USED_OFFER),
        expired=Gone(_EXPIRED_OFFER),
        unknown=NotFound(_UNKNOWN_OFFER),
    )
    intent = intent_row(office, plan, request.idempotency_key, request.digest())
    taken = PlaceTaken("Another process took the same place in the status list. Ask again.")
    work = WriteSet((consume, Insert(tables.issuance, intent, taken)))
    await office.store.write(partial(unless_kept, plan.credential.status, work, taken))


def intent_row(office: Office, plan: Plan, idempotency_key: str, request_digest: bytes) -> dict[str, Any]:
    """The intent of a plan, for ``issuance``; ``plan.row`` has ``offer_id`` and ``person_id``."""
    return {
        "id": plan.issuance_id,
        "offer_id": plan.row["offer_id"],
        "idempotency_key": idempotency_key,
        "request_digest": request_digest,
        "person_id": plan.row["person_id"],
        "tbs_digest": hashlib.sha256(plan.unsigned.payload).digest(),
        "handle": plan.handle,
        "key_id": plan.issuer.key_id,
        "status_list": plan.credential.status.uri,
        "status_index": plan.credential.status.index,
        "state": "open",
        "sealed_answer": None,
        "created_at": office.clock.now(),
    }


async def unless_kept(place: StatusReference, work: WriteSet, taken: PlaceTaken, transaction: Transaction) -> None:
    """Runs on the writer. Whose copy is erased, keeps its place, though no issuance of theirs is there any more."""
    asked = {"status_list": place.uri, "status_index": place.index}
    if await transaction.fetch(queries.STATUS_ENTRY, asked):
        raise taken
    await transaction.apply(work)


async def _sign_and_seal(office: Office, plan: Plan) -> tuple[bytes, bytes]:
    return await signed(office, plan.carrier, plan.credential, plan.issuer, plan.unsigned)


async def signed(
    office: Office, carrier: CredentialFormat, planned: Credential, issuer: Issuer, unsigned: ToBeSigned
) -> tuple[bytes, bytes]:
    """Sign, seal, and read the sealed credential again: it must say what was planned.

    The document, and the SHA-256 of its issuer-signed bytes.
    """
    signature = await office.signer.sign(issuer.key_id, unsigned.payload)
    document = carrier.seal(unsigned, signature)
    if isinstance(document, ToBeSigned):
        raise Unavailable("This format needs more than one signature; no copy of it can be issued to a wallet.")
    presented = carrier.read(document)
    as_planned = (
        presented.type == planned.type
        and presented.status == planned.status
        and presented.holder_key == planned.holder_key
        and presented.claims.items() >= planned.claims.items()
    )
    if not as_planned:
        raise Unavailable("The sealed credential does not say what was planned; it was discarded.")
    return document, hashlib.sha256(presented.issuer_signed).digest()


async def _commit_issued(office: Office, plan: Plan, document: bytes, digest: bytes) -> Collected:
    shard, index = await commit_issued(office, plan, issuing(office, plan, document, digest))
    text = as_text(plan.carrier.name, document)
    return Collected(text, plan.carrier.name, plan.credential.expires_at, plan.receipt_token, plan.handle, shard, index)


def issuing(office: Office, plan: Plan, document: bytes, digest: bytes) -> WriteSet:
    """What makes a copy of what was signed: its entry, its row, and the end of its intent.

    The person's status must still be the one that it speaks of.
    """
    row, status = plan.row, (plan.credential.status.uri, plan.credential.status.index)
    record = Record("credential.issued", digest, plan.issuer.key_id, status, None, row["decision_handle"])
    entry = about_person(record, plan.handle, row["person_id"], plan.key, office.entropy)
    rows = (_still_entitled(row), _credential_row(office, plan, digest), _answer_row(plan, document))
    return WriteSet(rows, (replace(entry, once=plan.issuance_id),))


async def commit_issued(office: Office, plan: Plan, work: WriteSet) -> tuple[int, int]:
    """Shard and index of the copy's entry, which is the first of ``work``; a copy that it replaces is retired."""
    superseding = partial(supersede, office, (plan.row["person_id"], plan.key), plan.row["replaces"])
    shard, index, flips = await office.store.write(partial(_carry_out, work, superseding))
    await office.board.apply(flips)
    office.tally.issued(plan.kind.id)
    return shard, index


async def _carry_out(
    work: WriteSet, superseding: Callable[[Transaction], Awaitable[tuple[Flip, ...]]], transaction: Transaction
) -> tuple[int, int, tuple[Flip, ...]]:
    """Runs on the writer: shard and index of the entry, and what becomes of a copy that this one replaces."""
    shard, _ = await transaction.log()
    index, *_ = await transaction.apply(work)
    return shard, index, await superseding(transaction)


def _still_entitled(row: Any) -> Change:
    """The status must still be the one that the copy speaks of: a decision since then is caught here."""
    seen = {"id": row["person_id"], "status": row["status"], "permission_decision_id": row["decision_id"]}
    decided = Conflict("A decision on this person was taken while the credential was being signed. Ask again.")
    return Change(tables.person, seen, {"status": row["status"]}, decided)


def _credential_row(office: Office, plan: Plan, digest: bytes) -> Insert:
    row = {
        "id": plan.copy_id,
        "issuer_id": office.deployment.issuer_id,
        "person_id": plan.row["person_id"],
        "decision_id": plan.row["decision_id"],
        "type": plan.kind.id,
        "format": plan.carrier.name,
        "handle": plan.handle,
        "receipt_token_hash": code_hash(plan.receipt_token),
        "issuer_signed_digest": digest,
        "key_id": plan.issuer.key_id,
        "status_list": plan.credential.status.uri,
        "status_index": plan.credential.status.index,
        "status": CopyStatus.VALID.value,
        "changed_by": None,
        "issued_at": office.clock.now(),
        "expires_at": plan.credential.expires_at,
        "ledger_shard": ShardOf(),
        "ledger_index": IndexOf(0),
    }
    return Insert(tables.credential, row)


def _answer_row(plan: Plan, document: bytes) -> Change:
    """The intent is closed, and the answer kept for a repeat, sealed under the person's key."""
    answer = {
        "credential": as_text(plan.carrier.name, document),
        "expires_at": plan.credential.expires_at,
        "receipt_token": plan.receipt_token,
    }
    sealed = plan.key.seal(orjson.dumps(answer), answer_place(plan.issuance_id))
    return Change(
        tables.issuance,
        {"id": plan.issuance_id, "state": "open"},
        {"state": "issued", "sealed_answer": sealed},
        Conflict("This issuance was closed as void while it was being signed. Ask again."),
    )


def answer_place(issuance_id: bytes) -> bytes:
    """Where the answer that is kept for a repeat belongs."""
    return place("issuance", "sealed_answer", issuance_id)
