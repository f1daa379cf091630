"""The log's keys as ``ledger.log_signers.CheckpointSigner``: by each token, and the one in software beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from idverify.errors import SetupError, TokenAway, Unavailable
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.cosignature import MlDsa44Verifier, stamp
from idverify.ledger.log_signers import CheckpointSigner, LogSigners
from idverify.ledger.note import ED25519, NoteVerifier
from idverify.ports import Clock, SealedSigner, Signer
from idverify.services.log_keys import LogKey
from idverify.services.urgency import for_everybody


@dataclass(frozen=True, slots=True)
class TokenCheckpointSigner:
    """Ed25519 (type 01) or, where the token has no EdDSA, ECDSA (type 02) over the note's text."""

    signer: Signer
    key_id: bytes
    verifier: NoteVerifier

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """64 bytes (RFC 8032), or a DER signature (RFC 3279 section 2.2.3)."""
        with for_everybody():
            signature = await self.signer.sign(self.key_id, checkpoint.text())
        if self.verifier.signature_type == ED25519:
            return signature
        r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
        return encode_dss_signature(r, s)


@dataclass(frozen=True, slots=True)
class SoftwareCheckpointSigner:
    """An ML-DSA-44 cosignature (type 06) with the time of signing. The name of ``verifier`` is the log's origin."""

    sealer: SealedSigner
    public_key: bytes
    sealed: bytes
    verifier: MlDsa44Verifier
    clock: Clock

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """Time and signature (c2sp.org/tlog-cosignature)."""
        time = self.clock.now()
        message = self.verifier.message(checkpoint.text(), time)
        return stamp(time, await self.sealer.sign_sealed(self.public_key, self.sealed, message))


@dataclass(slots=True)
class AwaitedCheckpointSigner:
    """A software signer whose token was away at the start: its seed is unsealed for the first signature."""

    key: LogKey
    origin: str
    sealer: SealedSigner
    clock: Clock
    made: SoftwareCheckpointSigner | None = None

    @property
    def verifier(self) -> NoteVerifier:
        """As the row of the key says."""
        return self.key.verifier(self.origin)

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """As ``SoftwareCheckpointSigner``. Raises ``Unavailable`` while the token is away."""
        if self.made is None:
            self.made = await _software(self.key, self.origin, self.sealer, self.clock)
        return await self.made.sign(checkpoint)


async def checkpoint_signers(
    keys: Sequence[LogKey], origin: str, signer: Signer, sealer: SealedSigner, clock: Clock
) -> LogSigners:
    """The keys of each kind, in the same order; seeds are unsealed in signer processes alone.

    Where the token of one does not answer, that of another signs. Keys of retired tokens sign nothing, but the newest
    checkpoint may still be theirs.
    """
    kinds: dict[bool, list[CheckpointSigner]] = {}
    for key in keys:
        if key.active:
            kinds.setdefault(key.sealed is None, []).append(await _signer(key, origin, signer, sealer, clock))
    earlier = tuple(key.verifier(origin) for key in keys if not key.active and key.sealed is None)
    return LogSigners(tuple(map(tuple, kinds.values())), earlier, away=(TokenAway,))


async def _signer(key: LogKey, origin: str, signer: Signer, sealer: SealedSigner, clock: Clock) -> CheckpointSigner:
    if key.sealed is None:
        return TokenCheckpointSigner(signer, key.key_id, key.verifier(origin))
    try:
        return await _software(key, origin, sealer, clock)
    except Unavailable:
        return AwaitedCheckpointSigner(key, origin, sealer, clock)


async def _software(key: LogKey, origin: str, sealer: SealedSigner, clock: Clock) -> SoftwareCheckpointSigner:
    assert key.sealed is not None
    verifier = key.verifier(origin)
    if not isinstance(verifier, MlDsa44Verifier) or not await sealer.open_sealed(key.public_key, key.sealed):
        raise SetupError(
            "The sealed seed of the log's post-quantum key is that of another key.",
            "Restore the rows of signing_key with the role checkpoint-cosigner from a backup.",
        )
    return SoftwareCheckpointSigner(sealer, key.public_key, key.sealed, verifier, clock)
