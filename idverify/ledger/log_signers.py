"""Who signs the checkpoints of a log: for each kind of signature the keys that make it, of which one does.

Readers take keys of one kind as alternatives (`checkpoint.require_log`), so a key whose device is away is stood in for
by the next, and nobody waits for it.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, Self

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.errors import SignatureError
from idverify.ledger.note import NoteSignature, NoteVerifier, open_note, write_note


class CheckpointSigner(Protocol):
    """One of the log's keys, wherever it is kept."""

    @property
    def verifier(self) -> NoteVerifier:
        """What everyone else checks its signatures with; its name is the log's origin."""

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """What follows the key id in its signature line."""


@dataclass(frozen=True, slots=True)
class LogSigners:
    """The keys of one log, by kind; of each kind the first that is there signs, which is not one that raises `away`.

    One of the first kind has signed whatever the log ever signed: or one of the keys `earlier`, which are of that kind
    and sign no more.
    """

    kinds: tuple[tuple[CheckpointSigner, ...], ...]
    earlier: tuple[NoteVerifier, ...] = ()
    away: tuple[type[Exception], ...] = ()

    @classmethod
    def each(cls, *signers: CheckpointSigner) -> Self:
        """Keys of which every one signs."""
        return cls(tuple((signer,) for signer in signers))

    @property
    def verifiers(self) -> list[NoteVerifier]:
        """Of every key that may sign now."""
        return [signer.verifier for kind in self.kinds for signer in kind]

    @property
    def foremost(self) -> list[NoteVerifier]:
        """Of every key that may have signed what is stored."""
        return [*(signer.verifier for kind in self.kinds[:1] for signer in kind), *self.earlier]

    def require_of(self, origin: str) -> None:
        """Raise `SignatureError` unless there are keys, and all of them bear the name of the log."""
        names = [verifier.name for verifier in (*self.verifiers, *self.earlier)]
        if set(names) != {origin} or not all(self.kinds):
            raise SignatureError(f"expected keys of {origin} alone, got {', '.join(names) or 'none'}")

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """The signed note, with a line of each kind, which verify.

        Raises `SignatureError` where one does not, and what the last key of a kind raises.
        """
        lines = [await self._line(kind, checkpoint) for kind in self.kinds]
        note = write_note(checkpoint.text(), lines)
        opened = open_note(note, self.verifiers)
        if Checkpoint.parse(opened.text) != checkpoint or len(opened.verified) != len(lines):
            raise SignatureError("the signed note does not read back as the checkpoint that was to be signed")
        return note

    async def _line(self, kind: Sequence[CheckpointSigner], checkpoint: Checkpoint) -> NoteSignature:
        *others, last = kind
        for signer in others:
            with suppress(*self.away):
                return await _signed_by(signer, checkpoint)
        return await _signed_by(last, checkpoint)


async def _signed_by(signer: CheckpointSigner, checkpoint: Checkpoint) -> NoteSignature:
    return NoteSignature(signer.verifier.name, signer.verifier.key_id, await signer.sign(checkpoint))
