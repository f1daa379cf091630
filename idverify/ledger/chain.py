"""The hash chain: what an entry must continue, checked for a whole run at once, then explained for one entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from idverify.ledger.entry import (
    CBOR_BEFORE_DIGEST,
    CBOR_BEFORE_HANDLE,
    ENTRY_LAYOUT,
    ENTRY_SIZE,
    ENTRY_VERSION,
    MINUTE,
    Entry,
    EntryType,
)
from idverify.ledger.errors import MalformedError

_TYPES: Final = frozenset(EntryType)


@dataclass(frozen=True, slots=True)
class Link:
    """What the next entry continues: its `index`, the leaf hash before it, the time before it.

    Once the log is `closed` there is no next entry.
    """

    index: int
    prev: bytes
    time: int
    closed: bool = False


def follow(link: Link, entries: Sequence[bytes], leaf_hashes: Sequence[bytes]) -> Link | None:
    """Continue `link` by a non-empty run of entries; None if any of them breaks a rule, which `examine` will name.

    These are the rules of `Entry.decode` and `examine`, column by column: an audit reads millions of sound
    entries, and comparing a column costs a fraction of decoding its entries.
    """
    if set(map(len, entries)) != {ENTRY_SIZE}:
        return None
    rows = ENTRY_LAYOUT.iter_unpack(b"".join(entries))
    versions, types, flags, indexes, times, prevs, cbor1, _, cbor2, _ = zip(*rows, strict=True)
    sound = (
        set(versions) == {ENTRY_VERSION}
        and set(flags) == {0}
        and set(cbor1) == {CBOR_BEFORE_HANDLE}
        and set(cbor2) == {CBOR_BEFORE_DIGEST}
        and _TYPES.issuperset(types)
        and (types[0] == EntryType.LOG_START) == (link.index == 0)
        and EntryType.LOG_START not in types[1:]
        and not link.closed
        and EntryType.SHARD_CLOSE not in types[:-1]
        and indexes == tuple(range(link.index, link.index + len(entries)))
        and prevs == (link.prev, *leaf_hashes[:-1])
        and [link.time, *times] == sorted([link.time, *times])
        and not any(time % MINUTE for time in set(times))
    )
    if not sound:
        return None
    return Link(link.index + len(entries), leaf_hashes[-1], times[-1], types[-1] == EntryType.SHARD_CLOSE)


def examine(link: Link, data: bytes, leaf_hash: bytes) -> tuple[Link, list[tuple[str, str]]]:
    """Continue `link` by one entry, sound or not, and name each rule it breaks: (rule, what was expected and came)."""
    broken = []
    if link.closed:
        broken.append(("closed", f"expected nothing behind the entry that closes the log, got entry {link.index}"))
    try:
        entry = Entry.decode(data)
    except MalformedError as error:
        return Link(link.index + 1, leaf_hash, link.time, link.closed), [*broken, ("entry", str(error))]
    if entry.index != link.index:
        broken.append(("index", f"expected {link.index}, got {entry.index}"))
    if entry.prev != link.prev:
        broken.append(("prev", f"expected the leaf hash before it, {link.prev.hex()}, got {entry.prev.hex()}"))
    if entry.time < link.time:
        broken.append(("time", f"expected {link.time} or later, got {entry.time}"))
    closed = link.closed or entry.type == EntryType.SHARD_CLOSE
    return Link(link.index + 1, leaf_hash, max(link.time, entry.time), closed), broken
