"""Receipts: the frame is strict, and every part of what it proves can fail alone."""

import base64
from dataclasses import replace
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.ledger import Draft, EntryType, ReceiptError, commitment, sequence, verify_receipt
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.commitment import Record
from idverify.ledger.cosignature import ML_DSA_44
from idverify.ledger.cosigner import Cosigner
from idverify.ledger.errors import MalformedError
from idverify.ledger.note import split_note
from idverify.ledger.policy import Log, Policy, PolicyWitness
from idverify.ledger.proof import TlogProof
from idverify.ledger.receipt import RULES, Opening
from tests.simulators.ledger_memory import NOW, ORIGIN, LedgerMemory, SoftwareSigner, publishing

OBJECT = sha256(b"issuer-signed bytes").digest()
SALT = bytes(range(32))
RECORD = Record("credential.issued", OBJECT, b"k" * 8, ("https://status.example/7", 41))
SIGNER = SoftwareSigner()


@pytest.fixture
async def proof() -> TlogProof:
    """The receipt of entry 5 in a log of 11 entries."""
    memory = LedgerMemory()
    memory.append(5)
    made = Draft(EntryType.CREDENTIAL, b"h" * 16, commitment(SALT, RECORD))
    memory.state, entry, leaf = sequence(memory.state, made, NOW)
    memory.log.append(entry)
    memory.leaves.append(leaf)
    memory.append(5)
    publisher = publishing(memory, SIGNER)
    await publisher.publish_once()
    hashes, note = await publisher.receipt_proof(5)
    return TlogProof(5, tuple(hashes), note, Opening(entry, SALT, RECORD).encode())


def refused(proof: TlogProof, **known: Any) -> str:
    with pytest.raises(ReceiptError) as caught:
        verify_receipt(proof.encode(), known.pop("object_digest", OBJECT), [SIGNER.verifier], **known)
    assert caught.value.rule in RULES
    return caught.value.rule


def test_a_receipt_holds_offline(proof: TlogProof) -> None:
    """With nothing but the object, the receipt and the log's key, the record is proven."""
    receipt = verify_receipt(
        proof.encode(), OBJECT, [SIGNER.verifier], kid=RECORD.kid, status=RECORD.status, record_type=RECORD.type
    )

    assert receipt.record == RECORD
    assert (receipt.entry.index, receipt.entry.type) == (5, EntryType.CREDENTIAL)
    assert (receipt.checkpoint.origin, receipt.checkpoint.size) == (ORIGIN, 11)


def test_another_object_key_status_or_type_is_refused_by_name(proof: TlogProof) -> None:
    """What the caller knows is compared with what was recorded."""
    assert refused(proof, object_digest=bytes(32)) == "object"
    assert refused(proof, kid=b"x" * 8) == "key"
    assert refused(proof, status=("https://status.example/7", 42)) == "status"
    assert refused(proof, record_type="credential.revoked") == "type"


def test_a_salt_or_record_that_was_not_committed_to_is_refused(proof: TlogProof) -> None:
    """Neither can be exchanged for one that suits."""
    opening = Opening.decode(proof.extra or b"")
    for changed in (
        replace(opening, salt=bytes(32)),
        replace(opening, record=replace(RECORD, type="credential.renewed")),
    ):
        assert refused(replace(proof, extra=changed.encode())) == "commitment"


def test_an_entry_that_is_not_in_the_tree_is_refused(proof: TlogProof) -> None:
    """A made-up entry that commits to a made-up record is not in what the log signed."""
    opening = Opening.decode(proof.extra or b"")
    record = replace(RECORD, reason="forged")
    forged = bytearray(opening.entry)
    forged[-32:] = commitment(SALT, record)

    assert refused(replace(proof, extra=Opening(bytes(forged), SALT, record).encode())) == "inclusion"
    assert refused(replace(proof, hashes=proof.hashes[:-1])) == "inclusion"
    assert refused(replace(proof, hashes=(*proof.hashes[:-1], bytes(32)))) == "inclusion"


def test_an_index_that_is_not_the_entrys_is_refused(proof: TlogProof) -> None:
    """Frame and entry agree on the place."""
    assert refused(replace(proof, index=4)) == "index"


def test_a_checkpoint_of_another_key_is_refused(proof: TlogProof) -> None:
    """Only a log we were told of may speak."""
    stranger = SoftwareSigner(seed=b"s" * 32)
    with pytest.raises(ReceiptError, match="checkpoint: expected a signature"):
        verify_receipt(proof.encode(), OBJECT, [stranger.verifier])
    broken = proof.checkpoint_note.replace(b"\n11\n", b"\n12\n")
    assert refused(replace(proof, checkpoint_note=broken)) == "checkpoint"


def test_a_receipt_can_be_required_to_be_witnessed(proof: TlogProof) -> None:
    """Under a policy the checkpoint of a receipt needs its quorum, not only its log."""
    witness = Cosigner.from_seed(ML_DSA_44, "witness.example/w1", bytes(32))
    policy = Policy((Log(SIGNER.verifier),), (PolicyWitness("w", witness.verifier),), quorum="w")
    text, _ = split_note(proof.checkpoint_note)
    cosigned = replace(proof, checkpoint_note=proof.checkpoint_note + witness.cosign(text, NOW).line().encode())

    assert verify_receipt(cosigned.encode(), OBJECT, policy).record == RECORD
    with pytest.raises(ReceiptError, match="quorum: expected the quorum w to have cosigned"):
        verify_receipt(proof.encode(), OBJECT, policy)


def test_an_opening_is_required_and_strict(proof: TlogProof) -> None:
    """No opening, or one of another shape, is no receipt."""
    opening = Opening.decode(proof.extra or b"")
    fields = {1: opening.entry, 2: SALT, 3: RECORD.encode()}
    for extra in (
        None,
        b"\0",
        cbor2.dumps({**fields, 4: b""}, canonical=True),
        cbor2.dumps({**fields, 2: SALT[:31]}),
        cbor2.dumps({**fields, 1: opening.entry[:-1]}),
        cbor2.dumps({**fields, 3: b"\xa0"}),
    ):
        assert refused(replace(proof, extra=extra)) == "format"


@given(data=st.data())
def test_a_changed_byte_anywhere_is_refused(data: st.DataObject) -> None:
    """No byte of a receipt is without meaning."""
    text = bytearray(RECEIPT)
    text[data.draw(st.integers(0, len(text) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ReceiptError):
        verify_receipt(bytes(text), OBJECT, [SIGNER.verifier])


def single_entry_receipt() -> bytes:
    """A whole receipt made without an event loop, for hypothesis: hashes of a log of one."""
    identity = replace(RECORD, type="log.started")
    memory = LedgerMemory()
    memory.state, entry, _ = sequence(
        memory.state, Draft(EntryType.LOG_START, b"h" * 16, commitment(SALT, identity)), NOW
    )
    note = SIGNER.note(Checkpoint(ORIGIN, 1, memory.state.root()))
    return TlogProof(0, (), note, Opening(entry, SALT, identity).encode()).encode()


RECEIPT = single_entry_receipt()


def test_the_receipt_that_is_mutated_holds() -> None:
    """The mutations above start from something good."""
    assert verify_receipt(RECEIPT, OBJECT, [SIGNER.verifier]).entry.index == 0


@given(
    st.integers(0, 2**64 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=64),
    st.binary(max_size=200),
    st.none() | st.binary(min_size=1, max_size=200),
)
def test_proofs_read_back(index: int, hashes: list[bytes], note: bytes, extra: bytes | None) -> None:
    """Encoding and decoding the frame are inverse; the checkpoint stays verbatim, whatever it is."""
    made = TlogProof(index, tuple(hashes), note, extra)

    assert made == TlogProof.decode(made.encode())


HASH = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "head",
    [
        "",
        "c2sp.org/tlog-proof@v2\nindex 0\n\n",
        "c2sp.org/tlog-proof@v1\n\n",
        "c2sp.org/tlog-proof@v1\n1\n\n",
        "c2sp.org/tlog-proof@v1\nindex 1",
        "c2sp.org/tlog-proof@v1\nindex 01\n\n",
        "c2sp.org/tlog-proof@v1\nindex  1\n\n",
        "c2sp.org/tlog-proof@v1\r\nindex 1\n\n",
        "c2sp.org/tlog-proof@v1\nindex 1\nextra YQ==\n\n",
        "c2sp.org/tlog-proof@v1\nextra YQ==\nextra YQ==\nindex 1\n\n",
        "c2sp.org/tlog-proof@v1\nextra \nindex 1\n\n",
        "c2sp.org/tlog-proof@v1\nextra YR==\nindex 1\n\n",
        f"c2sp.org/tlog-proof@v1\nindex 1\n{HASH} \n\n",
        f"c2sp.org/tlog-proof@v1\nindex 1\n{HASH[:-4]}\n\n",
        f"c2sp.org/tlog-proof@v1\nindex 1\n{HASH}\n",
        "c2sp.org/tlog-proof@v1\nindex 1\n" + f"{HASH}\n" * 65 + "\n",
        "c2sp.org/tlog-proof@v1\nindex \u0661\n\n",
        "c2sp.org/tlog-proof@v1\nindex 1\n\n" + "x" * 262_145,
    ],
)
def test_what_is_not_a_proof_is_refused(head: str) -> None:
    """Every rule of the frame, broken alone."""
    with pytest.raises(MalformedError, match=r"^proof"):
        TlogProof.decode(head.encode())


def test_a_proof_is_capped_before_it_is_parsed() -> None:
    """A long input is refused for its length; the longest checkpoint is not."""
    longest = TlogProof(1, (), b"x" * 262_144)

    assert TlogProof.decode(longest.encode()) == longest
    with pytest.raises(MalformedError, match=r"^proof: expected at most \d+ bytes, got 300000"):
        TlogProof.decode(b"x" * 300_000)


@pytest.mark.parametrize(("index", "hashes"), [(2**64, ()), (-1, ()), (0, (b"short",)), (0, (bytes(32),) * 65)])
def test_a_proof_no_reader_would_accept_is_not_written(index: int, hashes: tuple[bytes, ...]) -> None:
    """Indexes beyond u64, hashes of another size, and more hashes than any tree is high."""
    with pytest.raises(MalformedError, match=r"^proof"):
        TlogProof(index, hashes, b"")
