"""Every table of the product on one page. Times are Unix seconds, ids 16-byte UUIDv7, ``sealed`` is AES-256-GCM.

Plain columns hold nothing about a person; what does is sealed under the person's own key (``person_key``).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()


def _id(name: str = "id") -> Column[bytes]:
    return Column(name, LargeBinary, primary_key=True)


def _bytes(name: str, *, null: bool = False, unique: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=null, unique=unique)


def _text(name: str, *, null: bool = False, unique: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null, unique=unique)


def _int(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _person(*, null: bool = False) -> Column[bytes]:
    return Column("person_id", LargeBinary, ForeignKey("person.id"), nullable=null)


def _account() -> Column[bytes]:
    return Column("account_id", LargeBinary, ForeignKey("account.id"), nullable=False)


# Who we are. One row, fixed at init, its digest in the ledger's first entry.
deployment = Table(
    "deployment",
    metadata,
    _text("issuer_id"),
    _text("iss"),
    _text("rp_id"),
    _text("status_base"),
    _text("log_origin"),
    _text("name"),
    _text("country"),
    _int("created_at"),
    _int("demo", null=True),  # 0 or 1; null: set up before it was kept, when every deployment was a demo
)

# Keys of the tokens that the service uses, by role. Of a role one is ``active``; those before it are ``retiring`` (what
# they signed still verifies) or ``revoked`` (nothing that they signed does).
signing_key = Table(
    "signing_key",
    metadata,
    _id("key_id"),
    _text("token"),
    _text("role"),
    _text("algorithm"),
    _bytes("public_key", null=True),
    _bytes("certificate", null=True),
    _text("state"),
    _int("not_after", null=True),
    _int("created_at"),
    _bytes("sealed", null=True),  # of a key that the token cannot hold yet: its seed, wrapped by the token
)

# The replacement of a signing key, ordered by two admins; the next start with the root's token at hand carries it out.
key_order = Table(
    "key_order",
    metadata,
    _id(),
    _bytes("handle", unique=True),
    _text("role"),
    _text("reason"),
    Column("old_key_id", LargeBinary, ForeignKey("signing_key.key_id"), nullable=False),
    _bytes("authorisation_id"),
    _bytes("approval_id"),
    _int("ordered_at"),
    _int("carried_out_at", null=True),
    Column("new_key_id", LargeBinary, ForeignKey("signing_key.key_id"), nullable=True),
)

# Certificate revocation lists, newest per issuing certificate.
crl = Table(
    "crl",
    metadata,
    _id("issuer_key_id"),
    _bytes("issuer_certificate"),
    _bytes("der"),
    _int("number"),
    _int("next_update"),
)

# Whom this verifier relies on besides ourselves: one change after another, each confirmed by two admins.
issuer_change = Table(
    "issuer_change",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    _bytes("document"),  # canonical JSON: whole issuers with all their terms, and what they were taken from
    _text("decided_by"),
    _text("approved_by"),
    _bytes("authorisation_id"),
    _bytes("approval_id"),
    _int("decided_at"),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Text, primary_key=True),
    _text("actor"),
    _text("role"),
    _text("purpose", null=True),
    _bytes("secret_hash"),
    Column("authorisation_id", LargeBinary, nullable=True),  # NULL: made on the command line
    _int("created_at"),
    _int("revoked_at", null=True),
    _bytes("mac", null=True),  # over all that never changes, as of every row that opens a door (``services.doors``)
)

# Who can sign in. Staff and organisations have a name as ``actor``; a citizen's account belongs to a person.
account = Table(
    "account",
    metadata,
    _id(),
    _bytes("handle", unique=True),
    _bytes("user_handle", unique=True),  # 64 random bytes (WebAuthn section 14.6.1)
    _text("role"),
    _text("actor", null=True),
    _text("name_as_read", null=True, unique=True),  # no two members of staff have names that read the same
    _text("purpose", null=True),
    Column("person_id", LargeBinary, ForeignKey("person.id"), nullable=True, unique=True),
    _text("created_by"),
    _int("created_at"),
    _int("ended_at", null=True),
    _text("number", null=True),  # what a citizen types who signs in with a key that knows no account
    _int("active_since", null=True),  # when it had as many keys as its role needs
    Index("account_number", "number", unique=True),
)

# FIDO2 keys of accounts. A removed key stays as a row: what it once confirmed can still be checked.
security_key = Table(
    "security_key",
    metadata,
    _id(),
    _bytes("handle", unique=True),
    _account(),
    _bytes("credential_id", unique=True),
    _bytes("cose_key"),
    _int("algorithm"),
    _int("sign_count"),
    _int("backup_eligible"),
    _int("backed_up"),
    _bytes("aaguid"),
    _text("transports"),
    _text("attestation_format"),
    _int("policy_version"),
    _text("name"),
    _int("created_at"),
    _int("last_used_at", null=True),
    _int("removed_at", null=True),
    _text("attestation_type", null=True),  # as WebAuthn L3 section 6.5.4 names them; what follows is of staff's keys
    _bytes("attestation_object", null=True),  # as received, with the hash that it signs: to be judged again
    _bytes("client_data_hash", null=True),
    _bytes("attestation_anchor", null=True),  # SHA-256 of the certificate that its maker was trusted by
    _int("list_version", null=True),  # of the list of authenticators that it was last judged by
    _int("metadata_number", null=True),
    _text("metadata_status", null=True),
    _int("judged_at", null=True),
    _int("suspended_at", null=True),
    _text("suspended_for", null=True),
    _bytes("cose_key_hash", null=True),  # SHA-256: a key is one account's, once. NULL: one of several from before
    _bytes("mac", null=True),
    Index("security_key_of_account", "account_id"),
    Index("security_key_cose_key_hash", "cose_key_hash", unique=True),
)

# A one-time right to register a security key: for a new account, or for one that lost its keys.
enrolment = Table(
    "enrolment",
    metadata,
    _id(),
    _bytes("code_hash", unique=True),
    _text("role"),
    _text("actor", null=True),
    _text("purpose", null=True),
    _person(null=True),
    _text("created_by"),
    Column("authorisation_id", LargeBinary, nullable=True),
    _int("created_at"),
    _int("expires_at"),
    _int("consumed_at", null=True),
    _text("kind", null=True),  # link, slip, recovery-code or re-proofing
    Column("account_id", LargeBinary, ForeignKey("account.id"), nullable=True),  # of one that there is already
    _int("not_before", null=True),  # a stranger at the counter must wait; the owner is told meanwhile
    Column("proposed_by_account", LargeBinary, nullable=True),  # where two agreed: of whom it was proposed by
    _bytes("mac", null=True),
    Index("enrolment_of_account", "account_id"),
)

# A challenge that was handed out: good once, burned before anything that answers it is looked at.
ceremony = Table(
    "ceremony",
    metadata,
    _id(),
    _bytes("handle", unique=True),
    _text("kind"),
    _bytes("challenge"),
    Column("account_id", LargeBinary, nullable=True),
    Column("session_id", LargeBinary, nullable=True),
    Column("enrolment_id", LargeBinary, nullable=True),
    Column("user_handle", LargeBinary, nullable=True),
    Column("nonce", LargeBinary, nullable=True),
    Column("action_digest", LargeBinary, nullable=True),
    _int("created_at"),
    _int("expires_at"),
    _int("consumed_at", null=True),
    _int("succeeded_at", null=True),
    Column("authorisation_handle", LargeBinary, nullable=True),  # of the confirmation that it was begun with
    _bytes("mac", null=True),
    Index("ceremony_expires", "expires_at"),
    Index("ceremony_of_session", "session_id"),
    Index("ceremony_of_enrolment", "enrolment_id"),
)

# That somebody confirmed an act with their security key, kept so that a third party can check it again.
authorisation = Table(
    "authorisation",
    metadata,
    _id(),
    _bytes("handle", unique=True),
    Column("ceremony_id", LargeBinary, nullable=False, unique=True),
    _account(),
    Column("security_key_id", LargeBinary, ForeignKey("security_key.id"), nullable=False),
    _text("act"),
    _bytes("action_digest"),
    _bytes("evidence"),
    _int("confirmed_at"),
    _int("ledger_shard"),
    _int("ledger_index"),
    _bytes("action", null=True),  # canonical JSON of the act; sealed under the key of the person it is about
    _person(null=True),
    Column("approves", LargeBinary, nullable=True),  # of two admins' acts: the confirmation by whoever proposed it
    Index("authorisation_approves", "approves", unique=True),  # which carries one act
    Index("authorisation_of_account", "account_id"),
    Index(
        "authorisation_of_person",
        "person_id",
        sqlite_where=text("person_id IS NOT NULL"),
        postgresql_where=text("person_id IS NOT NULL"),
    ),
)

session = Table(
    "session",
    metadata,
    _id(),
    _bytes("token_hash", unique=True),
    _account(),
    Column("security_key_id", LargeBinary, ForeignKey("security_key.id"), nullable=False),
    _int("created_at"),
    _int("idle_until"),
    _int("expires_at"),
    _int("ended_at", null=True),
    _bytes("handle", null=True),
    _bytes("csrf_key", null=True),
    _int("shared_computer", null=True),
    _bytes("mac", null=True),
    Index("session_of_account", "account_id"),
    Index("session_handle", "handle", unique=True),
)

# What the owner of an account must know: a key was added, somebody asked for one in their name. Shown until seen.
notice = Table(
    "notice",
    metadata,
    _id(),
    _bytes("handle", unique=True),
    _account(),
    _text("kind"),
    Column("about", LargeBinary, nullable=True),  # the row that it speaks of
    Column("session_id", LargeBinary, nullable=True),  # in which its owner did it: there it need not be told
    _int("created_at"),
    _int("seen_at", null=True),
    Index("notice_of_account", "account_id"),
)

# Which authenticators staff may use: makers and models, least certification. A document, new with every change.
authenticator_list = Table(
    "authenticator_list",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    _bytes("document"),  # canonical JSON
    _text("decided_by"),
    _text("approved_by", null=True),
    Column("authorisation_id", LargeBinary, nullable=True),  # NULL: made on the command line, before there were admins
    Column("approval_id", LargeBinary, nullable=True),
    _int("decided_at"),
)

# What the FIDO Alliance says of authenticators (Metadata Service 3), as signed; only the newest is relied on.
metadata_blob = Table(
    "metadata_blob",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _int("next_update"),
    _bytes("blob"),
    _text("loaded_by"),
    _int("loaded_at"),
)

# An act of administration that waits for the second person. What it is, is the act that the first one confirmed.
admin_proposal = Table(
    "admin_proposal",
    metadata,
    _id(),
    _bytes("handle", unique=True),
    _text("act"),
    _bytes("action"),  # canonical JSON of the act
    _text("proposed_by"),
    Column("proposed_by_account", LargeBinary, ForeignKey("account.id"), nullable=False),
    _bytes("authorisation_id"),
    _int("created_at"),
    _int("expires_at"),
    _int("consumed_at", null=True),
)

person = Table(
    "person",
    metadata,
    _id(),
    _text("issuer_id"),
    _bytes("handle", unique=True),
    _text("status"),
    Column("permission_decision_id", LargeBinary, nullable=True),
    _int("version"),  # grows with every decision: whoever read an older one must read again
    _bytes("sealed"),
    _text("created_by"),
    _int("created_at"),
)

# What the deployment keeps for itself under every wrapping key and the recovery key: one secret, the same in each row.
deployment_secret = Table(
    "deployment_secret",
    metadata,
    Column("wrapping_key_id", LargeBinary, primary_key=True),
    _bytes("wrapped"),
)

# The person's data key, wrapped once per wrapping key, of every token and for recovery. Deleting the rows erases them.
person_key = Table(
    "person_key",
    metadata,
    Column("person_id", LargeBinary, ForeignKey("person.id"), primary_key=True),
    Column("wrapping_key_id", LargeBinary, primary_key=True),
    _bytes("wrapped"),
)

# HMAC of a travel document under a token's look-up key: finds a person without telling who they are.
person_lookup = Table(
    "person_lookup",
    metadata,
    Column("lookup_key_id", LargeBinary, primary_key=True),
    Column("mac", LargeBinary, primary_key=True),
    _person(),
)

decision = Table(
    "decision",
    metadata,
    _id(),
    _bytes("handle", unique=True),
    _person(),
    _text("issuer_id"),
    _text("kind"),
    _text("reason"),
    _bytes("sealed"),  # the legal basis and, for grant and vary, the permission
    _text("decided_by"),
    _text("approved_by", null=True),
    Column("authorisation_id", LargeBinary, nullable=True),  # how whoever decided confirmed it
    Column("approval_id", LargeBinary, nullable=True),  # how the second person did
    _int("decided_at"),
    _int("ledger_shard"),
    _int("ledger_index"),
    Index("decision_of_person", "person_id"),
)

# A decision that waits for the second person, on the permission that the person had when it was proposed.
proposal = Table(
    "proposal",
    metadata,
    _id(),
    _bytes("handle", unique=True),
    _person(),
    Column("permission_decision_id", LargeBinary, nullable=True),
    _text("kind"),
    _text("reason"),
    _bytes("sealed"),  # the legal basis
    _text("proposed_by"),
    Column("proposed_by_account", LargeBinary, nullable=True),
    Column("authorisation_id", LargeBinary, nullable=True),
    _int("created_at"),
    _int("expires_at"),
    _int("consumed_at", null=True),
)

# A one-time right to collect a credential.
offer = Table(
    "offer",
    metadata,
    _id(),
    _bytes("code_hash", unique=True),
    _person(),
    _text("type"),
    Column("format", Text, nullable=False, server_default="dc+sd-jwt"),
    _text("nonce"),
    _text("created_by"),
    Column("authorisation_id", LargeBinary, nullable=True),
    # The copy that is retired when this one is collected.
    Column("replaces", LargeBinary, ForeignKey("credential.id"), nullable=True),
    _int("expires_at"),
    _int("consumed_at", null=True),
    _bytes("mac", null=True),
)

# What was about to be signed, durable before it was. An open row after a crash is closed as void at start.
issuance = Table(
    "issuance",
    metadata,
    _id(),
    Column("offer_id", LargeBinary, ForeignKey("offer.id"), nullable=False),
    _text("idempotency_key"),
    _bytes("request_digest"),
    _person(),
    _bytes("tbs_digest"),
    _bytes("handle", unique=True),
    _bytes("key_id"),
    _text("status_list"),
    _int("status_index"),
    _text("state"),
    _bytes("sealed_answer", null=True),
    _int("created_at"),
    UniqueConstraint("status_list", "status_index", name="status_index_used_once"),
    Index("issuance_of_offer", "offer_id"),
    Index("issuance_open", "state", sqlite_where=Column("state") == "open"),
)

# One copy of a person's status in one format; ``status`` is what the status list says of it.
credential = Table(
    "credential",
    metadata,
    _id(),
    _text("issuer_id"),
    _person(),
    Column("decision_id", LargeBinary, ForeignKey("decision.id"), nullable=False),
    _text("type"),
    _text("format"),
    _bytes("handle", unique=True),
    _bytes("receipt_token_hash"),
    _bytes("issuer_signed_digest"),
    _bytes("key_id"),
    _text("status_list"),
    _int("status_index"),
    _text("status"),
    Column("changed_by", LargeBinary, ForeignKey("decision.id"), nullable=True),
    # By its holder, or by the copy that took its place: no decision, and none brings it back.
    _int("retired_at", null=True),
    _text("retired_for", null=True),
    Column("retirement_id", LargeBinary, ForeignKey("authorisation.id"), nullable=True),
    _int("issued_at"),
    _int("expires_at"),
    _int("ledger_shard"),
    _int("ledger_index"),
    Index("credential_of_person", "person_id"),
    UniqueConstraint("status_list", "status_index", name="status_index_of_one_credential"),
)

# Letters that a print room makes together: who asked and confirmed it, and what all of them chose (JSON).
letter_batch = Table(
    "letter_batch",
    metadata,
    _id(),
    _bytes("handle", unique=True),
    _text("choices"),
    _text("created_by"),
    _bytes("authorisation_id"),
    _int("created_at"),
)

# A copy on paper: ``sealed`` is of what its letter is made, ``sealed_pdf`` the letter, signed with ``key_id``; and the
# digests of the code's signed bytes, of the letter's signed revision (its first bytes), and of the whole file.
letter = Table(
    "letter",
    metadata,
    _id(),
    _bytes("handle", unique=True),
    _person(),
    Column("credential_id", LargeBinary, ForeignKey("credential.id"), nullable=False, unique=True),
    _bytes("code_digest"),
    _bytes("key_id"),
    _bytes("sealed"),
    _bytes("revision_digest", null=True),
    _int("revision_size", null=True),
    _bytes("file_digest", null=True),
    _bytes("sealed_pdf", null=True),
    _int("created_at"),
    _int("made_at", null=True),
    _int("ledger_shard", null=True),
    _int("ledger_index", null=True),
    Index("letter_of_person", "person_id"),
)

# One letter of a batch: ``waiting``; ``begun``, with its copy; or ``failed``, and why there will be none.
letter_order = Table(
    "letter_order",
    metadata,
    Column("batch_id", LargeBinary, ForeignKey("letter_batch.id"), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    _person(),
    _text("state"),
    Column("letter_id", LargeBinary, ForeignKey("letter.id"), nullable=True, unique=True),
    _text("failed_for", null=True),
    Index("letter_order_of_person", "person_id"),
)

# Every index that is not VALID; the published list is a function of these rows.
status_entry = Table(
    "status_entry",
    metadata,
    Column("status_list", Text, primary_key=True),
    Column("status_index", BigInteger, primary_key=True),
    _int("value"),
)

# Our lists, one after the other. ``seed`` is what its decoys follow from; of a list without one, there are none.
status_list = Table(
    "status_list",
    metadata,
    Column("status_list", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    _bytes("seed", null=True),
    _int("opened_at"),
)

# The newest signed list per URI, as a JWT (``token``) and a CWT; ``decoys`` is how often its decoys had moved.
status_publication = Table(
    "status_publication",
    metadata,
    Column("status_list", Text, primary_key=True),
    _int("version"),
    _bytes("content_digest"),
    _bytes("token"),
    _int("signed_at"),
    _int("decoys", null=True),
    _bytes("cwt", null=True),
)

# How new the newest list of somebody else's was that we relied on: an older one is never taken again.
status_seen = Table(
    "status_seen",
    metadata,
    Column("status_list", Text, primary_key=True),
    _int("issued_at"),
    _int("version"),
)

verification_request = Table(
    "verification_request",
    metadata,
    _id(),
    _bytes("handle", unique=True),
    _text("nonce"),
    _text("audience"),
    _text("type"),
    _text("created_by"),
    _int("expires_at"),
    _int("consumed_at", null=True),
    _text("least_assurance", null=True),  # JSON of core.assurance.Minimum
)

# Every check made through the service and every view of a person's record, for the subject to see.
look = Table(
    "look",
    metadata,
    _id(),
    _person(null=True),
    _int("looked_at"),
    _text("actor"),
    _text("role"),
    _text("purpose", null=True),
    _text("channel"),
    _text("verdict"),
    _text("status_list", null=True),
    Column("status_index", BigInteger, nullable=True),
    Column("receipt_digest", LargeBinary, nullable=True),  # SHA-256 of the signed receipt, where one was asked for
    Index("look_at_copy", "status_list", "status_index"),
    Index("look_at_person", "person_id"),
    Index("look_of_actor", "actor", "looked_at"),
)

# The ledger. ``shard`` is in every key: a lost log is followed by a new shard, never rewritten. The one with the
# highest number is written to. ``epoch`` counts who published: an older one is fenced (``ledger.storage``).
ledger_state = Table(
    "ledger_state",
    metadata,
    Column("shard", BigInteger, primary_key=True, autoincrement=False),
    _text("origin"),
    _bytes("tree"),
    _bytes("previous", null=True),  # the last known checkpoint of the shard before, as text
    _int("signed_size", null=True),
    _int("quorum_size", null=True),
    _int("epoch"),
    _bytes("lease_holder", null=True),
    _int("lease_until"),
    _text("halted", null=True),  # why nothing is recorded in it or signed of it any more
)

ledger_bundle = Table(
    "ledger_bundle",
    metadata,
    Column("shard", BigInteger, primary_key=True, autoincrement=False),
    Column("first_index", BigInteger, primary_key=True, autoincrement=False),
    _int("count"),
    _bytes("entries"),
    _bytes("leaf_hashes"),
)

# The row an entry speaks of, in the same transaction: no entry without its row. Handles are random and found by their
# index: an index of their own would cost an append more than all the rest of it.
ledger_record = Table(
    "ledger_record",
    metadata,
    Column("shard", BigInteger, primary_key=True, autoincrement=False),
    Column("ledger_index", BigInteger, primary_key=True, autoincrement=False),
    _text("type"),
    _bytes("handle"),
    _person(null=True),
    _bytes("opening"),
    Index(
        "ledger_record_of_person",
        "person_id",
        sqlite_where=text("person_id IS NOT NULL"),
        postgresql_where=text("person_id IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

# Idempotency keys of entries, 16 bytes that begin with their time: appended to, never scattered over.
ledger_once = Table(
    "ledger_once",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    _int("shard"),
    _int("ledger_index"),
    sqlite_with_rowid=False,
)

# Entries that were made while the log was halted, in the order in which the next one takes them.
ledger_waiting = Table(
    "ledger_waiting",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    _int("entry_type"),
    _text("type"),
    _bytes("handle"),
    _bytes("digest"),
    _person(null=True),
    _bytes("opening"),
)

# A new shard that waits for the second admin. The first one's confirmation (``authorisation``) is kept here, because a
# halted log takes no entry of it: it goes into the log that it opens. What was carried out stays, to be audited.
shard_proposal = Table(
    "shard_proposal",
    metadata,
    _id(),
    _bytes("handle", unique=True),
    _text("ends"),
    _text("begins"),
    _bytes("last_known"),  # a checkpoint, as text
    _int("halted"),  # 1: the log that ends was halted; 0: it is closed
    _text("proposed_by"),
    _bytes("authorisation_id"),
    _bytes("authorisation_handle"),
    _bytes("ceremony_id", unique=True),
    _account(),
    Column("security_key_id", LargeBinary, ForeignKey("security_key.id"), nullable=False),
    _bytes("action_digest"),
    _bytes("evidence"),
    _int("confirmed_at"),
    _int("created_at"),
    _int("expires_at"),
    _int("consumed_at", null=True),
)

# What was intended (no note), signed by the log, and signed by a quorum of witnesses.
ledger_checkpoint = Table(
    "ledger_checkpoint",
    metadata,
    Column("shard", BigInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    _bytes("root"),
    _bytes("note", null=True),
    _bytes("quorum_note", null=True),
)

ledger_tile = Table(
    "ledger_tile",
    metadata,
    Column("shard", BigInteger, primary_key=True, autoincrement=False),
    Column("level", BigInteger, primary_key=True, autoincrement=False),
    Column("tile_index", BigInteger, primary_key=True, autoincrement=False),
    _bytes("hashes"),
)
