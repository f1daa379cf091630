"""C2SP checkpoints (c2sp.org/tlog-checkpoint@v1.0.0): the tree head a log signs and can never take back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from idverify.ledger.errors import MalformedError, SignatureError
from idverify.ledger.lines import U64_MAX, base64_text, parse_decimal, parse_hash
from idverify.ledger.merkle import EMPTY_ROOT
from idverify.ledger.note import NoteVerifier, open_note


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's state: `origin` names it, `size` counts its entries, `root` is the RFC 6962 root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        """Refuse what could not be written as three lines, and an empty tree with a root of its own."""
        if not self.origin or any(character < " " for character in self.origin):
            raise MalformedError(f"checkpoint origin: expected one line of text, got {self.origin[:80]!r}")
        if not 0 <= self.size <= U64_MAX:
            raise MalformedError(f"checkpoint size: expected 0 to 2^64 - 1, got {self.size}")
        if len(self.root) != 32:
            raise MalformedError(f"checkpoint root: expected 32 bytes, got {len(self.root)}")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise MalformedError("checkpoint root: size 0 has the root SHA-256 of nothing, got another")

    def text(self) -> bytes:
        """The note text: what is signed."""
        return f"{self.origin}\n{self.size}\n{base64_text(self.root)}\n".encode()

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Read a note text of exactly three lines.

        Extension lines are refused: nobody can audit them, and an ML-DSA cosignature does not cover them.

        Raises `MalformedError`: anything else than `text()` writes.
        """
        try:
            lines = text.decode().split("\n")
        except UnicodeDecodeError as error:
            raise MalformedError("checkpoint: expected UTF-8") from error
        if len(lines) != 4 or lines[3]:
            raise MalformedError(f"checkpoint: expected 3 lines (origin, size, root), got {len(lines) - 1}")
        origin, size, root, _ = lines
        return cls(origin, parse_decimal(size, "checkpoint size"), parse_hash(root, "checkpoint root"))


def open_checkpoint(note: bytes, verifiers: Sequence[NoteVerifier]) -> Checkpoint:
    """Verify a signed checkpoint; one of the keys that signed must bear the name of its origin.

    So a witness's signature alone does not make a checkpoint, nor does the key of another log.

    Raises `MalformedError`: not a signed checkpoint.
    Raises `SignatureError`: not signed by the log it names.
    """
    opened = open_note(note, verifiers)
    checkpoint = Checkpoint.parse(opened.text)
    if checkpoint.origin not in {signature.name for signature in opened.verified}:
        signers = ", ".join(signature.name for signature in opened.verified)
        raise SignatureError(f"expected the log {checkpoint.origin} to sign its own checkpoint, signed by {signers}")
    return checkpoint
