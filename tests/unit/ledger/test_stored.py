"""A log that is not signed any more: what was signed of it is still proven."""

from __future__ import annotations

import pytest

from idverify.ledger.errors import ProofError, SignatureError, StorageError
from idverify.ledger.merkle import leaf_hash, verify_inclusion
from idverify.ledger.stored import StoredLog
from tests.simulators.ledger_memory import LedgerMemory, SoftwareSigner, publishing


async def ended(published: int, more: int = 0) -> tuple[LedgerMemory, SoftwareSigner, StoredLog]:
    """A log whose first ``published`` entries were signed, and ``more`` never."""
    memory, signer = LedgerMemory(), SoftwareSigner()
    memory.append(published)
    await publishing(memory, signer).publish_once()
    memory.append(more)
    return memory, signer, StoredLog(memory, [signer.verifier])


async def test_every_entry_that_was_signed_for_is_proven_without_the_key() -> None:
    """The proof leads to the stored note, and nothing is signed for it."""
    memory, signer, stored = await ended(300, more=2)
    signed = signer.signed[-1]

    for index in (0, 255, 256, 299):
        hashes, note = await stored.receipt_proof(index)
        verify_inclusion(index, signed.size, leaf_hash(memory.log[index]), hashes, signed.root)
        assert note == memory.notes[-1][1]
    assert await stored.checkpoint() == signed
    assert len(signer.signed) == 1


async def test_what_was_never_signed_for_is_not_proven() -> None:
    """Entries behind the last checkpoint, and all of a log that ended before its first."""
    _, signer, stored = await ended(5, more=2)
    with pytest.raises(ProofError, match="below the last published size 5, got 5"):
        await stored.receipt_proof(5)
    empty = StoredLog(LedgerMemory(), [signer.verifier])
    assert await empty.checkpoint() is None
    with pytest.raises(ProofError, match="ended before its first"):
        await empty.receipt_proof(0)


async def test_what_was_changed_since_is_found() -> None:
    """Tiles and notes are believed as little as those of a log that goes on."""
    memory, _, stored = await ended(300)
    memory.leaves[299] = bytes(32)
    with pytest.raises(StorageError, match="signed was"):
        await stored.receipt_proof(7)
    memory, signer, _ = await ended(3)
    with pytest.raises(SignatureError):
        await StoredLog(memory, [SoftwareSigner(seed=b"1" * 32).verifier]).checkpoint()
    assert len(signer.signed) == 1
