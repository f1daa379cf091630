"""What a log and a witness say to each other (c2sp.org/tlog-witness), for both ends.

```
POST <submission prefix>/add-checkpoint          old size, consistency proof, blank line, checkpoint
  200  signature lines of the witness
  409  text/x.tlog.size, the size that the witness saw last
  400, 403, 404, 422                             it does not cosign, see `witness.Witness`
GET <monitoring prefix>/<origin hash>/checkpoint the checkpoint that it cosigned last
```
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from idverify.ledger.errors import MalformedError
from idverify.ledger.lines import (
    U64_MAX,
    base64_text,
    lines_and_note,
    parse_decimal,
    parse_hash,
    split_lines_and_note,
)

MAX_HASHES: Final = 63
MAX_REQUEST: Final = 64 * 1024
"""Bytes; room for a full proof and a note with the 16 signatures that every reader must accept, all of them ML-DSA."""
MAX_ANSWER: Final = 64 * 1024
"""Bytes a witness may answer with: lines of as many keys, or a checkpoint with them."""
SIZE_TYPE: Final = "text/x.tlog.size"


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """`proof` leads from the tree of `old_size`, which the witness saw last, to that of the signed `note`."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes

    def __post_init__(self) -> None:
        """Refuse what has no place in the request."""
        if not 0 <= self.old_size <= U64_MAX:
            raise MalformedError(f"old size: expected 0 to 2^64 - 1, got {self.old_size}")
        if len(self.proof) > MAX_HASHES or any(len(value) != 32 for value in self.proof):
            raise MalformedError(f"consistency proof: expected at most {MAX_HASHES} hashes of 32 bytes each")

    def encode(self) -> bytes:
        """The body of the request."""
        return lines_and_note([f"old {self.old_size}", *map(base64_text, self.proof)], self.note)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a request of at most `MAX_REQUEST` bytes; of its note nothing is read yet.

        Raises `MalformedError`: not exactly what `encode` writes.
        """
        if len(body) > MAX_REQUEST:
            raise MalformedError(f"request: expected at most {MAX_REQUEST} bytes, got {len(body)}")
        (old, *hashes), note = split_lines_and_note(body, "request")
        if not old.startswith("old "):
            raise MalformedError(f"request: expected a line 'old <size>', got {old[:80]!r}")
        if len(hashes) > MAX_HASHES:
            raise MalformedError(f"request: expected at most {MAX_HASHES} hashes, got {len(hashes)}")
        size = parse_decimal(old.removeprefix("old "), "old size")
        return cls(size, tuple(parse_hash(line, "consistency proof") for line in hashes), note)


def write_size(size: int) -> bytes:
    """The body that says which size a witness saw last."""
    return f"{size}\n".encode()


def read_size(body: bytes) -> int:
    """Read what `write_size` wrote.

    Raises `MalformedError`: anything else.
    """
    if not body.endswith(b"\n") or not body.isascii():
        raise MalformedError(f"size: expected a decimal and a newline, got {body[:40]!r}")
    return parse_decimal(body[:-1].decode("ascii"), "size")


def origin_hash(origin: str) -> str:
    """How the monitoring prefix names a log: SHA-256 of its origin in lower-case hexadecimal."""
    return sha256(origin.encode()).hexdigest()
