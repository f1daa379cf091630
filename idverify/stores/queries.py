"""Every question that services ask of the rows, as SQLAlchemy Core selects; parameters by name."""

from __future__ import annotations

from typing import Final

from sqlalchemy import and_, bindparam, or_, select

from idverify.stores.tables import (
    api_key,
    credential,
    crl,
    decision,
    deployment,
    issuance,
    ledger_record,
    look,
    offer,
    person,
    person_key,
    person_lookup,
    proposal,
    signing_key,
    status_entry,
    status_publication,
    trusted_issuer,
    verification_request,
)

DEPLOYMENT: Final = select(deployment)
SIGNING_KEYS: Final = select(signing_key)
TRUSTED_ISSUERS: Final = select(trusted_issuer)
CRLS: Final = select(crl)
API_KEY: Final = select(api_key).where(api_key.c.id == bindparam("id"))
API_KEYS: Final = select(api_key).order_by(api_key.c.created_at)

_PERSON_WITH_KEY = (
    select(
        person.c.id,
        person.c.handle,
        person.c.status,
        person.c.permission_decision_id,
        person.c.version,
        person.c.sealed,
        person.c.created_at,
        person_key.c.wrapping_key_id,
        person_key.c.wrapped,
    )
    .join(person_key, person_key.c.person_id == person.c.id)
    .where(person_key.c.wrapping_key_id == bindparam("wrapping_key_id"))
)
PERSON_BY_HANDLE: Final = _PERSON_WITH_KEY.where(person.c.handle == bindparam("handle"))
PERSON_BY_LOOKUP: Final = _PERSON_WITH_KEY.join(person_lookup, person_lookup.c.person_id == person.c.id).where(
    person_lookup.c.lookup_key_id == bindparam("lookup_key_id"), person_lookup.c.mac == bindparam("mac")
)

DECISIONS_OF_PERSON: Final = (
    select(decision).where(decision.c.person_id == bindparam("person_id")).order_by(decision.c.ledger_index)
)
CREDENTIALS_OF_PERSON: Final = (
    select(credential).where(credential.c.person_id == bindparam("person_id")).order_by(credential.c.ledger_index)
)
# The decision that last changed a copy.
DECISION_BEHIND_COPY: Final = (
    select(decision.c.kind, decision.c.reason, decision.c.decided_at)
    .join(credential, credential.c.changed_by == decision.c.id)
    .where(credential.c.status_list == bindparam("status_list"), credential.c.status_index == bindparam("status_index"))
)
LOOKS_AT_PERSON: Final = (
    select(look.c.looked_at, look.c.actor, look.c.role, look.c.purpose, look.c.channel, look.c.verdict)
    .outerjoin(
        credential,
        and_(credential.c.status_list == look.c.status_list, credential.c.status_index == look.c.status_index),
    )
    .where(or_(credential.c.person_id == bindparam("person_id"), look.c.person_id == bindparam("person_id")))
    .order_by(look.c.looked_at)
)
PROPOSAL: Final = (
    select(proposal, person.c.handle.label("person_handle"))
    .join(person, person.c.id == proposal.c.person_id)
    .where(proposal.c.handle == bindparam("handle"))
)
OPEN_PROPOSALS: Final = (
    select(proposal, person.c.handle.label("person_handle"), person_key.c.wrapping_key_id, person_key.c.wrapped)
    .join(person, person.c.id == proposal.c.person_id)
    .join(person_key, person_key.c.person_id == person.c.id)
    .where(
        person_key.c.wrapping_key_id == bindparam("wrapping_key_id"),
        proposal.c.consumed_at.is_(None),
        proposal.c.expires_at > bindparam("at"),
    )
    .order_by(proposal.c.created_at)
)

# Everything that collecting a credential needs to know, in one read.
COLLECTION: Final = (
    select(
        offer.c.id.label("offer_id"),
        offer.c.type,
        offer.c.nonce,
        offer.c.consumed_at,
        offer.c.expires_at,
        person.c.id.label("person_id"),
        person.c.status,
        person.c.sealed.label("sealed_details"),
        person_key.c.wrapping_key_id,
        person_key.c.wrapped,
        decision.c.id.label("decision_id"),
        decision.c.handle.label("decision_handle"),
        decision.c.sealed.label("sealed_permission"),
        decision.c.decided_at,
        issuance.c.id.label("issuance_id"),
        issuance.c.request_digest,
        issuance.c.state,
        issuance.c.sealed_answer,
        credential.c.handle.label("credential_handle"),
        credential.c.ledger_index,
    )
    .join(person, person.c.id == offer.c.person_id)
    .join(
        person_key,
        and_(person_key.c.person_id == person.c.id, person_key.c.wrapping_key_id == bindparam("wrapping_key_id")),
    )
    .outerjoin(decision, decision.c.id == person.c.permission_decision_id)
    .outerjoin(
        issuance,
        and_(
            issuance.c.offer_id == offer.c.id,
            issuance.c.idempotency_key == bindparam("idempotency_key"),
            issuance.c.state != "void",
        ),
    )
    .outerjoin(credential, credential.c.handle == issuance.c.handle)
    .where(offer.c.code_hash == bindparam("code_hash"))
)

_ISSUANCE_WITH_KEY = (
    select(issuance, person_key.c.wrapping_key_id, person_key.c.wrapped)
    .join(person_key, person_key.c.person_id == issuance.c.person_id)
    .where(issuance.c.state == "open", person_key.c.wrapping_key_id == bindparam("wrapping_key_id"))
)
OPEN_ISSUANCES: Final = _ISSUANCE_WITH_KEY
OPEN_ISSUANCE: Final = _ISSUANCE_WITH_KEY.where(issuance.c.id == bindparam("id"))

RECEIPT: Final = (
    select(
        credential.c.receipt_token_hash,
        credential.c.ledger_index,
        ledger_record.c.opening,
        person_key.c.person_id,
        person_key.c.wrapping_key_id,
        person_key.c.wrapped,
    )
    .join(ledger_record, ledger_record.c.ledger_index == credential.c.ledger_index)
    .join(person_key, person_key.c.person_id == credential.c.person_id)
    .where(credential.c.handle == bindparam("handle"), person_key.c.wrapping_key_id == bindparam("wrapping_key_id"))
)

STATUS_ENTRIES: Final = select(status_entry.c.status_index, status_entry.c.value).where(
    status_entry.c.status_list == bindparam("status_list")
)
STATUS_INDICES_TAKEN: Final = select(issuance.c.status_index).where(issuance.c.status_list == bindparam("status_list"))
STATUS_PUBLICATION: Final = select(status_publication).where(
    status_publication.c.status_list == bindparam("status_list")
)

VERIFICATION_REQUEST: Final = select(verification_request).where(verification_request.c.handle == bindparam("handle"))
