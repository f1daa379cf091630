"""Making COSE Receipts: the root of a checkpoint is signed once, and every receipt of that checkpoint carries it."""

import asyncio
from collections import OrderedDict
from typing import Final

from idverify.ledger.cose_receipt import encode_consistency, encode_inclusion, protected_header, to_be_signed
from idverify.ledger.errors import SignatureError
from idverify.ledger.published import SignedTree, included
from idverify.ledger.receipt_key import ReceiptKey, RootSigner

_KEPT: Final = 8
"""Signatures kept: receipts are asked of the latest checkpoints."""


class ReceiptIssuer:
    """Receipts of one log under one key. Only roots that a checkpoint signs are ever handed to the key."""

    def __init__(self, signer: RootSigner, issuer: str, origin: str) -> None:
        """`issuer` becomes the claim `iss`, `origin` the claim `sub` of every receipt."""
        self._signer = signer
        self._protected = protected_header(signer.key, issuer, origin)
        self._signatures: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = asyncio.Lock()

    @property
    def key(self) -> ReceiptKey:
        """What receipts are verified with."""
        return self._signer.key

    async def inclusion(self, signed: SignedTree, index: int) -> bytes:
        """The receipt of entry `index` in a published tree.

        Raises `ProofError`: the tree does not cover it. Raises `MalformedError`: it is the only one, and RFC 9942
        has no receipt for that. Raises `SignatureError`, or whatever the signer raises.
        """
        hashes = await included(signed.tree, index)
        signature = await self._signature(signed.tree.root())
        return encode_inclusion(self._protected, signature, signed.tree.size, index, hashes)

    async def consistency(self, signed: SignedTree, size1: int) -> bytes:
        """The receipt that a published tree extends the log of `size1` entries.

        Raises as `inclusion` does.
        """
        hashes = await signed.tree.consistency_proof(size1)
        signature = await self._signature(signed.tree.root())
        return encode_consistency(self._protected, signature, size1, signed.tree.size, hashes)

    async def _signature(self, root: bytes) -> bytes:
        async with self._lock:
            if root not in self._signatures:
                message = to_be_signed(self._protected, root)
                signature = await self._signer.sign(message)
                if not self.key.verifies(message, signature):
                    raise SignatureError("the key's signature over the root does not verify under its public half")
                self._signatures[root] = signature
                while len(self._signatures) > _KEPT:
                    self._signatures.popitem(last=False)
            self._signatures.move_to_end(root)
            return self._signatures[root]
