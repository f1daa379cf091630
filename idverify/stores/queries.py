"""Every question that services ask of the rows, as SQLAlchemy Core selects; parameters by name."""

from __future__ import annotations

from typing import Final

from sqlalchemy import and_, bindparam, exists, func, literal_column, or_, select

from idverify.core.key_order import ACTIVE, REVOKED
from idverify.core.security_act import BOUND
from idverify.stores.tables import (
    account,
    admin_proposal,
    api_key,
    authenticator_list,
    authorisation,
    ceremony,
    credential,
    crl,
    decision,
    deployment,
    deployment_secret,
    enrolment,
    issuance,
    issuer_change,
    key_order,
    ledger_checkpoint,
    ledger_record,
    ledger_state,
    ledger_waiting,
    letter,
    letter_batch,
    letter_order,
    look,
    metadata_blob,
    notice,
    offer,
    person,
    person_key,
    person_lookup,
    proposal,
    security_key,
    session,
    shard_proposal,
    signing_key,
    status_entry,
    status_list,
    status_publication,
    status_seen,
    verification_request,
)
from idverify.stores.wrapped_keys import wrapped_keys

DEPLOYMENT: Final = select(deployment)
LOGS: Final = select(
    ledger_state.c.shard,
    ledger_state.c.origin,
    ledger_state.c.previous,
    ledger_state.c.tree,
    ledger_state.c.signed_size,
    ledger_state.c.quorum_size,
    ledger_state.c.halted,
).order_by(ledger_state.c.shard)
WAITING: Final = select(ledger_waiting).order_by(ledger_waiting.c.position)
# A size of a log that was signed for.
SIGNED_ROOT: Final = select(ledger_checkpoint.c.root).where(
    ledger_checkpoint.c.shard == bindparam("shard"),
    ledger_checkpoint.c.size == bindparam("size"),
    ledger_checkpoint.c.note.is_not(None),
)
SHARD_PROPOSAL: Final = select(shard_proposal).where(shard_proposal.c.handle == bindparam("handle"))
OPEN_SHARD_PROPOSALS: Final = (
    select(shard_proposal)
    .where(
        shard_proposal.c.consumed_at.is_(None),
        shard_proposal.c.expires_at > bindparam("at"),
        shard_proposal.c.ends == bindparam("ends"),
    )
    .order_by(shard_proposal.c.created_at, shard_proposal.c.id)
)
SIGNING_KEYS: Final = select(signing_key)
# Of a role on several tokens, the key that was taken into use first comes first.
KEYS_IN_USE: Final = (
    select(signing_key).where(signing_key.c.state == ACTIVE).order_by(signing_key.c.created_at, signing_key.c.key_id)
)
KEYS_THAT_VERIFY: Final = (
    select(signing_key)
    .where(
        signing_key.c.state != REVOKED,
        signing_key.c.certificate.is_not(None),
        signing_key.c.not_after > bindparam("at"),
    )
    .order_by(signing_key.c.created_at, signing_key.c.key_id)
)
# Also those that were replaced: paper that they signed is still about. Which of them were revoked, the lists say.
CERTIFICATES_OF_ROLE: Final = (
    select(signing_key.c.certificate)
    .where(signing_key.c.role == bindparam("role"), signing_key.c.certificate.is_not(None))
    .order_by(signing_key.c.created_at, signing_key.c.key_id)
)
KEY_ORDERS: Final = select(key_order)
OPEN_KEY_ORDERS: Final = KEY_ORDERS.where(key_order.c.carried_out_at.is_(None)).order_by(
    key_order.c.ordered_at, key_order.c.role
)
ISSUER_CHANGES: Final = select(issuer_change).order_by(issuer_change.c.version)
NEWEST_ISSUER_CHANGE: Final = select(func.max(issuer_change.c.version).label("version"))
CRLS: Final = select(crl)
CRL_OF: Final = (
    select(crl)
    .join(signing_key, signing_key.c.key_id == crl.c.issuer_key_id)
    .where(signing_key.c.role == bindparam("root_role"), signing_key.c.state == ACTIVE)
)
API_KEY: Final = select(api_key).where(api_key.c.id == bindparam("id"))
API_KEYS: Final = select(api_key).order_by(api_key.c.created_at)
UNBOUND_API_KEYS: Final = select(api_key).where(api_key.c.mac.is_(None))
API_KEYS_OF_ACTOR: Final = API_KEYS.where(
    api_key.c.actor == bindparam("actor"),
    api_key.c.role == bindparam("role"),
    api_key.c.purpose == bindparam("purpose"),
)

ACCOUNT: Final = select(account).where(account.c.id == bindparam("id"))
ACCOUNT_OF_PERSON: Final = select(account).where(account.c.person_id == bindparam("person_id"))
ACCOUNT_BY_HANDLE: Final = select(account).where(account.c.handle == bindparam("handle"))
ACCOUNT_NAMED: Final = select(account.c.id).where(account.c.name_as_read == bindparam("name_as_read"))
_OF_NO_PERSON = account.c.role != "citizen"
STAFF: Final = select(account).where(_OF_NO_PERSON).order_by(account.c.created_at)
ENROLMENT: Final = select(enrolment).where(enrolment.c.code_hash == bindparam("code_hash"))
UNBOUND_ENROLMENTS: Final = select(enrolment).where(enrolment.c.mac.is_(None))
ENROLMENT_BY_ID: Final = select(enrolment).where(enrolment.c.id == bindparam("id"))
_WAITS = and_(enrolment.c.consumed_at.is_(None), enrolment.c.expires_at > bindparam("at"))
# Codes for the account of one kind that can still be used.
CODES_LEFT: Final = (
    select(func.count().label("number"))
    .select_from(enrolment)
    .where(enrolment.c.account_id == bindparam("account_id"), enrolment.c.kind == bindparam("kind"), _WAITS)
)
# The newest code that an officer made for a person and that waits for its use.
CODE_OF_PERSON: Final = (
    select(enrolment)
    .where(enrolment.c.person_id == bindparam("person_id"), enrolment.c.kind == bindparam("kind"), _WAITS)
    .order_by(enrolment.c.created_at.desc(), enrolment.c.id.desc())
    .limit(1)
)
# What the owner of an account has not seen and did not do in this session, newest first; a code that it is about.
NOTICES: Final = (
    select(
        notice,
        enrolment.c.actor,
        enrolment.c.not_before,
        enrolment.c.expires_at,
        enrolment.c.consumed_at,
        security_key.c.name.label("key_name"),
    )
    .outerjoin(enrolment, enrolment.c.id == notice.c.about)
    .outerjoin(security_key, security_key.c.id == notice.c.about)
    .where(
        notice.c.account_id == bindparam("account_id"),
        notice.c.seen_at.is_(None),
        notice.c.session_id.is_distinct_from(bindparam("session_id")),
    )
    .order_by(notice.c.created_at.desc(), notice.c.id.desc())
)
NOTICE_ABOUT: Final = select(notice).where(notice.c.about == bindparam("about"), notice.c.kind == bindparam("kind"))
# Accounts of an organisation for one purpose, and when a key of each was last used.
ACCOUNTS_OF_ORGANISATION: Final = (
    select(account, func.max(security_key.c.last_used_at).label("last_used_at"))
    .outerjoin(security_key, security_key.c.account_id == account.c.id)
    .where(
        account.c.role == bindparam("role"),
        account.c.actor == bindparam("actor"),
        account.c.purpose == bindparam("purpose"),
        account.c.ended_at.is_(None),
    )
    .group_by(account.c.id)
    .order_by(account.c.created_at, account.c.id)
)
CEREMONY: Final = select(ceremony).where(ceremony.c.handle == bindparam("handle"))
# Answers that led to nothing, the newest first, by what they were bound to.
FAILED_CEREMONIES: Final = {
    column.name: select(ceremony.c.consumed_at)
    .where(column == bindparam(column.name), ceremony.c.consumed_at > bindparam("since"))
    .where(ceremony.c.succeeded_at.is_(None))
    .order_by(ceremony.c.consumed_at.desc())
    .limit(bindparam("most"))
    for column in (ceremony.c.session_id, ceremony.c.enrolment_id)
}

_SECURITY_KEY = select(
    security_key,
    account.c.user_handle,
    account.c.role,
    account.c.actor,
    account.c.purpose,
    account.c.person_id,
    account.c.active_since,
).join(account, account.c.id == security_key.c.account_id)
UNBOUND_SECURITY_KEYS: Final = _SECURITY_KEY.where(security_key.c.mac.is_(None))
_IN_USE = security_key.c.removed_at.is_(None)
_USABLE = security_key.c.suspended_at.is_(None)
_OPEN = account.c.ended_at.is_(None)
_HOLDS = (
    session.c.ended_at.is_(None),
    session.c.idle_until > bindparam("at"),
    session.c.expires_at > bindparam("at"),
)
SECURITY_KEY: Final = _SECURITY_KEY.where(security_key.c.id == bindparam("id"), _IN_USE, _OPEN)
# Removed ones too, and those of accounts that have ended.
SECURITY_KEY_EVER: Final = _SECURITY_KEY.where(security_key.c.id == bindparam("id"))
SECURITY_KEY_BY_CREDENTIAL: Final = _SECURITY_KEY.add_columns(account.c.number, account.c.ended_at).where(
    security_key.c.credential_id == bindparam("credential_id")
)
# Keys of whoever is asked for by the number of their account or, if they are staff, by their name, and not otherwise.
SECURITY_KEYS_OF_ACCOUNT_ASKED_FOR: Final = _SECURITY_KEY.where(
    or_(
        and_(account.c.number == bindparam("number"), account.c.name_as_read.is_(None)),
        account.c.name_as_read == bindparam("name_as_read"),
    ),
    _IN_USE,
    _OPEN,
).order_by(security_key.c.created_at, security_key.c.id)
SECURITY_KEYS: Final = (
    select(security_key)
    .where(security_key.c.account_id == bindparam("account_id"), _IN_USE)
    .order_by(security_key.c.created_at, security_key.c.id)
)
SUSPENDED_KEYS: Final = _SECURITY_KEY.where(
    security_key.c.suspended_at.is_not(None), _OF_NO_PERSON, _IN_USE, _OPEN
).order_by(security_key.c.suspended_at, security_key.c.id)
# Keys in use of everybody who is no citizen, with their accounts.
STAFF_KEYS: Final = _SECURITY_KEY.where(_OF_NO_PERSON, _IN_USE, _OPEN).order_by(security_key.c.id)
# What opens an account: keys in use that are not suspended.
USABLE_KEYS: Final = SECURITY_KEYS.where(_USABLE)
# Admins who can sign in: they had as many keys as they need, and one of them works still.
ACTIVE_ADMINS: Final = (
    select(account.c.id)
    .join(security_key, security_key.c.account_id == account.c.id)
    .where(account.c.role == "admin", account.c.active_since.is_not(None), _OPEN, _IN_USE, _USABLE)
    .distinct()
)
# A session that holds now, its columns under names of their own, with its account.
SESSION: Final = (
    select(account, *(column.label(f"session_{column.name}") for column in session.c))
    .join(session, session.c.account_id == account.c.id)
    .join(security_key, security_key.c.id == session.c.security_key_id)
    .where(session.c.token_hash == bindparam("token_hash"), *_HOLDS, _IN_USE, _USABLE, _OPEN)
)
# The sessions of an account that hold now, and what their owner calls the key that opened each.
SESSIONS: Final = (
    select(session, security_key.c.name.label("key_name"))
    .join(security_key, security_key.c.id == session.c.security_key_id)
    .where(session.c.account_id == bindparam("account_id"), *_HOLDS, _IN_USE, _USABLE)
    .order_by(session.c.created_at, session.c.id)
)
SESSION_BY_ID: Final = select(session).where(session.c.id == bindparam("id"))
AUTHORISATION: Final = select(authorisation).where(authorisation.c.id == bindparam("id"))
# What staff and organisations confirmed, newest first: ids begin with their second. What citizens did is theirs alone.
CONFIRMATIONS_SHOWN: Final = 50
_CONFIRMATION = (
    select(authorisation, account.c.actor, account.c.role)
    .join(account, account.c.id == authorisation.c.account_id)
    .where(_OF_NO_PERSON)
)
CONFIRMATIONS: Final = (
    _CONFIRMATION.where(authorisation.c.id < bindparam("before"))
    .order_by(authorisation.c.id.desc())
    .limit(CONFIRMATIONS_SHOWN + 1)
)
CONFIRMATIONS_OF_ACCOUNT: Final = CONFIRMATIONS.where(authorisation.c.account_id == bindparam("account_id"))
# The confirmation of whoever proposed what this one approved.
_APPROVAL = authorisation.alias("approval")
PROPOSED_WITH: Final = (
    select(authorisation.c.account_id)
    .join(admin_proposal, admin_proposal.c.authorisation_id == authorisation.c.id)
    .where(
        authorisation.c.action_digest
        == select(_APPROVAL.c.action_digest).where(_APPROVAL.c.id == bindparam("approval")).scalar_subquery()
    )
)
CONFIRMATION: Final = _CONFIRMATION.where(authorisation.c.handle == bindparam("handle"))
# The entry of a confirmation, and the key that signed it.
CONFIRMED: Final = (
    select(ledger_record, security_key.c.cose_key)
    .join(
        authorisation,
        and_(
            authorisation.c.ledger_shard == ledger_record.c.shard,
            authorisation.c.ledger_index == ledger_record.c.ledger_index,
        ),
    )
    .join(security_key, security_key.c.id == authorisation.c.security_key_id)
    .where(authorisation.c.id == bindparam("id"))
)
KEYS_BOUND_TO_STAFF: Final = select(ledger_record).where(
    ledger_record.c.type == BOUND, ledger_record.c.person_id.is_(None)
)
AUTHORISATIONS_OF_DECISION: Final = (
    select(authorisation)
    .join(
        decision, or_(authorisation.c.id == decision.c.authorisation_id, authorisation.c.id == decision.c.approval_id)
    )
    .where(decision.c.handle == bindparam("handle"))
    .order_by(authorisation.c.ledger_shard, authorisation.c.ledger_index)
)

_PERSON_WITH_KEY = select(
    person.c.id,
    person.c.handle,
    person.c.status,
    person.c.permission_decision_id,
    person.c.version,
    person.c.sealed,
    person.c.created_at,
    wrapped_keys(person.c.id),
)
PERSON_BY_HANDLE: Final = _PERSON_WITH_KEY.where(person.c.handle == bindparam("handle"))
PERSON_BY_ID: Final = _PERSON_WITH_KEY.where(person.c.id == bindparam("id"))
# Who has a key that is not wrapped under one that it should be; who is looked up by a document, but not on every token.
KEYS_TO_WRAP: Final = (
    select(person.c.id, person.c.sealed, wrapped_keys(person.c.id))
    .where(
        person.c.id > bindparam("after"),
        ~exists().where(
            person_key.c.person_id == person.c.id, person_key.c.wrapping_key_id == bindparam("wrapping_key_id")
        ),
    )
    .order_by(person.c.id)
    .limit(bindparam("most"))
)
LOOKUPS_TO_ADD: Final = (
    select(person.c.id, person.c.sealed, wrapped_keys(person.c.id))
    .where(
        person.c.id > bindparam("after"),
        exists().where(person_lookup.c.person_id == person.c.id),
        ~exists().where(
            person_lookup.c.person_id == person.c.id, person_lookup.c.lookup_key_id == bindparam("lookup_key_id")
        ),
    )
    .order_by(person.c.id)
    .limit(bindparam("most"))
)
WRAPPINGS_OF_PERSON: Final = select(person_key.c.wrapping_key_id).where(
    person_key.c.person_id == bindparam("person_id")
)
LOOKUPS_OF_PERSON: Final = select(person_lookup.c.lookup_key_id).where(
    person_lookup.c.person_id == bindparam("person_id")
)
PERSON_IS_THERE: Final = select(person.c.id).where(person.c.id == bindparam("id"))
DEPLOYMENT_SECRET: Final = select(deployment_secret)
PERSON_BY_LOOKUP: Final = _PERSON_WITH_KEY.join(person_lookup, person_lookup.c.person_id == person.c.id).where(
    person_lookup.c.lookup_key_id == bindparam("lookup_key_id"), person_lookup.c.mac == bindparam("mac")
)

DECISION: Final = select(decision).where(decision.c.id == bindparam("id"))
DECISIONS_OF_PERSON: Final = (
    select(decision)
    .where(decision.c.person_id == bindparam("person_id"))
    .order_by(decision.c.ledger_shard, decision.c.ledger_index)
)
CREDENTIALS_OF_PERSON: Final = (
    select(credential)
    .where(credential.c.person_id == bindparam("person_id"))
    .order_by(credential.c.ledger_shard, credential.c.ledger_index)
)
# The decision that last changed a copy.
DECISION_BEHIND_COPY: Final = (
    select(decision.c.kind, decision.c.reason, decision.c.decided_at)
    .join(credential, credential.c.changed_by == decision.c.id)
    .where(credential.c.status_list == bindparam("status_list"), credential.c.status_index == bindparam("status_index"))
)
# How a copy was retired, if it was.
RETIREMENT_OF_COPY: Final = select(credential.c.retired_at, credential.c.retired_for).where(
    credential.c.status_list == bindparam("status_list"),
    credential.c.status_index == bindparam("status_index"),
    credential.c.retired_at.is_not(None),
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
# What one actor looked at since a time; whom, nobody is told here.
LOOKS_BY_ACTOR: Final = (
    select(look.c.looked_at, look.c.purpose, look.c.channel, look.c.verdict)
    .where(look.c.actor == bindparam("actor"), look.c.role == bindparam("role"), look.c.looked_at >= bindparam("since"))
    .order_by(look.c.looked_at.desc())
    .limit(200)
)
PROPOSAL: Final = (
    select(proposal, person.c.handle.label("person_handle"))
    .join(person, person.c.id == proposal.c.person_id)
    .where(proposal.c.handle == bindparam("handle"))
)
_OPEN_PROPOSALS = (
    select(proposal, person.c.handle.label("person_handle"))
    .join(person, person.c.id == proposal.c.person_id)
    .where(proposal.c.consumed_at.is_(None), proposal.c.expires_at > bindparam("at"))
    .order_by(proposal.c.created_at)
)
OPEN_PROPOSALS: Final = _OPEN_PROPOSALS.where(proposal.c.kind != "erase")
OPEN_ERASURES: Final = _OPEN_PROPOSALS.where(proposal.c.kind == "erase")

AUTHENTICATOR_LISTS: Final = select(authenticator_list)
NEWEST_AUTHENTICATOR_LIST: Final = select(authenticator_list).order_by(authenticator_list.c.version.desc()).limit(1)
NEWEST_METADATA: Final = select(metadata_blob).order_by(metadata_blob.c.number.desc()).limit(1)
NEWEST_METADATA_NUMBER: Final = select(metadata_blob.c.number).order_by(metadata_blob.c.number.desc()).limit(1)
ADMIN_PROPOSAL: Final = select(admin_proposal).where(admin_proposal.c.handle == bindparam("handle"))
OPEN_ADMIN_PROPOSALS: Final = (
    select(admin_proposal)
    .where(admin_proposal.c.consumed_at.is_(None), admin_proposal.c.expires_at > bindparam("at"))
    .order_by(admin_proposal.c.created_at, admin_proposal.c.id)
)

# What is to be known of a person to erase them.
KEYS_OF_PERSON: Final = select(person_key.c.wrapped).where(person_key.c.person_id == bindparam("person_id"))
RECORDS_OF_PERSON: Final = (
    select(ledger_record)
    .where(ledger_record.c.person_id == bindparam("person_id"))
    .order_by(ledger_record.c.shard, ledger_record.c.ledger_index)
)
INDICES_OF_PERSON: Final = (
    select(issuance.c.status_list, issuance.c.status_index, issuance.c.state, status_entry.c.value)
    .outerjoin(
        status_entry,
        and_(
            status_entry.c.status_list == issuance.c.status_list, status_entry.c.status_index == issuance.c.status_index
        ),
    )
    .where(issuance.c.person_id == bindparam("person_id"))
)
OF_TYPE: Final = (
    select(ledger_record)
    .where(ledger_record.c.type == bindparam("type"))
    .order_by(ledger_record.c.shard, ledger_record.c.ledger_index)
)
RECORD_AT: Final = select(ledger_record).where(
    ledger_record.c.shard == bindparam("shard"), ledger_record.c.ledger_index == bindparam("ledger_index")
)
# The newest entry of a type about ourselves.
NEWEST_OF_TYPE: Final = (
    select(ledger_record)
    .where(ledger_record.c.type == bindparam("type"))
    .order_by(ledger_record.c.shard.desc(), ledger_record.c.ledger_index.desc())
    .limit(1)
)

# Everything that collecting a credential needs to know, in one read.
COLLECTION: Final = (
    select(
        offer.c.id.label("offer_id"),
        offer.c.code_hash,
        offer.c.created_by,
        offer.c.authorisation_id,
        offer.c.mac,
        offer.c.type,
        offer.c.format,
        offer.c.nonce,
        offer.c.replaces,
        offer.c.consumed_at,
        offer.c.expires_at,
        person.c.id.label("person_id"),
        person.c.status,
        person.c.sealed.label("sealed_details"),
        wrapped_keys(person.c.id),
        decision.c.id.label("decision_id"),
        decision.c.handle.label("decision_handle"),
        decision.c.sealed.label("sealed_permission"),
        decision.c.decided_at,
        issuance.c.id.label("issuance_id"),
        issuance.c.request_digest,
        issuance.c.state,
        issuance.c.sealed_answer,
        credential.c.handle.label("credential_handle"),
        credential.c.ledger_shard,
        credential.c.ledger_index,
    )
    .join(person, person.c.id == offer.c.person_id)
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

# A right to a letter on paper, and whose it is.
LETTER_OFFER: Final = (
    select(offer, person.c.handle.label("person_handle"))
    .join(person, person.c.id == offer.c.person_id)
    .where(offer.c.code_hash == bindparam("code_hash"), offer.c.format == "letter")
)
# A letter with the copy that it is of, the opening of that copy's entry, and the key that opens what is sealed.
_LETTER = (
    select(
        letter,
        credential.c.handle.label("copy_handle"),
        credential.c.type,
        credential.c.status,
        credential.c.status_list,
        credential.c.status_index,
        credential.c.issued_at,
        credential.c.expires_at,
        credential.c.ledger_shard.label("copy_shard"),
        credential.c.ledger_index.label("copy_index"),
        ledger_record.c.opening,
        person.c.handle.label("person_handle"),
        wrapped_keys(letter.c.person_id),
    )
    .join(credential, credential.c.id == letter.c.credential_id)
    .join(
        ledger_record,
        and_(
            ledger_record.c.shard == credential.c.ledger_shard,
            ledger_record.c.ledger_index == credential.c.ledger_index,
        ),
    )
    .join(person, person.c.id == letter.c.person_id)
)
LETTER: Final = _LETTER.where(letter.c.handle == bindparam("handle"))
LETTERS_OF_PERSON: Final = (
    select(
        letter.c.handle,
        letter.c.created_at,
        letter.c.made_at,
        letter.c.file_digest,
        credential.c.handle.label("copy_handle"),
        credential.c.type,
        credential.c.status,
        credential.c.expires_at,
    )
    .join(credential, credential.c.id == letter.c.credential_id)
    .where(letter.c.person_id == bindparam("person_id"))
    .order_by(letter.c.created_at.desc(), letter.c.id.desc())
)
LETTER_MADE: Final = select(letter.c.made_at).where(letter.c.id == bindparam("id"))
LETTER_BATCH: Final = select(letter_batch).where(letter_batch.c.handle == bindparam("handle"))
LETTER_BATCHES: Final = select(letter_batch).order_by(letter_batch.c.id.desc()).limit(50)
# How far the batches above are.
LETTER_COUNTS: Final = (
    select(
        letter_order.c.batch_id,
        func.count().label("total"),
        func.count(letter.c.made_at).label("made"),
        func.count(letter_order.c.failed_for).label("failed"),
    )
    .outerjoin(letter, letter.c.id == letter_order.c.letter_id)
    .where(letter_order.c.batch_id.in_(select(letter_batch.c.id).order_by(letter_batch.c.id.desc()).limit(50)))
    .group_by(letter_order.c.batch_id)
)
# Whoever has a status, no letter of this type that is good beyond a time, and none on order; with what was decided.
LETTERS_DUE: Final = (
    select(
        person.c.id,
        person.c.handle,
        wrapped_keys(person.c.id),
        decision.c.id.label("decision_id"),
        decision.c.sealed,
    )
    .join(decision, decision.c.id == person.c.permission_decision_id)
    .where(
        person.c.id > bindparam("after"),
        person.c.status == "active",
        ~exists().where(
            letter.c.person_id == person.c.id,
            credential.c.id == letter.c.credential_id,
            credential.c.type == bindparam("type"),
            credential.c.status == "valid",
            credential.c.expires_at > bindparam("until"),
        ),
        ~exists().where(letter_order.c.person_id == person.c.id, letter_order.c.state == "waiting"),
    )
    .order_by(person.c.id)
    .limit(bindparam("most"))
)
LETTERS_OF_BATCH: Final = (
    select(
        letter_order.c.position,
        letter_order.c.failed_for,
        person.c.handle.label("person_handle"),
        letter.c.handle.label("letter_handle"),
        letter.c.made_at,
        letter.c.file_digest,
    )
    .join(person, person.c.id == letter_order.c.person_id)
    .outerjoin(letter, letter.c.id == letter_order.c.letter_id)
    .where(letter_order.c.batch_id == bindparam("batch_id"))
    .order_by(letter_order.c.position)
)
# Of all batches that name a confirmation: there is one, unless somebody wrote another.
PEOPLE_OF_BATCHES: Final = (
    select(person.c.handle)
    .join(letter_order, letter_order.c.person_id == person.c.id)
    .join(letter_batch, letter_batch.c.id == letter_order.c.batch_id)
    .where(letter_batch.c.authorisation_id == bindparam("id"))
    .order_by(letter_order.c.batch_id, letter_order.c.position)
)
# What is left to do, the oldest batch first.
OPEN_LETTER_ORDERS: Final = (
    select(
        letter_order,
        letter_batch.c.choices,
        letter_batch.c.created_by,
        letter_batch.c.authorisation_id,
        letter.c.handle.label("letter_handle"),
    )
    .join(letter_batch, letter_batch.c.id == letter_order.c.batch_id)
    .outerjoin(letter, letter.c.id == letter_order.c.letter_id)
    .where(letter_order.c.state != "failed", letter.c.made_at.is_(None))
    .order_by(letter_order.c.batch_id, letter_order.c.position)
    .limit(bindparam("most"))
)

_ISSUANCE_WITH_KEY = select(issuance, wrapped_keys(issuance.c.person_id)).where(issuance.c.state == "open")
OPEN_ISSUANCES: Final = _ISSUANCE_WITH_KEY
OPEN_ISSUANCE: Final = _ISSUANCE_WITH_KEY.where(issuance.c.id == bindparam("id"))

RECEIPT: Final = (
    select(
        credential.c.receipt_token_hash,
        credential.c.handle,
        ledger_record.c.shard,
        credential.c.ledger_index,
        ledger_record.c.opening,
        credential.c.person_id,
        wrapped_keys(credential.c.person_id),
    )
    .join(
        ledger_record,
        and_(
            ledger_record.c.shard == credential.c.ledger_shard,
            ledger_record.c.ledger_index == credential.c.ledger_index,
        ),
    )
    .where(credential.c.handle == bindparam("handle"))
)

# Which rows each part of a list is a function of, in three numbers: whoever has others must read the part again.
STATUS_PART_BITS: Final = 14
_part = status_entry.c.status_index.op(">>")(literal_column(str(STATUS_PART_BITS)))  # one expression wherever it stands
STATUS_MARKS: Final = (
    select(
        _part.label("part"),
        func.count().label("counted"),
        func.sum(status_entry.c.value).label("summed"),
        func.sum(status_entry.c.value * status_entry.c.status_index).label("placed"),
    )
    .where(status_entry.c.status_list == bindparam("status_list"))
    .group_by(_part)
)
STATUS_ENTRIES_OF_PART: Final = select(status_entry.c.status_index, status_entry.c.value).where(
    status_entry.c.status_list == bindparam("status_list"),
    status_entry.c.status_index >= bindparam("first"),
    status_entry.c.status_index < bindparam("beyond"),
)
STATUS_ENTRY: Final = select(status_entry.c.value).where(
    status_entry.c.status_list == bindparam("status_list"), status_entry.c.status_index == bindparam("status_index")
)
STATUS_LISTS: Final = select(status_list).order_by(status_list.c.number)
STATUS_INDICES_COUNTED: Final = select(func.count().label("taken")).where(
    issuance.c.status_list == bindparam("status_list")
)
STATUS_SEEN: Final = select(status_seen).where(status_seen.c.status_list == bindparam("status_list"))
STATUS_VERSION: Final = select(status_publication.c.version).where(
    status_publication.c.status_list == bindparam("status_list")
)
STATUS_INDICES_TAKEN: Final = select(issuance.c.status_index).where(issuance.c.status_list == bindparam("status_list"))
STATUS_PUBLICATIONS: Final = select(status_publication).order_by(status_publication.c.status_list)
STATUS_PUBLICATION: Final = select(status_publication).where(
    status_publication.c.status_list == bindparam("status_list")
)

VERIFICATION_REQUEST: Final = select(verification_request).where(verification_request.c.handle == bindparam("handle"))
