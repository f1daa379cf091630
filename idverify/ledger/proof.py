"""C2SP transparency log proofs (c2sp.org/tlog-proof@v1): one file that shows an entry is in a signed tree.

It is a frame: index, inclusion proof, checkpoint as the log signed it, and `extra` bytes that nobody signed.
What they prove together is `receipt`'s business.
"""

from dataclasses import dataclass
from typing import Final, Self

from idverify.ledger.errors import MalformedError
from idverify.ledger.lines import (
    U64_MAX,
    base64_text,
    lines_and_note,
    parse_base64,
    parse_decimal,
    parse_hash,
    split_lines_and_note,
)
from idverify.ledger.note import MAX_NOTE

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_EXTRA: Final = 16 * 1024
MAX_HASHES: Final = 64
_MAX_PROOF: Final = MAX_NOTE + 2 * MAX_EXTRA + 64 * MAX_HASHES


@dataclass(frozen=True, slots=True)
class TlogProof:
    """`hashes` is the inclusion proof, leaf's sibling first; `checkpoint_note` the signed note, verbatim."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint_note: bytes
    extra: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse what has no place in the format."""
        if not 0 <= self.index <= U64_MAX:
            raise MalformedError(f"proof index: expected 0 to 2^64 - 1, got {self.index}")
        if len(self.hashes) > MAX_HASHES or any(len(value) != 32 for value in self.hashes):
            raise MalformedError(f"proof: expected at most {MAX_HASHES} hashes of 32 bytes each")
        if self.extra is not None and not 0 < len(self.extra) <= MAX_EXTRA:
            raise MalformedError(f"proof extra: expected 1 to {MAX_EXTRA} bytes or none, got {len(self.extra)}")
        if len(self.checkpoint_note) > MAX_NOTE:
            raise MalformedError(f"proof checkpoint: expected at most {MAX_NOTE} bytes")

    def encode(self) -> bytes:
        """The bytes of a `.tlog-proof` file."""
        extra = [] if self.extra is None else [f"extra {base64_text(self.extra)}"]
        lines = [HEADER, *extra, f"index {self.index}", *map(base64_text, self.hashes)]
        return lines_and_note(lines, self.checkpoint_note)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a proof; nothing in it is believed yet.

        Raises `MalformedError`: not exactly what `encode` writes.
        """
        if len(data) > _MAX_PROOF:
            raise MalformedError(f"proof: expected at most {_MAX_PROOF} bytes, got {len(data)}")
        (header, *lines), note = split_lines_and_note(data, "proof")
        if header != HEADER:
            raise MalformedError(f"proof: expected the first line {HEADER!r}, got {header[:80]!r}")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = parse_base64(lines.pop(0).removeprefix("extra "), "proof extra")
        if not lines or not lines[0].startswith("index "):
            raise MalformedError("proof: expected a line 'index <number>'")
        index = parse_decimal(lines[0].removeprefix("index "), "proof index")
        return cls(index, tuple(parse_hash(line, "proof hash") for line in lines[1:]), note, extra)
