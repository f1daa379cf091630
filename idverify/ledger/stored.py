"""A log that nobody signs any more: what is proven of it leads to the last checkpoint that storage holds."""

from collections.abc import Sequence

from idverify.ledger.checkpoint import Checkpoint, open_checkpoint
from idverify.ledger.errors import ProofError
from idverify.ledger.merkle import verify_inclusion
from idverify.ledger.note import NoteVerifier
from idverify.ledger.storage import LedgerStorage
from idverify.ledger.tiles import TileTree


class StoredLog:
    """A closed or halted log. It has no key, so nothing of it can be signed again."""

    def __init__(self, storage: LedgerStorage, verifiers: Sequence[NoteVerifier]) -> None:
        """`verifiers` are the log's own keys; nothing is read yet."""
        self._storage = storage
        self._verifiers = tuple(verifiers)
        self._kept: tuple[bytes, TileTree] | None = None

    async def checkpoint(self) -> Checkpoint | None:
        """The last signed checkpoint, None if there never was one."""
        note = await self._storage.latest_checkpoint()
        return None if note is None else open_checkpoint(note, self._verifiers)

    async def receipt_proof(self, index: int) -> tuple[list[bytes], bytes]:
        """The inclusion proof of entry `index` and the signed checkpoint it leads to, verified.

        Raises `ProofError`: no checkpoint covers it, and none will. Raises `StorageError`: its tiles are missing or
        were tampered with.
        """
        note = await self._storage.latest_checkpoint()
        if note is None:
            raise ProofError(f"no checkpoint covers entry {index}: the log ended before its first")
        tree = await self._tree(note)
        if index >= tree.size:
            raise ProofError(f"expected an index below the last published size {tree.size}, got {index}")
        hashes = await tree.inclusion_proof(index)
        verify_inclusion(index, tree.size, await tree.node(0, index), hashes, tree.root())
        return hashes, note

    async def _tree(self, note: bytes) -> TileTree:
        if self._kept is None or self._kept[0] != note:
            signed = open_checkpoint(note, self._verifiers)
            self._kept = note, await TileTree.load(self._storage, signed.size, signed.root)
        return self._kept[1]
