"""C2SP checkpoints (c2sp.org/tlog-checkpoint@v1.0.0): the tree head a log signs and can never take back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from idverify.ledger.cosignature import ML_DSA_44
from idverify.ledger.errors import MalformedError, SignatureError
from idverify.ledger.lines import U64_MAX, base64_text, parse_head
from idverify.ledger.merkle import EMPTY_ROOT
from idverify.ledger.note import Note, NoteVerifier, open_note

POST_QUANTUM: Final = frozenset({ML_DSA_44})
"""Signature types that a quantum computer does not forge."""


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
        """Read a note text of exactly three lines; extension lines are refused.

        Raises `MalformedError`: anything else than `text()` writes.
        """
        return cls(*parse_head(text))


def open_checkpoint(note: bytes, verifiers: Sequence[NoteVerifier]) -> Checkpoint:
    """Verify a signed checkpoint; the keys that bear the name of its origin are those of the log it is of.

    So a witness's signature alone does not make a checkpoint, nor does the key of another log.

    Raises `MalformedError`: not a signed checkpoint.
    Raises `SignatureError`: not signed by the log it names, see `require_log`.
    """
    opened = open_note(note, verifiers)
    checkpoint = Checkpoint.parse(opened.text)
    require_log(opened, checkpoint.origin, verifiers)
    return checkpoint


def of_first_kind(log_keys: Sequence[NoteVerifier]) -> list[NoteVerifier]:
    """The keys of the kind that the first one is of: one of them has signed whatever the log ever signed.

    Keys of another kind may have come later than the first checkpoint.
    """
    return [key for key in log_keys if _is_post_quantum(key) is _is_post_quantum(log_keys[0])]


def _is_post_quantum(key: NoteVerifier) -> bool:
    return key.signature_type in POST_QUANTUM


def require_log(opened: Note, origin: str, log_keys: Sequence[NoteVerifier]) -> None:
    """The log `origin` signed: by one of the classical keys the reader was given for it, if any, and by one of the
    post-quantum ones, if any.

    Two kinds of signature stand in one note because either may fall one day, and whoever breaks one could strip the
    other. Who was given keys of both kinds therefore needs both; keys of one kind are alternatives, as old and new.

    Raises `SignatureError`: one is missing, or no key of this log is known.
    """
    ours = [key for key in log_keys if key.name == origin]
    signed = {(signature.name, signature.key_id) for signature in opened.verified}
    classical = [key for key in ours if not _is_post_quantum(key)]
    post_quantum = [key for key in ours if _is_post_quantum(key)]
    for keys in filter(None, (classical, post_quantum)) if ours else ([],):
        if not any((key.name, key.key_id) in signed for key in keys):
            signers = ", ".join(sorted(f"{name} ({key_id.hex()})" for name, key_id in signed))
            wanted = " or ".join(key.key_id.hex() for key in keys) or "a key we know"
            raise SignatureError(
                f"expected the log {origin} to sign its own checkpoint with {wanted}, signed by {signers}"
            )
