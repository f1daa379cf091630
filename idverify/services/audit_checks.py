"""What an opened entry says, held against everything that it should rest on: one function for each true type.

Nothing is believed because a row says it. A decision is what two people signed with their own keys, a credential what
our key signed and a decision permits, a status what the published list shows. ``None`` is what cannot be told any more,
such as the signature of a credential that is kept nowhere but in its holder's wallet.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from idverify.auth.step_up import Confirmation, verify_evidence
from idverify.core import key_order, security_act
from idverify.core.assurance import CLAIM
from idverify.core.decision import EFFECTS, CopyStatus, DecisionKind
from idverify.core.form_parts import PAPER_CODE
from idverify.core.retirement import Retirement
from idverify.core.types import credential_type
from idverify.core.verdict import CheckId, Result
from idverify.errors import DocumentError, IdverifyError
from idverify.formats import status_list
from idverify.formats.carriers import FORMATS
from idverify.ledger.commitment import Record
from idverify.ledger.entry import Entry
from idverify.ledger.identity import LogIdentity
from idverify.services import reinstate, retire
from idverify.services.credential_text import as_document
from idverify.services.decide import LIST_VALUE, Ruling, object_digest
from idverify.services.erase import erasure_digest, read_counts
from idverify.services.issue import answer_place
from idverify.services.letter import read_sealed
from idverify.services.letter_pdf import kept_pdf
from idverify.services.office import Office
from idverify.services.people import Person
from idverify.services.permissions import facts_of
from idverify.services.policy_record import digest, policy
from idverify.services.records import LETTER_MADE, split_opening
from idverify.services.recover import FORGOTTEN_SECONDS
from idverify.services.retire import RETIRED
from idverify.services.sealed import ONE_PERMISSION, DecisionContent, unseal_content
from idverify.services.step_up import action_place
from idverify.stores import audit_queries, queries
from idverify.stores.vault import PersonKey, SealBroken

VALID_VALUE: Final = int(LIST_VALUE[CopyStatus.VALID])


@dataclass(frozen=True, slots=True)
class Opened:
    """An entry that was drawn, what it opens to, and the person whom it is about, if it is about one."""

    office: Office
    shard: int
    entry: Entry
    type: str
    record: Record
    person: Person | None

    @property
    def place(self) -> dict[str, int]:
        """Parameters of queries for the row of this entry."""
        return {"shard": self.shard, "index": self.entry.index}

    async def row(self, query: Any, **values: Any) -> Any:
        """The row of a query, or ``None``."""
        return await self.office.store.fetch_one(query, values)


Found = AsyncIterator[tuple[str, bool | None]]
"""Name of a check, and whether it holds; ``None``: it cannot be told any more."""


async def issued(opened: Opened) -> Found:
    """A credential: its row, the decision that it speaks of, our signature, what it says, its status."""
    row, record = await opened.row(audit_queries.CREDENTIAL_OF_ENTRY, **opened.place), opened.record
    yield "there is such a credential", row is not None and row["handle"] == opened.entry.handle
    if row is None or opened.person is None:
        return
    named = (row["issuer_signed_digest"], row["key_id"], (row["status_list"], row["status_index"]))
    yield "its row is as recorded", named == (record.object_digest, record.kid, record.status)
    permits = EFFECTS[DecisionKind(row["decision_kind"])].carries_permission
    yield "a decision permits it", row["decision_handle"] == record.decision and permits
    yield "our key signed it", _signed(opened, row)
    yield "it says what was decided", _says(opened, row)
    yield "the status list says what its row says", _listed(row)


async def status_changed(opened: Opened) -> Found:
    """A copy's status: the copy, and a decision that does this to copies."""
    record, status = opened.record, CopyStatus(opened.type.removeprefix("credential."))
    uri, index = record.status or ("", 0)
    row = await opened.row(audit_queries.CREDENTIAL_OF_STATUS, status_list=uri, status_index=index)
    known = row is not None and (row["issuer_signed_digest"], row["key_id"]) == (record.object_digest, record.kid)
    yield "there is such a credential", known
    decision = await opened.row(audit_queries.DECISION_BY_HANDLE, handle=record.decision)
    whose = None if opened.person is None else opened.person.id
    yield "a decision on this person is behind it", decision is not None and decision["person_id"] == whose
    if decision is None or row is None:
        return
    yield "it is what such a decision does", EFFECTS[DecisionKind(decision["kind"])].copies is status
    yield "the reason is the decision's", record.reason == decision["reason"]
    last = row["changed_by"] == decision["id"] and row["retired_at"] is None
    yield "the status list says so", _listed(row) and row["status"] == status.value if last else None


async def retired(opened: Opened) -> Found:
    """A copy that was retired: the copy, and that its holder confirmed it or that another took its place."""
    uri, index = opened.record.status or ("", 0)
    row = await opened.row(audit_queries.CREDENTIAL_OF_STATUS, status_list=uri, status_index=index)
    record, whose = opened.record, None if opened.person is None else opened.person.id
    known = row is not None and (row["issuer_signed_digest"], row["key_id"]) == (record.object_digest, record.kid)
    yield "there is such a credential", known and row["person_id"] == whose
    if row is None or not known:
        return
    yield "its row says why", row["retired_at"] is not None and row["retired_for"] == record.reason
    yield "the status list says so", row["listed"] == int(LIST_VALUE[CopyStatus.INVALID])
    if record.reason == Retirement.REPLACED:
        yield "another took its place", await opened.row(audit_queries.COLLECTED_FOR, replaces=row["id"]) is not None
        return
    confirmed = await opened.row(audit_queries.AUTHORISATION_BY_ID, id=row["retirement_id"])
    digest = retire.action(retire.copy_of(row), Retirement(row["retired_for"])).digest()
    yield "its holder confirmed it", confirmed is not None and _confirms(opened, confirmed, digest)


async def lettered(opened: Opened) -> Found:
    """A letter on paper: its row and the file that is kept, its code and who signed that, and the copy of both."""
    row, record, person = (
        await opened.row(audit_queries.LETTER_OF_ENTRY, **opened.place),
        opened.record,
        opened.person,
    )
    known = row is not None and person is not None and row["person_id"] == person.id
    yield "there is such a letter", known
    if row is None or person is None or not known:
        return
    named = (row["revision_digest"], row["key_id"], (row["status_list"], row["status_index"]), row["code_digest"])
    yield "its row is as recorded", named == (record.object_digest, record.kid, record.status, record.decision)
    pdf = kept_pdf(row, person.key)
    yield "the file that is kept is the one recorded", pdf is not None and _of_letter(pdf, row, record)
    yield "our key signed its code", _code_signed(opened, row, person.key)


def _of_letter(pdf: bytes, row: Any, record: Record) -> bool:
    revision = hashlib.sha256(pdf[: row["revision_size"]]).digest()
    return (revision, hashlib.sha256(pdf).digest()) == (record.object_digest, row["file_digest"])


def _code_signed(opened: Opened, row: Any, key: PersonKey) -> bool:
    """Whether the code is the one recorded, of the same copy, and our key signed it, though it be revoked since."""
    carrier, trust = FORMATS[PAPER_CODE], replace(opened.office.trust, revoked_serials=frozenset())
    try:
        presented = carrier.signed_by(carrier.read(read_sealed(row, key)["code"].encode()), trust)
        found = {check.id: check.result for check in carrier.check(presented, trust, row["created_at"], None)}
    except (DocumentError, SealBroken):
        return False
    same = hashlib.sha256(presented.issuer_signed).digest() == opened.record.decision
    status = presented.status is not None and (presented.status.uri, presented.status.index) == opened.record.status
    ours = {found.get(check) for check in (CheckId.SIGNATURE, CheckId.ISSUER_TRUSTED, CheckId.TYPE_ALLOWED)}
    return same and status and ours == {Result.PASS}


async def voided(opened: Opened) -> Found:
    """An issuance that was never finished: its intent, and an index that says so."""
    uri, index = opened.record.status or ("", 0)
    row = await opened.row(audit_queries.VOID_OF_STATUS, status_list=uri, status_index=index)
    yield "there is such an intent", row is not None and row["tbs_digest"] == opened.record.object_digest
    if row is not None:
        yield "it is void", row["state"] == "void"
        yield "the status list says so", row["listed"] == int(LIST_VALUE[CopyStatus.INVALID])


async def decided(opened: Opened) -> Found:
    """A decision: all that it says, who took it, and how each of them confirmed exactly this."""
    row, person, record = (
        await opened.row(audit_queries.DECISION_OF_ENTRY, **opened.place),
        opened.person,
        opened.record,
    )
    known = row is not None and person is not None and row["person_id"] == person.id
    yield "there is such a decision on this person", known
    if row is None or person is None or not known:
        return
    said = (f"decision.{row['kind']}", row["reason"], row["handle"])
    yield "its row is as recorded", said == (opened.type, record.reason, record.decision)
    content = unseal_content(person.key, "decision", row["id"], row["sealed"])
    ids = [one for one in (row["authorisation_id"], row["approval_id"]) if one is not None]
    confirmed = [await opened.row(audit_queries.AUTHORISATION_BY_ID, id=one) for one in ids]
    evidence = [hashlib.sha256(one["evidence"]).hexdigest() for one in confirmed if one is not None]
    yield "it says what was recorded", object_digest(row, evidence, content) == record.object_digest
    ruling = Ruling(person.handle, DecisionKind(row["kind"]), row["reason"], content)
    act = ruling.action().digest()
    yield "each confirmed exactly this", bool(confirmed) and all(_confirms(opened, one, act) for one in confirmed)
    named = [one["actor"] for one in confirmed if one is not None]
    yield "whoever confirmed is named", named == [name for name in (row["decided_by"], row["approved_by"]) if name]
    if EFFECTS[DecisionKind(row["kind"])].two_people:
        yield "two people took it", _two_people(confirmed)


async def authorised(opened: Opened) -> Found:
    """A confirmation: a signature of somebody's security key over an act, in their session."""
    row, record = await opened.row(audit_queries.AUTHORISATION_OF_ENTRY, **opened.place), opened.record
    yield "there is such a confirmation", row is not None and row["handle"] == opened.entry.handle
    if row is not None:
        yield "its evidence is as recorded", hashlib.sha256(row["evidence"]).digest() == record.object_digest
        yield "its act is as recorded", row["act"] == record.reason
        yield "the evidence holds", _confirms(opened, row, row["action_digest"])
        yield "the act that is kept is the one confirmed", _kept(opened, row)


async def bound(opened: Opened) -> Found:
    """A security key that was bound to an account. Entries of before they said to which bind it to any."""
    named, whose = await _keys(opened), opened.record.decision
    yield "there is such a key", bool(named)
    if named and whose is not None:
        yield "it is of this account", any(security_act.account_digest(key) == whose for key in named)


async def unbound(opened: Opened) -> Found:
    """A security key that was removed from its account."""
    named = await _keys(opened)
    yield "there is such a key", bool(named)
    yield "it is removed", any(key["removed_at"] is not None for key in named)


async def stopped(opened: Opened) -> Found:
    """A security key that was suspended or reinstated: it still is, if this is the newest such entry of it."""
    named, is_suspended = await _keys(opened), opened.type == security_act.SUSPENDED
    yield "there is such a key", bool(named)
    if not is_suspended:
        place = {"shard": opened.shard, "index": opened.entry.index - 1}
        approved = await opened.row(audit_queries.AUTHORISATION_OF_ENTRY, **place)
        yield "an admin approved it", approved is not None and approved["act"] == reinstate.ACT
    newest = await _newest_stop(opened)
    so = any((key["suspended_at"] is not None) is is_suspended for key in named)
    yield "it is suspended" if is_suspended else "it is in use again", so if newest == opened.entry.handle else None


async def _keys(opened: Opened) -> list[Any]:
    """Rows of the key that an entry names, with the ``handle``, role, actor and purpose of their accounts."""
    whose = None if opened.person is None else opened.person.id
    keys: list[Any] = await opened.office.store.fetch(audit_queries.SECURITY_KEYS_OF_PERSON, {"person_id": whose})
    return [key for key in keys if hashlib.sha256(key["cose_key"]).digest() == opened.record.object_digest]


async def _newest_stop(opened: Opened) -> bytes | None:
    """The handle of the newest entry that says whether this key is suspended."""
    rows: list[Any] = await opened.office.store.fetch(audit_queries.SUSPENSIONS, {})
    about = [row for row in rows if split_opening(row["opening"])[1].object_digest == opened.record.object_digest]
    return about[0]["handle"] if about else None


async def signing_key(opened: Opened) -> Found:
    """A key on a token that was taken into use, or replaced by another."""
    keys = {row["key_id"]: row for row in await opened.office.store.fetch(queries.SIGNING_KEYS, {})}
    row = keys.get(opened.record.kid)
    yield "there is such a key", row is not None
    if row is not None:
        recorded = row["certificate"] or row["public_key"] or row["key_id"]
        yield "it is the one recorded", hashlib.sha256(recorded).digest() == opened.record.object_digest
        if opened.type == security_act.SIGNING_KEY_RETIRED:
            yield "it is out of use", row["state"] != key_order.ACTIVE


# True type -> the rows among which its own is, and what such a row has once the act is done.
_SECURITY_ROWS: Final[Mapping[str, tuple[Any, str | None]]] = {
    security_act.ACCOUNT_ENDED: (audit_queries.ACCOUNTS_OF_PERSON, "ended_at"),
    security_act.SIGNED_OUT: (audit_queries.ACCOUNTS_OF_PERSON, None),
    security_act.SIGNING_KEY_ORDERED: (queries.KEY_ORDERS, None),
    security_act.API_KEY_MADE: (queries.API_KEYS, None),
    security_act.API_KEY_REVOKED: (queries.API_KEYS, "revoked_at"),
    security_act.AUTHENTICATORS_CHANGED: (queries.AUTHENTICATOR_LISTS, None),
    security_act.ISSUERS_CHANGED: (queries.ISSUER_CHANGES, None),
    security_act.ENROLMENT_CANCELLED: (audit_queries.ENROLMENTS_OF_PERSON, "consumed_at"),
    security_act.RECOVERY_CODES_MADE: (audit_queries.ACCOUNTS_OF_PERSON, None),
}
_OF_NOBODY: Final = {
    security_act.API_KEY_MADE,
    security_act.API_KEY_REVOKED,
    security_act.AUTHENTICATORS_CHANGED,
    security_act.ISSUERS_CHANGED,
    security_act.SIGNING_KEY_ORDERED,
}


async def bore_on_security(opened: Opened) -> Found:
    """An act that bears on who may do what here: the row that it was done to."""
    query, over = _SECURITY_ROWS[opened.type]
    of_people = opened.type not in _OF_NOBODY
    whose = None if opened.person is None else opened.person.id
    rows: list[Any] = await opened.office.store.fetch(query, {"person_id": whose} if of_people else {})
    recorded = opened.record.object_digest
    row = next((one for one in rows if security_act.object_digest(opened.type, one) == recorded), None)
    yield "there is such a row", row is not None
    if row is not None and over is not None:
        yield "it is over", row[over] is not None


async def code_made(opened: Opened) -> Found:
    """A one-time code, with all its terms. Unused codes are not kept for long, and older entries name none."""
    whose = None if opened.person is None else opened.person.id
    rows: list[Any] = await opened.office.store.fetch(audit_queries.ENROLMENTS_OF_PERSON, {"person_id": whose})
    recorded = opened.record.object_digest
    as_recorded = any(security_act.object_digest(opened.type, row) == recorded for row in rows)
    other: Any = None
    if not as_recorded and opened.record.decision is not None:
        other = await opened.row(queries.ENROLMENT, code_hash=opened.record.decision)
    yield "there is such a row", True if as_recorded else None if other is None else False


async def metadata_loaded(opened: Opened) -> Found:
    """Metadata of authenticators: those that are there, if these were loaded last."""
    newest = await opened.row(queries.NEWEST_OF_TYPE, type=security_act.METADATA_LOADED)
    row = await opened.row(queries.NEWEST_METADATA)
    same = row is not None and _as_loaded(row, opened.record)
    yield "these metadata are there", same if newest is not None and newest["handle"] == opened.entry.handle else None


def _as_loaded(row: Any, record: Record) -> bool:
    said = f"{security_act.METADATA_NUMBER}{row['number']}"
    return (hashlib.sha256(row["blob"]).digest(), said) == (record.object_digest, record.reason)


async def policy_changed(opened: Opened) -> Found:
    """The rules: those that are in force now, if this is the newest record of them."""
    newest = await opened.row(queries.NEWEST_OF_TYPE, type=security_act.POLICY_CHANGED)
    last = newest is not None and newest["handle"] == opened.entry.handle
    yield "these rules are in force", digest(policy(opened.office)) == opened.record.object_digest if last else None


async def erased(opened: Opened) -> Found:
    """An erasure: two admins confirmed it. Whom, nobody can tell."""
    record = opened.record
    counts, place = read_counts(record), {"shard": opened.shard, "index": opened.entry.index + 1}
    first = await opened.row(audit_queries.AUTHORISATION_BY_HANDLE, handle=record.decision)
    second = await opened.row(audit_queries.AUTHORISATION_OF_ENTRY, **place)
    yield "it says how many", counts is not None
    if counts is None or first is None or second is None:
        yield "two people confirmed it", False
        return
    evidence = [hashlib.sha256(one["evidence"]).hexdigest() for one in (first, second)]
    yield "it says what was recorded", erasure_digest(*counts, evidence) == record.object_digest
    same = all(_confirms(opened, one, first["action_digest"]) for one in (first, second))
    yield "two people confirmed it", same and _two_people([first, second])


def _kept(opened: Opened, row: Any) -> bool | None:
    """Acts that were confirmed before they were kept are not there."""
    if row["action"] is None:
        return None
    person = opened.person
    try:
        action = row["action"] if person is None else person.key.unseal(row["action"], action_place(row["id"]))
    except SealBroken:
        return False
    return bool(hashlib.sha256(action).digest() == row["action_digest"])


async def covered(opened: Opened) -> Found:
    """Nothing."""
    yield "it says nothing", opened.record == Record("cover", bytes(32))


CHECKS: Final[Mapping[str, Callable[[Opened], Found]]] = {
    "credential.issued": issued,
    "credential.suspended": status_changed,
    "credential.valid": status_changed,
    "credential.invalid": status_changed,
    RETIRED: retired,
    LETTER_MADE: lettered,
    "issuance.void": voided,
    security_act.SIGNING_KEY_TAKEN: signing_key,
    security_act.SIGNING_KEY_RETIRED: signing_key,
    security_act.BOUND: bound,
    security_act.REMOVED: unbound,
    security_act.SUSPENDED: stopped,
    security_act.REINSTATED: stopped,
    security_act.POLICY_CHANGED: policy_changed,
    security_act.METADATA_LOADED: metadata_loaded,
    **{f"decision.{kind.value}": decided for kind in DecisionKind},
    **dict.fromkeys(_SECURITY_ROWS, bore_on_security),
    security_act.ENROLMENT_MADE: code_made,
    "erasure": erased,
    "authorisation": authorised,
    "cover": covered,
}


async def public_object(office: Office, entry: Entry, kind: str) -> Found:
    """An entry whose object is public: what is published now, if it is the newest of its kind."""
    ours, said = office.deployment, "it is of what is published"
    if kind == "log.start":
        identity = LogIdentity(office.log.origin, ours.iss, ours.rp_id, ours.status_base, office.log.previous)
        yield said, identity.digest() == entry.digest
        return
    if kind != "status-list.published":
        yield said, None
        return
    published = {digest async for digest in _published_lists(office)}
    newest: Any = await office.store.fetch_one(queries.NEWEST_OF_TYPE, {"type": kind})
    last = newest["handle"] == entry.handle
    yield said, entry.digest in published if last or entry.digest in published else None


async def _published_lists(office: Office) -> AsyncIterator[bytes]:
    for row in await office.store.fetch(queries.STATUS_PUBLICATIONS, {}):
        yield status_list.content_digest(row["status_list"], status_list.read(row["token"]).statuses)


def _signed(opened: Opened, row: Any) -> bool | None:
    """Whether our key signed what was handed out, as long as that is kept; a key that was revoked since, too."""
    document = _document(opened, row)
    if document is None:
        return None
    try:
        carrier = FORMATS[row["format"]]
        presented = carrier.read(document)
        trust = replace(opened.office.trust, revoked_serials=frozenset())
        found = {check.id: check.result for check in carrier.check(presented, trust, row["issued_at"], None)}
    except DocumentError:
        return False
    ours = {found.get(check) for check in (CheckId.SIGNATURE, CheckId.ISSUER_TRUSTED, CheckId.TYPE_ALLOWED)}
    digest_now = hashlib.sha256(presented.issuer_signed).digest()
    return ours == {Result.PASS} and digest_now == opened.record.object_digest


def _says(opened: Opened, row: Any) -> bool | None:
    """Whether it says of the person what was decided, and nothing else that a decision would have to carry."""
    document, person = _document(opened, row), opened.person
    if document is None or person is None:
        return None
    try:
        presented = FORMATS[row["format"]].read(document)
    except DocumentError:
        return False
    content = unseal_content(person.key, "decision", row["decision_id"], row["decision_sealed"])
    kind, ours = credential_type(row["type"]), opened.office.deployment
    form = kind.forms[row["format"]]
    if kind.id not in (content.permissions or {}):
        return False
    planned = range(row["issued_at"] - FORGOTTEN_SECONDS, row["issued_at"] + 1, FORGOTTEN_SECONDS)
    # which differ where a birthday began
    claims = [form.claims(facts_of(ours, kind, person.details, row, content, at)) for at in planned]
    return presented.type == form.type and any(_at_least(presented.claims, said, content) for said in claims)


def _at_least(shown: Mapping[str, Any], said: Mapping[str, Any], content: DecisionContent) -> bool:
    """Whether a copy says what was decided. Copies of before say nothing of how the identity was checked."""
    bare = content.form == ONE_PERMISSION and CLAIM not in shown
    return shown.items() >= {name: value for name, value in said.items() if not (bare and name == CLAIM)}.items()


def _document(opened: Opened, row: Any) -> bytes | None:
    if row["sealed_answer"] is None or opened.person is None:
        return None
    answer = opened.person.key.unseal(row["sealed_answer"], answer_place(row["issuance_id"]))
    return as_document(row["format"], orjson.loads(answer)["credential"])


def _listed(row: Any) -> bool:
    return (VALID_VALUE if row["listed"] is None else row["listed"]) == int(LIST_VALUE[CopyStatus(row["status"])])


def _confirms(opened: Opened, row: Any, action_digest: bytes) -> bool:
    """Whether the evidence of a confirmation is of this act, by the account and the key that its row names."""
    proven = None if row is None else _proven(row["evidence"])
    if proven is None or row is None:
        return False
    account = hashlib.sha256(row["account_id"]).hexdigest()
    of_ours = proven.context.rp_id == opened.office.deployment.rp_id
    return of_ours and (proven.action_digest, proven.context.account, proven.cose_key) == (
        action_digest,
        account,
        row["cose_key"],
    )


def _proven(evidence: bytes) -> Confirmation | None:
    try:
        return verify_evidence(evidence)
    except IdverifyError:
        return None


def _two_people(confirmed: list[Any]) -> bool:
    if len(confirmed) != 2 or None in confirmed:
        return False
    first, second = confirmed
    return bool(first["account_id"] != second["account_id"] and first["cose_key"] != second["cose_key"])
