"""The entry's bytes: one form, checked against CBOR itself."""

from struct import pack

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.ledger.entry import ENTRY_SIZE, Draft, Entry, EntryType
from idverify.ledger.errors import MalformedError

ENTRY = Entry(EntryType.STATUS, 5, 1_800_000_000, b"p" * 32, b"h" * 16, b"d" * 32)


def test_layout_is_a_header_of_48_bytes_and_deterministic_cbor() -> None:
    """The bytes are those of the specification, made here without the code under test."""
    header = pack(">BBHQI", 1, 2, 0, 5, 1_800_000_000) + b"p" * 32
    body = cbor2.dumps({1: b"h" * 16, 2: b"d" * 32}, canonical=True)

    assert len(header) == 48
    assert header + body == ENTRY.encode()
    assert len(header + body) == ENTRY_SIZE == 102


@given(
    kind=st.sampled_from([kind for kind in EntryType if kind]),
    index=st.integers(1, 2**64 - 1),
    minute=st.integers(0, (2**32 - 1) // 60),
    prev=st.binary(min_size=32, max_size=32),
    handle=st.binary(min_size=16, max_size=16),
    digest=st.binary(min_size=32, max_size=32),
)
def test_encoding_and_decoding_are_inverse(
    kind: EntryType, index: int, minute: int, prev: bytes, handle: bytes, digest: bytes
) -> None:
    """What is encoded is decoded to the same entry."""
    entry = Entry(kind, index, minute * 60, prev, handle, digest)

    assert entry == Entry.decode(entry.encode())


@given(place=st.integers(0, ENTRY_SIZE - 1), flip=st.integers(1, 255))
def test_no_two_byte_strings_are_one_entry(place: int, flip: int) -> None:
    """A changed byte either makes another entry with other bytes, or no entry."""
    data = bytearray(ENTRY.encode())
    data[place] ^= flip
    try:
        decoded = Entry.decode(bytes(data))
    except MalformedError:
        return
    assert decoded != ENTRY
    assert decoded.encode() == data


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (0, 2, "version 1 and flags 0"),
        (1, 8, "type from 0 to 7"),
        (1, 0, "LOG_START is entry 0"),
        (2, 1, "version 1 and flags 0"),
        (15, 1, "whole minute"),
        (48, 0xA3, "deterministic CBOR"),
        (67, 0x03, "deterministic CBOR"),
    ],
)
def test_other_forms_are_refused_by_name(place: int, value: int, said: str) -> None:
    """Every byte that is not free says what it should have been."""
    data = bytearray(ENTRY.encode())
    data[place] = value

    with pytest.raises(MalformedError, match=said):
        Entry.decode(bytes(data))


@pytest.mark.parametrize("size", [0, 48, 101, 103, 512])
def test_other_sizes_are_refused(size: int) -> None:
    """An entry has no room for trailing bytes."""
    with pytest.raises(MalformedError, match=f"expected 102 bytes, got {size}"):
        Entry.decode(ENTRY.encode().ljust(size, b"\0")[:size])


def test_only_entry_0_starts_the_log() -> None:
    """A log cannot begin with anything else, nor begin twice."""
    with pytest.raises(MalformedError, match="LOG_START is entry 0"):
        Entry(EntryType.CREDENTIAL, 0, 0, bytes(32), bytes(16), bytes(32))
    with pytest.raises(MalformedError, match="LOG_START is entry 0"):
        Entry(EntryType.LOG_START, 1, 0, bytes(32), bytes(16), bytes(32))


def test_a_draft_has_fixed_sizes() -> None:
    """A handle or digest of another size is refused before it reaches a transaction."""
    with pytest.raises(MalformedError, match="handle: expected 16 bytes, got 15"):
        Draft(EntryType.KEY, bytes(15), bytes(32))
    with pytest.raises(MalformedError, match="digest: expected 32 bytes, got 33"):
        Draft(EntryType.KEY, bytes(16), bytes(33))


@pytest.mark.parametrize(("index", "time"), [(-1, 0), (2**64, 0), (1, -60), (1, 2**32), (1, 61)])
def test_values_without_an_encoding_are_refused(index: int, time: int) -> None:
    """Indexes beyond u64, times beyond u32 or within a minute have no bytes."""
    with pytest.raises(MalformedError):
        Entry(EntryType.KEY, index, time, bytes(32), bytes(16), bytes(32))
