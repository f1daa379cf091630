"""What an audit asks of the rows that entries speak of; parameters by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import BindParameter, and_, bindparam, or_, select

from idverify.core.security_act import REINSTATED, SUSPENDED
from idverify.stores.tables import (
    account,
    authorisation,
    credential,
    decision,
    enrolment,
    issuance,
    ledger_record,
    letter,
    offer,
    person,
    security_key,
    status_entry,
)

_HERE: Final[Mapping[str, BindParameter[int]]] = {"shard": bindparam("shard"), "index": bindparam("index")}

RECORD: Final = select(ledger_record).where(
    ledger_record.c.shard == _HERE["shard"], ledger_record.c.ledger_index == _HERE["index"]
)

# A copy, with the answer that was kept for a repeat, the decision that it speaks of, and what the list says of it.
_CREDENTIAL = (
    select(
        credential,
        issuance.c.id.label("issuance_id"),
        issuance.c.sealed_answer,
        decision.c.handle.label("decision_handle"),
        decision.c.kind.label("decision_kind"),
        decision.c.decided_at,
        decision.c.sealed.label("decision_sealed"),
        status_entry.c.value.label("listed"),
    )
    .join(decision, decision.c.id == credential.c.decision_id)
    .outerjoin(issuance, issuance.c.handle == credential.c.handle)
    .outerjoin(
        status_entry,
        and_(
            status_entry.c.status_list == credential.c.status_list,
            status_entry.c.status_index == credential.c.status_index,
        ),
    )
)
CREDENTIAL_OF_ENTRY: Final = _CREDENTIAL.where(
    credential.c.ledger_shard == _HERE["shard"], credential.c.ledger_index == _HERE["index"]
)
CREDENTIAL_OF_STATUS: Final = _CREDENTIAL.where(
    credential.c.status_list == bindparam("status_list"), credential.c.status_index == bindparam("status_index")
)
# A letter, with the place of its copy in the status list.
LETTER_OF_ENTRY: Final = (
    select(letter, credential.c.status_list, credential.c.status_index)
    .join(credential, credential.c.id == letter.c.credential_id)
    .where(letter.c.ledger_shard == _HERE["shard"], letter.c.ledger_index == _HERE["index"])
)
# The copy that was collected in the place of another.
COLLECTED_FOR: Final = (
    select(issuance.c.id)
    .join(offer, offer.c.id == issuance.c.offer_id)
    .where(offer.c.replaces == bindparam("replaces"), issuance.c.state == "issued")
)
VOID_OF_STATUS: Final = (
    select(issuance, status_entry.c.value.label("listed"))
    .outerjoin(
        status_entry,
        and_(
            status_entry.c.status_list == issuance.c.status_list,
            status_entry.c.status_index == issuance.c.status_index,
        ),
    )
    .where(issuance.c.status_list == bindparam("status_list"), issuance.c.status_index == bindparam("status_index"))
)

_DECISION = select(decision, person.c.handle.label("person_handle")).join(person, person.c.id == decision.c.person_id)
DECISION_OF_ENTRY: Final = _DECISION.where(
    decision.c.ledger_shard == _HERE["shard"], decision.c.ledger_index == _HERE["index"]
)
DECISION_BY_HANDLE: Final = _DECISION.where(decision.c.handle == bindparam("handle"))

_AUTHORISATION = (
    select(
        authorisation,
        account.c.actor,
        account.c.role,
        account.c.handle.label("account_handle"),
        security_key.c.cose_key,
    )
    .join(account, account.c.id == authorisation.c.account_id)
    .outerjoin(
        security_key,
        and_(
            security_key.c.id == authorisation.c.security_key_id,
            security_key.c.account_id == authorisation.c.account_id,
        ),
    )
)
AUTHORISATION_OF_ENTRY: Final = _AUTHORISATION.where(
    authorisation.c.ledger_shard == _HERE["shard"], authorisation.c.ledger_index == _HERE["index"]
)
AUTHORISATION_BY_ID: Final = _AUTHORISATION.where(authorisation.c.id == bindparam("id"))
AUTHORISATION_BY_HANDLE: Final = _AUTHORISATION.where(authorisation.c.handle == bindparam("handle"))

# An account is of a person exactly if it is a citizen's.
_WHOSE = and_(
    account.c.person_id.is_not_distinct_from(bindparam("person_id")),
    (account.c.role == "citizen") == account.c.person_id.is_not(None),
)
# Keys and accounts of one person, or (for NULL) of staff and organisations.
SECURITY_KEYS_OF_PERSON: Final = (
    select(
        security_key.c.cose_key,
        security_key.c.removed_at,
        security_key.c.suspended_at,
        account.c.handle,
        account.c.role,
        account.c.actor,
        account.c.purpose,
    )
    .join(account, account.c.id == security_key.c.account_id)
    .where(_WHOSE)
)
# What became of security keys of staff and organisations, the newest first.
SUSPENSIONS: Final = (
    select(ledger_record.c.handle, ledger_record.c.opening)
    .where(
        or_(ledger_record.c.type == SUSPENDED, ledger_record.c.type == REINSTATED),
        ledger_record.c.person_id.is_(None),
    )
    .order_by(ledger_record.c.shard.desc(), ledger_record.c.ledger_index.desc())
)
ENROLMENTS_OF_PERSON: Final = select(enrolment).where(
    enrolment.c.person_id.is_not_distinct_from(bindparam("person_id"))
)
ACCOUNTS_OF_PERSON: Final = select(account).where(_WHOSE)
