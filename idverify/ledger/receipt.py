"""What a holder keeps: proof that the bytes in their hand were recorded, checkable without any connection.

A receipt is a `.tlog-proof` whose `extra` carries the `Opening`: the entry, and the salt and record its
digest commits to. Verifying asks nobody, so it tells nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final, Self

from idverify.ledger import cbor
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.commitment import SALT_SIZE, Record, opens
from idverify.ledger.entry import Entry
from idverify.ledger.errors import LedgerError, MalformedError, ProofError, ReceiptError, SignatureError
from idverify.ledger.merkle import leaf_hash, verify_inclusion
from idverify.ledger.note import NoteVerifier
from idverify.ledger.policy import Policies, Policy
from idverify.ledger.proof import MAX_EXTRA, TlogProof

FORMAT: Final = "format"
CHECKPOINT: Final = "checkpoint"
INDEX: Final = "index"
INCLUSION: Final = "inclusion"
COMMITMENT: Final = "commitment"
OBJECT: Final = "object"
KEY: Final = "key"
STATUS: Final = "status"
TYPE: Final = "type"
QUORUM: Final = "quorum"
RULES: Final = (FORMAT, CHECKPOINT, INDEX, INCLUSION, COMMITMENT, OBJECT, KEY, STATUS, TYPE, QUORUM)
"""Rule ids of `ReceiptError`, in the order they are checked."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens an entry's commitment: its bytes in the log, the salt (32 bytes) and the record."""

    entry: bytes
    salt: bytes
    record: Record

    def encode(self) -> bytes:
        """Deterministic CBOR `{1: entry, 2: salt, 3: record}`, the `extra` of a receipt."""
        return cbor.encode({1: self.entry, 2: self.salt, 3: self.record.encode()})

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the `extra` of a receipt.

        Raises `MalformedError`: not exactly what `encode` writes.
        """
        value = cbor.decode(data, "opening", limit=MAX_EXTRA)
        match value:
            case {1: bytes(entry), 2: bytes(salt), 3: bytes(record)} if len(value) == 3 and len(salt) == SALT_SIZE:
                return cls(entry, salt, Record.decode(record))
        raise MalformedError("opening: expected a map {1: entry, 2: salt of 32 bytes, 3: record}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that holds: the entry, what it says, and the signed tree it is in."""

    entry: Entry
    record: Record
    checkpoint: Checkpoint


def said_type(proof_bytes: bytes) -> str:
    """The true type that a receipt says its entry is of; nothing is checked.

    Raises `ReceiptError` (`format`).
    """
    _, opening, _ = _read(proof_bytes)
    return opening.record.type


def verify_receipt(
    proof_bytes: bytes,
    object_digest: bytes,
    trusted: Policy | Policies | Sequence[NoteVerifier],
    *,
    kid: bytes | None = None,
    status: tuple[str, int] | None = None,
    record_type: str | None = None,
) -> Receipt:
    """Check that the object with SHA-256 `object_digest` was recorded in a log that is `trusted`.

    Given policies, the quorum of that log's must have witnessed the checkpoint; given a log's keys alone, its word
    suffices.

    `kid`, `status` and `record_type` are compared with the record when given. Give `record_type` wherever it
    matters: the receipt of a revocation speaks of the same object as the receipt of its issuance.

    Raises `ReceiptError`: it does not hold; `rule` is one of `RULES`.
    """
    proof, opening, entry = _read(proof_bytes)
    # 1. The tree head is the log's own word. Nothing before this line is believed.
    policy = trusted if isinstance(trusted, Policy | Policies) else Policy.of_log(trusted)
    try:
        checkpoint, lacking = policy.judge(proof.checkpoint_note)
    except (MalformedError, SignatureError) as error:
        raise ReceiptError(CHECKPOINT, str(error)) from error
    # 2. The entry is in that tree, at the place it says itself.
    if entry.index != proof.index:
        raise ReceiptError(INDEX, f"expected the entry of index {proof.index}, got that of {entry.index}")
    try:
        verify_inclusion(proof.index, checkpoint.size, leaf_hash(opening.entry), proof.hashes, checkpoint.root)
    except ProofError as error:
        raise ReceiptError(INCLUSION, str(error)) from error
    # 3. The entry commits to this record, and the record speaks of this object.
    if not opens(opening.salt, opening.record, entry.digest):
        raise ReceiptError(COMMITMENT, "salt and record are not what the entry commits to")
    _require_record(opening.record, object_digest, kid, status, record_type)
    # 4. Enough witnesses have seen the tree. Last, so that whoever lacks this alone knows that all else holds.
    if lacking:
        raise ReceiptError(QUORUM, lacking)
    return Receipt(entry, opening.record, checkpoint)


def _read(proof_bytes: bytes) -> tuple[TlogProof, Opening, Entry]:
    try:
        proof = TlogProof.decode(proof_bytes)
        if proof.extra is None:
            raise MalformedError("proof: expected an extra line with the opening, got none")
        opening = Opening.decode(proof.extra)
        return proof, opening, Entry.decode(opening.entry)
    except LedgerError as error:
        raise ReceiptError(FORMAT, str(error)) from error


def _require_record(
    record: Record,
    object_digest: bytes,
    kid: bytes | None,
    status: tuple[str, int] | None,
    record_type: str | None,
) -> None:
    if not compare_digest(record.object_digest, object_digest):
        raise ReceiptError(OBJECT, f"recorded {record.object_digest.hex()}, presented {object_digest.hex()}")
    for rule, recorded, presented in (
        (KEY, record.kid, kid),
        (STATUS, record.status, status),
        (TYPE, record.type, record_type),
    ):
        if presented is not None and recorded != presented:
            raise ReceiptError(rule, f"recorded {recorded!r}, presented {presented!r}")
