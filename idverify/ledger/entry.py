"""One entry of the log: a fixed header of 48 bytes and a body of deterministic CBOR, 102 bytes in all.

```
01 || type u8 || flags u16 = 0 || index u64 || time u32 || prev[32]      header, big-endian
A2 01 50 handle[16] 02 58 20 digest[32]                                  body, {1: handle, 2: digest}
```
`prev` is the RFC 6962 leaf hash of the entry before, so one hash serves the chain and the tree. Nothing here
speaks of a person: the handle is random and used once, the digest is a commitment that only a holder of its
salt can open. All entries have one size, the type is coarse and the time is that of a whole minute, so that
neither tells entries apart.
"""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final, Self

from idverify.ledger.errors import MalformedError
from idverify.ledger.lines import U64_MAX

ENTRY_VERSION: Final = 1
ENTRY_LAYOUT: Final = Struct(">BBHQI32s3s16s3s32s")
ENTRY_SIZE: Final = ENTRY_LAYOUT.size
MINUTE: Final = 60

# The deterministic CBOR around the two strings never varies, so it is compared and never parsed.
CBOR_BEFORE_HANDLE: Final = b"\xa2\x01\x50"
CBOR_BEFORE_DIGEST: Final = b"\x02\x58\x20"


class EntryType(IntEnum):
    """What the public may know of an entry's kind; the true kind is inside the commitment."""

    LOG_START = 0
    CREDENTIAL = 1
    STATUS = 2
    KEY = 3
    POLICY = 4
    ADMINISTRATION = 5
    STATUS_LIST = 6
    SHARD_CLOSE = 7


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has a place in the log.

    `handle` is 16 random bytes, never used before. `digest` is a commitment (32 bytes); for objects that are
    public anyway (`LOG_START`, `STATUS_LIST`) it is a plain SHA-256, see docs/ledger-format.md section 3.
    """

    type: EntryType
    handle: bytes
    digest: bytes

    def __post_init__(self) -> None:
        """Refuse sizes that would change the layout."""
        _require_size("handle", self.handle, 16)
        _require_size("digest", self.digest, 32)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry in its place: `time` is unix seconds of a whole minute, `prev` the leaf hash before it."""

    type: EntryType
    index: int
    time: int
    prev: bytes
    handle: bytes
    digest: bytes

    def __post_init__(self) -> None:
        """Refuse values that have no encoding, and a start that is not at the start."""
        if not 0 <= self.index <= U64_MAX:
            raise MalformedError(f"entry index: expected 0 to 2^64 - 1, got {self.index}")
        if not 0 <= self.time < 2**32 or self.time % MINUTE:
            raise MalformedError(f"entry {self.index}: expected the unix time of a whole minute, got {self.time}")
        if (self.type == EntryType.LOG_START) != (self.index == 0):
            raise MalformedError(
                f"entry {self.index}: LOG_START is entry 0 and no other, got {EntryType(self.type).name}"
            )
        _require_size("prev", self.prev, 32)
        _require_size("handle", self.handle, 16)
        _require_size("digest", self.digest, 32)

    def encode(self) -> bytes:
        """The `ENTRY_SIZE` bytes that are hashed, stored and served."""
        return ENTRY_LAYOUT.pack(
            ENTRY_VERSION,
            self.type,
            0,
            self.index,
            self.time,
            self.prev,
            CBOR_BEFORE_HANDLE,
            self.handle,
            CBOR_BEFORE_DIGEST,
            self.digest,
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read an entry; every byte has one allowed meaning, so `decode(data).encode() == data`.

        Raises `MalformedError`: wrong size, version, flags, type, time or CBOR framing.
        """
        if len(data) != ENTRY_SIZE:
            raise MalformedError(f"entry: expected {ENTRY_SIZE} bytes, got {len(data)}")
        version, kind, flags, index, time, prev, cbor1, handle, cbor2, digest = ENTRY_LAYOUT.unpack(data)
        if (version, flags) != (ENTRY_VERSION, 0):
            raise MalformedError(f"entry: expected version {ENTRY_VERSION} and flags 0, got {version} and {flags}")
        if (cbor1, cbor2) != (CBOR_BEFORE_HANDLE, CBOR_BEFORE_DIGEST):
            raise MalformedError("entry: expected the body to be deterministic CBOR {1: 16 bytes, 2: 32 bytes}")
        try:
            entry_type = EntryType(kind)
        except ValueError as error:
            raise MalformedError(f"entry: expected a type from 0 to {max(EntryType)}, got {kind}") from error
        return cls(entry_type, index, time, prev, handle, digest)


def _require_size(name: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise MalformedError(f"entry {name}: expected {size} bytes, got {len(value)}")
