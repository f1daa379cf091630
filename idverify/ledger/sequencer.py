"""Giving entries their place: a pure function from one tree state to the next.

The store calls `sequence` inside the transaction that also writes what the entries speak of. States are
values, so rolling back is keeping the old one, and a group commit that drops one write set simply does not
take its state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from struct import iter_unpack
from typing import Final, Self

from idverify.ledger import cbor
from idverify.ledger.entry import (
    CBOR_BEFORE_DIGEST,
    CBOR_BEFORE_HANDLE,
    ENTRY_LAYOUT,
    ENTRY_VERSION,
    MINUTE,
    Draft,
    Entry,
    EntryType,
)
from idverify.ledger.errors import MalformedError, SequenceError
from idverify.ledger.lines import U64_MAX
from idverify.ledger.merkle import fold, grow

STATE_VERSION: Final = 1
MAX_STATE: Final = 4096
MAX_ENTRY: Final = 512
"""Bytes an entry may ever have, whatever later versions of the body add."""

_GENESIS: Final = b"idverify-ledger/v1\n"


@dataclass(frozen=True, slots=True)
class TreeState:
    """Everything the next entry depends on.

    `frontier` is the compact range: roots of the complete subtrees of falling size that make up the tree, one
    for each bit set in `size`. `head` is the leaf hash of the last entry (before the first: a hash of the
    origin), `time` the unix time of the last entry.
    """

    size: int
    frontier: tuple[bytes, ...]
    head: bytes
    time: int

    def root(self) -> bytes:
        """The RFC 6962 root over all `size` entries."""
        return fold(self.frontier)

    def encode(self) -> bytes:
        """Deterministic CBOR `[1, size, frontier, head, time]`, for one row of a database."""
        return cbor.encode([STATE_VERSION, self.size, list(self.frontier), self.head, self.time])

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote.

        Raises `MalformedError`: anything else, also a frontier that does not fit the size.
        """
        match cbor.decode(data, "tree state", limit=MAX_STATE):
            case [1, int(size), list(frontier), bytes(head), int(time)] if 0 <= size <= U64_MAX:
                hashes = all(isinstance(value, bytes) and len(value) == 32 for value in [head, *frontier])
                if hashes and len(frontier) == size.bit_count() and 0 <= time < 2**32 and not time % MINUTE:
                    return cls(size, tuple(frontier), head, time)
        raise MalformedError("tree state: expected [1, size, one hash per bit set in size, head, time]")


def genesis(origin: str) -> TreeState:
    """The state before the first entry of the log named `origin`."""
    return TreeState(size=0, frontier=(), head=sha256(_GENESIS + origin.encode()).digest(), time=0)


def sequence(state: TreeState, draft: Draft, now: int) -> tuple[TreeState, bytes, bytes]:
    """Append one `draft` as `sequence_all` does: the next state, the entry's bytes, and its leaf hash."""
    state, (entry,), (leaf,) = sequence_all(state, [draft], now)
    return state, entry, leaf


def sequence_all(
    state: TreeState, drafts: Sequence[Draft], now: int
) -> tuple[TreeState, Sequence[bytes], Sequence[bytes]]:
    """Append `drafts` at unix time `now`: the next state, and for each its entry's bytes and its leaf hash.

    The recorded time is `now` rounded down to the minute and never before that of the entry ahead of it.

    Raises `SequenceError`: one of the drafts cannot stand at its place; none is appended.
    """
    time = max(state.time, now - now % MINUTE)
    _require_places(state, drafts, time)
    head, size, entries, leaf_hashes = state.head, state.size, [], []
    for index, draft in enumerate(drafts, size):
        entry = ENTRY_LAYOUT.pack(
            ENTRY_VERSION, draft.type, 0, index, time, head,
            CBOR_BEFORE_HANDLE, draft.handle, CBOR_BEFORE_DIGEST, draft.digest,
        )  # fmt: skip
        head = sha256(b"\x00" + entry).digest()
        entries.append(entry)
        leaf_hashes.append(head)
    after = TreeState(size + len(entries), grow(state.frontier, size, leaf_hashes), head, time) if entries else state
    return after, entries, leaf_hashes


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """A C2SP tlog-tiles entry bundle: each entry behind its length as u16, big-endian."""
    oversize = max(map(len, entries), default=0)
    if oversize > MAX_ENTRY:
        raise MalformedError(f"bundle: expected entries of at most {MAX_ENTRY} bytes, got one of {oversize}")
    runs = ((size.to_bytes(2, "big"), run) for size, run in groupby(entries, len))
    return b"".join(length + length.join(run) for length, run in runs)


def decode_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle, unparsed.

    Raises `MalformedError`: the lengths do not add up, or an entry is longer than `MAX_ENTRY`.
    """
    if alike := _of_one_size(data):
        return alike
    entries: list[bytes] = []
    position, end = 0, len(data)
    while position < end:
        start = position + 2
        position = start + int.from_bytes(data[position:start], "big")
        if position > end or position - start > MAX_ENTRY:
            raise MalformedError(f"bundle: entry {len(entries)} does not fit: {end - start} bytes left")
        entries.append(data[start:position])
    return entries


def _of_one_size(data: bytes) -> list[bytes]:
    """The entries of a bundle that are all as long as the first, as all that this version writes are; else none."""
    size = int.from_bytes(data[:2], "big")
    if not data or size > MAX_ENTRY or len(data) % (2 + size):
        return []
    lengths, entries = zip(*iter_unpack(f">H{size}s", data), strict=True)
    return list(entries) if set(lengths) == {size} else []


def _require_places(state: TreeState, drafts: Sequence[Draft], time: int) -> None:
    """A draft is sound by construction, so only the ends of a run and a start of a log can be out of place."""
    ends = (0, len(drafts) - 1)
    for at, draft in enumerate(drafts):
        if at in ends or draft.type == EntryType.LOG_START:
            try:
                Entry(draft.type, state.size + at, time, state.head, draft.handle, draft.digest)
            except MalformedError as error:
                raise SequenceError(f"cannot append: {error}") from error
